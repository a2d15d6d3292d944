"""A call whose answer hasn't begun: what policies hand on to one another, and wait with."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from modelplug.attempt import Attempt, under
from modelplug.call import Call
from modelplug.causes import strip_frames
from modelplug.clock import Clock
from modelplug.errors import ProxyLLMError
from modelplug.messages import MessageConverter, ModelMessage
from modelplug.output import Answer

__all__ = ["FailedAttempt", "Opening", "Waiting"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAttempt:
    """What was tried before, and didn't serve: in ``attempts`` of outputs and of errors.

    Attributes:
        backend, model: which were asked, or were to be, where a limit refused before.
        error: why it didn't serve.
        seconds: how long it took, its waits included.
    """

    backend: str | None
    model: str | None
    error: ProxyLLMError
    seconds: float


class Waiting(Protocol):
    """The stream that waits for an answer to begin."""

    def cut(self, cause: ProxyLLMError) -> None:
        """End it with ``cause``; from any thread."""
        ...  # pragma: no cover

    def told(self, failed: FailedAttempt | None) -> None:
        """Have its observers told that the call begins, or that another attempt follows."""
        ...  # pragma: no cover


class Opening:
    """One logical call until its answer begins; all its attempts share one clock.

    Attributes:
        stream: whose answer it is, weakly.
        clock: the deadline of the call, and the limits of the attempt under way.
        answer: where the answer will be collected.
        converter: the caller's own; it runs once, whatever the number of attempts.
        request_id: the caller's name for the call.
        blocking: whether the caller is a thread, so that a blocking provider serves best.
        call: what the last attempt was given; None before the first.
        begun: the last attempt whose answer has begun, whatever a policy makes of it.
        has_own_failure: whether the caller's own converter raised, which is no policy's fault.
        attempts: those that have failed, and were followed by another.
        is_last_resort: whether nobody else would be asked if this attempt failed.
    """

    __slots__ = (
        "__weakref__",
        "_is_told",
        "_since",
        "answer",
        "attempts",
        "begun",
        "blocking",
        "call",
        "clock",
        "converted",
        "converter",
        "has_own_failure",
        "is_last_resort",
        "request_id",
        "stream",
    )

    def __init__(
        self,
        stream: Waiting,
        *,
        clock: Clock,
        answer: Answer,
    ) -> None:
        self.stream = weakref.ref(stream)
        self.clock = clock
        self.answer = answer
        self.converter: MessageConverter | None = None
        self.converted: Sequence[ModelMessage] | None = None
        self.request_id: str | None = None
        self.blocking = False
        self.call: Call | None = None
        self.begun: Attempt | None = None
        self.has_own_failure = False
        self.attempts: tuple[FailedAttempt, ...] = ()
        self.is_last_resort = True
        self._is_told = False
        self._since = clock.elapsed

    def begin(self, call: Call) -> None:
        """An attempt begins; the first one, or a wait before it, begins the call for observers."""
        self.call = call
        self.announce()

    def announce(self) -> None:
        """Have observers told that the call begins, unless they have been."""
        if not self._is_told:
            self._is_told = True
            self._tell(None)

    def abort(self) -> None:
        """Cut the connection of the attempt under way; from any thread."""
        if self.call is not None:
            self.call.abort()

    def failed(self, error: ProxyLLMError) -> None:
        """An attempt has failed, and another one follows; its observers are told.

        Raises:
            LifecycleError: no other one follows, as the stream, or its client, was closed.
        """
        if self.clock.cut_by is not None:
            raise self.clock.cut_by
        self.announce()  # a limit may have refused it before anybody was asked
        seconds = self.clock.elapsed - self._since
        self._since = self.clock.elapsed
        # Without its frames, which would keep the whole attempt alive, nor the answer, which is
        # to hold it: there was none yet.
        strip_frames(error)
        error.partial = None
        failed = FailedAttempt(
            backend=error.backend, model=error.model, error=error, seconds=seconds
        )
        self.attempts += (failed,)
        self._tell(failed)

    def remaining(self) -> float | None:
        """Seconds that are left of the call; None without a deadline."""
        return self.clock.remaining()

    async def wait(
        self,
        wait: Callable[[], Awaitable[T]],
        *,
        queue: float | None = None,
        since: float | None = None,
    ) -> T:
        """What ``wait`` gives; closing the stream, and the call's deadline, end the wait.

        Args:
            wait: begins it.
            queue: seconds that it may take; None leaves that to the deadline.
            since: when these began, by the clock's ``elapsed``; None for now.

        Raises:
            QueueTimeoutError: it took longer than ``queue``.
            TotalTimeoutError: the call's deadline came.
            LifecycleError: the stream, or its client, was closed.
            PluginContractError: a bug in ``wait``.
        """
        self.announce()
        self.clock.queue(queue, since=since)
        try:
            return await under(self.clock, wait, whose="a policy's wait")
        finally:
            self.clock.resume()

    async def pause(self, seconds: float) -> None:
        """Do nothing for so many seconds, as ``wait`` does."""
        await self.wait(lambda: asyncio.sleep(seconds))

    def _tell(self, failed: FailedAttempt | None) -> None:
        if (stream := self.stream()) is not None:
            stream.told(failed)
