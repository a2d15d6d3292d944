"""The four ways to ask, each driven from outside by plain calls that wait no longer than told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar

from modelplug.client import ProxyLLMClient
from modelplug.messages import MessageConverter
from modelplug.output import ModelOutput
from modelplug.request import RequestLike
from modelplug.stream import ModelStream
from modelplug.syncstream import SyncModelStream
from modelplug.testing.threads import in_thread

__all__ = ["ALL", "STREAMS", "Direction", "DirectionName", "Loop", "Reading", "begun", "within"]

T = TypeVar("T")

_PATIENCE = 5.0
"""Seconds that a loop has to end."""

DirectionName: TypeAlias = Literal["async-stream", "sync-stream", "async", "sync"]


class Loop:
    """An event loop in a thread of its own, on which the plugin's coroutines run."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Loop]:
        """One that ends with the block, unless a coroutine blocks it."""
        with in_thread(_Nothing(), name="modelplug-conformance", patience=_PATIENCE) as loop:
            yield cls(loop)

    @property
    def has_ended(self) -> bool:
        """Whether it is over; after the block it isn't where a coroutine blocks it."""
        return self.loop.is_closed()

    def start(self, coroutine: Coroutine[object, object, T]) -> Future[T]:
        """Run a coroutine; its future can be cancelled.

        Raises:
            RuntimeError: the loop is over, as a coroutine has raised what ends it.
        """
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:
            coroutine.close()
            raise

    def run(self, coroutine: Coroutine[object, object, T], *, within: float = 5.0) -> T:
        """The result of a coroutine.

        Raises:
            TimeoutError: it takes longer than ``within`` seconds.
        """
        return self.start(coroutine).result(within)

    def tasks(self) -> int:
        """How many tasks are there, beside the one that looks."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 2  # this one, and the loop's own

        return self.run(count())


class _Nothing:
    """A server that serves nothing."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *exc_info: object) -> None: ...


class Reading(Protocol):
    """A stream that is being read, from outside."""

    def next(self) -> ModelOutput:
        """The next output.

        Raises:
            StopIteration: there are no more.
        """
        ...  # pragma: no cover

    def rest(self) -> list[ModelOutput]:
        """All that still comes."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Close the stream."""
        ...  # pragma: no cover


class _AsyncReading:
    def __init__(self, loop: Loop, stream: ModelStream, patience: float) -> None:
        self._loop = loop
        self._patience = patience
        self.stream = stream

    def next(self) -> ModelOutput:
        async def one() -> ModelOutput | None:
            return await anext(self.stream, None)

        output = self._loop.run(one(), within=self._patience)
        if output is None:
            raise StopIteration
        return output

    def rest(self) -> list[ModelOutput]:
        async def all_of_them() -> list[ModelOutput]:
            return [output async for output in self.stream]

        return self._loop.run(all_of_them(), within=self._patience)

    def close(self) -> None:
        self._loop.run(self.stream.aclose(), within=self._patience)


class _SyncReading:
    def __init__(self, stream: SyncModelStream, patience: float) -> None:
        self._patience = patience
        self.stream = stream

    def next(self) -> ModelOutput:
        return within(lambda: next(self.stream), self._patience)

    def rest(self) -> list[ModelOutput]:
        return within(lambda: list(self.stream), self._patience)

    def close(self) -> None:
        within(self.stream.close, self._patience)


@dataclass(frozen=True, slots=True)
class Direction:
    """One way to ask.

    Attributes:
        name: what reports call it.
        loop: where its coroutines run.
        patience: seconds after which a call of the plugin counts as hanging.
    """

    name: DirectionName
    loop: Loop
    patience: float = 5.0

    @property
    def streams(self) -> bool:
        """Whether the answer comes in pieces."""
        return self.name.endswith("stream")

    @property
    def is_async(self) -> bool:
        """Whether it is for coroutines."""
        return self.name.startswith("async")

    def read(
        self,
        client: ProxyLLMClient,
        request: RequestLike,
        converter: MessageConverter | None = None,
    ) -> Reading:
        """Begin to read a stream."""
        more = (converter,) if converter else ()
        if self.is_async:
            stream = client.generate_stream(request, *more)
            return _AsyncReading(self.loop, stream, self.patience)
        return _SyncReading(client.sync_generate_stream(request, *more), self.patience)

    def ask(
        self,
        client: ProxyLLMClient,
        request: RequestLike,
        converter: MessageConverter | None = None,
    ) -> list[ModelOutput]:
        """All outputs of a call; one where the answer comes whole.

        Raises:
            Exception: what the call raises, or TimeoutError for one that hangs.
        """
        if self.streams:
            return self.read(client, request, converter).rest()
        more = (converter,) if converter else ()
        if self.is_async:
            return [self.loop.run(client.generate(request, *more), within=self.patience)]
        return [within(lambda: client.sync_generate(request, *more), self.patience)]

    def final(self, client: ProxyLLMClient, request: RequestLike) -> ModelOutput | None:
        """The last output of a call; None if there was none."""
        outputs = self.ask(client, request)
        return outputs[-1] if outputs else None


def begun(call: Callable[[], T], *, name: str = "modelplug-conformance-call") -> Future[T]:
    """What becomes of a blocking call, on a thread of its own."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001  # told to whoever waits
            result.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return result


def within(call: Callable[[], T], seconds: float) -> T:
    """The result of a blocking call, on a thread of its own.

    Raises:
        TimeoutError: it takes longer; its thread is left to itself.
    """
    return begun(call).result(seconds)


ALL: tuple[DirectionName, ...] = ("async-stream", "sync-stream", "async", "sync")
STREAMS: tuple[DirectionName, ...] = ("async-stream", "sync-stream")
