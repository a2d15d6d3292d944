"""A stream that runs on the loop thread for a reader on another one.

A ``Pump`` hands items over in lists: whatever is ready at a wake-up goes over at once, where a
round trip for each would cost ten times as much. What waits is bounded.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from modelplug.bridge import Job, loop_thread
from modelplug.errors import LifecycleError, WrongUseError

__all__ = ["Pump", "Source"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_HIGH_WATER = 512
"""Items that wait for a slow reader before the writer is held back; one list of the source's
``take`` may come on top."""

_MUCH = 384
"""Items of which the reader is told in any case, so that the writer needn't wait for it."""

_REST_SECONDS = 0.002
"""How long after a list the next one is gathered. To hand one over wakes a thread, which costs
some 100 us, whatever is in it; in a burst this makes a fifth of the lists. What comes after a pause
isn't held up. Where the loop's clock is coarse (Windows: about 15 ms) the rest is as long as one of
its ticks."""

_CLOSING_SECONDS = 1.0
"""How long a close from another thread waits to see the stream gone."""


class Source(Protocol[T_co]):
    """What gives items, several at a time, and can be closed early."""

    async def take(self) -> Sequence[T_co]:
        """All items at hand, at least one; none at the end."""
        ...  # pragma: no cover

    async def aclose(self) -> None:
        """Let go of whatever it holds."""
        ...  # pragma: no cover


class Pump(Generic[T]):
    """Reads a source on the loop thread for a reader on any other thread.

    Nothing happens before ``start``: by then the pump is where it can be closed from.

    Args:
        source: makes the source, on the loop thread.
        weigh: what items count for while they wait; large ones may count for several.
    """

    def __init__(
        self, source: Callable[[], Source[T]], *, weigh: Callable[[Sequence[T]], int] = len
    ) -> None:
        self._source = source
        self._weigh = weigh
        self._process_id = os.getpid()
        self._lists: SimpleQueue[tuple[list[T], int] | None] = SimpleQueue()
        self._ready: list[T] = []
        self._ready_weight = 0
        self._handed_over = 0
        self._taken = 0
        self._rests_until = 0.0
        self._due: asyncio.TimerHandle | None = None
        self._space: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = loop_thread()
        self._job: Job[None] = Job(self._thread)

    def start(self) -> None:
        """Begin to read.

        Raises:
            LifecycleError: the interpreter is about to exit.
        """
        self._job.start(self._pump)

    def take(self) -> list[T]:
        """All items at hand, at least one; an empty list at the end.

        Raises:
            WrongUseError: the process was forked since the stream began.
            BaseException: whatever the source raised.
        """
        if os.getpid() != self._process_id:
            raise WrongUseError("a stream can't be read in a forked child", hint="start a new one")
        handed = self._lists.get()
        if handed is None:
            self._lists.put(None)  # for whoever asks again
            failure, self._failure = self._failure, None
            try:
                if failure is not None:
                    raise failure
                return []
            finally:
                del failure  # its traceback holds this frame: no cycle
        items, weight = handed
        self._taken += weight
        if (space := self._space) is not None:
            with suppress(RuntimeError):  # the loop has ended, with the interpreter
                self._thread.loop.call_soon_threadsafe(space.set)
        return items

    def close(self, *, wait: bool = True) -> None:
        """End the stream and let its connection go; from any thread, also while another reads."""
        if os.getpid() != self._process_id:
            return  # it is the parent's
        self._job.cancel()
        if wait and self._job.has_started and not self._thread.is_current():
            with suppress(Empty):
                while self._lists.get(timeout=_CLOSING_SECONDS) is not None:
                    pass
                self._lists.put(None)

    async def _pump(self) -> None:
        source = self._source()
        try:
            while items := await source.take():
                self._ready += items
                self._ready_weight += self._weigh(items)
                ahead = self._handed_over - self._taken + self._ready_weight
                if ahead >= _HIGH_WATER:
                    await self._drained()
                elif ahead >= _MUCH:
                    self._hand_over()
                else:
                    self._hand_over_soon()
        except asyncio.CancelledError:
            self._failure = LifecycleError("the stream was closed before its end")
        except BaseException as failure:  # noqa: BLE001  # raised again, in the reader's thread
            self._failure = failure
        finally:
            try:
                await source.aclose()
            finally:
                self._hand_over()
                self._lists.put(None)

    def _hand_over_soon(self) -> None:
        """Hand over what is ready when the source makes us wait, or in a burst after a rest."""
        if self._due is None:
            self._due = self._thread.loop.call_at(self._rests_until, self._hand_over)

    def _hand_over(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._ready:
            # One by one they come at a speaker's pace, and none is held up.
            rest = _REST_SECONDS if len(self._ready) > 1 else 0.0
            self._handed_over += self._ready_weight
            self._lists.put((self._ready, self._ready_weight))
            self._ready, self._ready_weight = [], 0
            self._rests_until = self._thread.loop.time() + rest

    async def _drained(self) -> None:
        self._hand_over()
        self._space = asyncio.Event()
        while self._handed_over - self._taken >= _HIGH_WATER // 2:
            self._space.clear()
            # The reader may have taken the last list just before it could see the event.
            if self._handed_over - self._taken >= _HIGH_WATER // 2:
                await self._space.wait()
        self._space = None
