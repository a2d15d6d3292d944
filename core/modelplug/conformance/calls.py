"""Calls of the plugin that go on while a check does something else: cancel, close, count."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from modelplug.client import ProxyLLMClient
from modelplug.conformance.directions import Direction, begun, within
from modelplug.conformance.verdict import Violation
from modelplug.output import ModelOutput
from modelplug.request import RequestLike
from modelplug.stream import ModelStream
from modelplug.syncstream import SyncModelStream

__all__ = ["Outcome", "Running", "Swept", "leave", "logged"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a call ended.

    Attributes:
        outputs: what it gave.
        error: what it raised; None for nothing.
    """

    outputs: list[ModelOutput] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def cancelled(self) -> bool:
        """Whether its task was cancelled."""
        return isinstance(self.error, asyncio.CancelledError)

    def __str__(self) -> str:
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        if not self.outputs:
            return "no error, no output"
        last: object = self.outputs[-1]
        return f"no error, but {(last.text if isinstance(last, ModelOutput) else last)!r}"


class Running:
    """One call, in one of the four ways, in the background.

    Attributes:
        stream: what is read; None where the answer comes whole.
        suspensions: how often it has waited, for a call that is to be cancelled at one of them.
    """

    def __init__(
        self,
        direction: Direction,
        client: ProxyLLMClient,
        request: RequestLike = "hi",
        *,
        cancel_at: int | None = None,
    ) -> None:
        self._direction = direction
        self._client = client
        self._request = request
        self._outputs: SimpleQueue[ModelOutput | None] = SimpleQueue()
        self._all: list[ModelOutput] = []
        self._task: Future[asyncio.Task[object]] = Future()
        self._ended: Future[Outcome] = Future()
        self.stream: ModelStream | SyncModelStream | None = None
        self.suspensions = 0
        if direction.is_async:
            direction.loop.start(self._run_task(cancel_at))
        else:
            begun(self._run_thread)

    def next(self) -> ModelOutput:
        """The next output, once it was given.

        Raises:
            TimeoutError: it took longer than the direction's patience.
            Violation: the call ended instead.
        """
        try:
            output = self._outputs.get(timeout=self._direction.patience)
        except Empty:
            raise TimeoutError from None
        if output is None:
            raise Violation(f"the call ended too early, with {self.outcome()}")
        return output

    def cancel(self, *, times: int = 1) -> None:
        """Cancel its task, and again as soon as it has had a turn."""
        task = self._task.result(self._direction.patience)
        loop = self._direction.loop.loop

        def one_more(left: int) -> None:
            task.cancel()
            if left > 1:
                loop.call_soon(one_more, left - 1)

        loop.call_soon_threadsafe(one_more, times)

    def close(self) -> None:
        """Close its stream, from another task or thread than the one that reads.

        Raises:
            Exception: whatever closing raises, or TimeoutError.
        """
        stream = self.stream
        if isinstance(stream, SyncModelStream):
            within(stream.close, self._direction.patience)
        elif stream is not None:
            self._direction.loop.run(stream.aclose(), within=self._direction.patience)

    def outcome(self, seconds: float | None = None) -> Outcome:
        """How it ended, once it has.

        Raises:
            TimeoutError: it goes on after so many seconds, or after the direction's patience.
        """
        limit = self._direction.patience if seconds is None else seconds
        try:
            return self._ended.result(limit)
        except TimeoutError:
            raise TimeoutError(f"the call goes on after {limit:g} s") from None

    def text(self) -> str | None:
        """The text of its last output.

        Raises:
            BaseException: what the call raised, or TimeoutError for one that hangs.
            Violation: what it gave is no output.
        """
        outcome = self.outcome()
        if outcome.error is not None:
            raise outcome.error
        if not outcome.outputs:
            return None
        last: object = outcome.outputs[-1]
        if not isinstance(last, ModelOutput):
            raise Violation(f"the call gave {last!r}, no output")
        return last.text

    async def _run_task(self, cancel_at: int | None) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._task.set_result(task)
        reading = Swept(self._read_async(), cancel_at)
        error: BaseException | None = None
        try:
            await reading
        except BaseException as raised:  # noqa: BLE001  # it is what the check asks for
            error = raised
        self.suspensions = reading.suspensions
        self._end(error)

    async def _read_async(self) -> None:
        if not self._direction.streams:
            self._give(await self._client.generate(self._request))
            return
        self.stream = self._client.generate_stream(self._request)
        async for output in self.stream:
            self._give(output)

    def _run_thread(self) -> None:
        error: BaseException | None = None
        try:
            self._read_sync()
        except BaseException as raised:  # noqa: BLE001  # the same
            error = raised
        self._end(error)

    def _read_sync(self) -> None:
        if not self._direction.streams:
            self._give(self._client.sync_generate(self._request))
            return
        self.stream = self._client.sync_generate_stream(self._request)
        for output in self.stream:
            self._give(output)

    def _give(self, output: ModelOutput) -> None:
        self._all.append(output)
        self._outputs.put(output)

    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            error.__traceback__ = None  # its frames hold the client
        self._ended.set_result(Outcome(outputs=self._all, error=error))
        self._outputs.put(None)


class Swept:
    """A coroutine whose task is cancelled as soon as it waits for the k-th time.

    Attributes:
        suspensions: how often it has waited.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, object], cancel_at: int | None) -> None:
        self._coroutine = coroutine
        self._cancel_at = cancel_at
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine, thrown = self._coroutine, None
        while True:
            try:
                waits_for = coroutine.throw(thrown) if thrown else coroutine.send(None)
            except StopIteration:
                return
            self._suspended()
            try:
                thrown = None
                yield waits_for
            except BaseException as error:  # noqa: BLE001  # it belongs to the coroutine
                thrown = error

    def _suspended(self) -> None:
        self.suspensions += 1
        task = asyncio.current_task()
        if self.suspensions == self._cancel_at and task is not None:
            asyncio.get_running_loop().call_soon(task.cancel)


def leave(direction: Direction, client: ProxyLLMClient, error: Exception) -> None:
    """Raise an error in the block of a stream, after its first output.

    Raises:
        Exception: what comes out of the block.
    """

    async def leave_async() -> None:
        async with client.generate_stream("hi") as stream:
            await anext(stream)
            raise error

    def leave_sync() -> None:
        with client.sync_generate_stream("hi") as stream:
            next(stream)
            raise error

    if direction.is_async:
        direction.loop.run(leave_async(), within=direction.patience)
    else:
        within(leave_sync, direction.patience)


@contextmanager
def logged(name: str) -> Iterator[list[str]]:
    """The warnings and errors that a logger is given within the block, as texts."""
    texts: list[str] = []

    class Keeps(logging.Handler):
        """Keeps what is said."""

        def emit(self, record: logging.LogRecord) -> None:
            """Keep it."""
            texts.append(record.getMessage())

    handler, logger = Keeps(logging.WARNING), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield texts
    finally:
        logger.removeHandler(handler)
