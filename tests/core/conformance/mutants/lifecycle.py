"""Mutants that begin too early, end too late, or not at all."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from http.client import HTTPConnection
from typing import Any, ClassVar
from urllib.parse import urlsplit

from modelplug import (
    Call,
    Delta,
    MessageConverter,
    ModelMetadata,
    ModelOutput,
    ModelRequest,
    ServerError,
)
from modelplug.request import RequestLike
from modelplug.testing.http import HttpUpstream
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import HARNESS, ReferenceClient


@mutant(kills="LIF-01", words="threads of a client that was only made")
class StartsAtOnce(ReferenceClient):
    """Starts its worker when it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workers = ThreadPoolExecutor(1)
        self.workers.submit(int).result()

    def close(self) -> None:
        """And ends it."""
        self.workers.shutdown()
        super().close()


@mutant(kills="LIF-02", words="an error in the block of 'with'")
class SwallowsErrors(ReferenceClient):
    """Its block keeps errors to itself."""

    def __exit__(self, *exc_info: object) -> bool:  # type: ignore[override]  # the mistake
        self.close()
        return True


@mutant(kills="LIF-02", words="a call after 'async with'")
class StaysOpen(ReferenceClient):
    """Leaving its block does nothing."""

    async def __aexit__(self, *exc_info: object) -> None:
        """Nothing."""


@mutant(kills="LIF-03", words="close() again raised RuntimeError")
class ClosesOnce(ReferenceClient):
    """Takes a second close for a mistake."""

    _is_closed = False

    def close(self) -> None:
        """The first time."""
        if self._is_closed:
            raise RuntimeError("it is closed already")
        self._is_closed = True
        super().close()


@mutant(kills="LIF-04", words="a call after close()")
class NeverClosed(ReferenceClient):
    """Closing it does nothing."""

    def close(self) -> None:
        """Nothing."""


@mutant(kills="LIF-05", words="still open")
class ClosesTheDoor(ReferenceClient):
    """Takes no new calls when it is closed, and goes on with those that run."""

    def close(self) -> None:
        """Half of what should be done."""
        self._closed = True


@mutant(kills="LIF-06", words="Task exception was never retrieved")
class LosesFailures(ReferenceClient):
    """Looks after each call in a task whose end nobody sees."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Report failures, which itself fails."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except ServerError:
            self.reporting = asyncio.ensure_future(self.report())
            raise

    async def report(self) -> None:
        """Fail."""
        raise OSError("no place to report to")


@mutant(kills="LIF-06", words="ResourceWarning")
class LeavesSockets(ReferenceClient):
    """Has a socket that only the collector closes."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a socket for each call."""
        wake = socket.socket()
        wake.setblocking(False)
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="LIF-07", words="what the process holds")
class LeavesThreads(ReferenceClient):
    """Has a thread for each client, which nobody ends."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a worker."""
        if not hasattr(self, "worker"):
            self.worker = threading.Thread(target=threading.Event().wait, daemon=True)
            self.worker.start()
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="LIF-07", words="what the process holds")
class OwnExecutor(ReferenceClient):
    """Has an executor, which ends when the client is dropped, and not when it is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pool = ThreadPoolExecutor(1)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a worker."""
        self.pool.submit(int).result()
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="LIF-08", words="what the process holds")
class EndsThreadsWhenClosed(ReferenceClient):
    """Has a thread for each client, which it ends when it is closed and not before."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a worker."""
        if not hasattr(self, "ended"):
            self.ended = threading.Event()
            threading.Thread(target=self.ended.wait, daemon=True).start()
        async for piece in super().stream_deltas(request, call):
            yield piece

    def close(self) -> None:
        """And the worker."""
        if hasattr(self, "ended"):
            self.ended.set()
        super().close()


KEPT: list[object] = []


@mutant(kills="LIF-09", words="something keeps it")
class KeepsClients(ReferenceClient):
    """Is on a list for ever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        KEPT.append(self)


@mutant(kills="LIF-09", words="something keeps it")
class CachesOnMethods(ReferenceClient):
    """Remembers its models by a cache that all clients share, and that holds them."""

    @cache  # noqa: B019  # the fault
    def listed(self) -> list[ModelMetadata]:
        """Made once."""
        return [self.metadata(name) for name in self.model_names]

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """Copies."""
        return list(self.listed())


@mutant(kills="LIF-10", words="was shut down")
class EndsWhatItBorrowed(ReferenceClient):
    """Ends the executor, whosesoever it is."""

    def close(self) -> None:
        """With the executor."""
        self.executor.shutdown(wait=False)
        super().close()


@mutant(kills="LIF-11", words="tokens weren't counted")
class CountsOnTheExecutor(ReferenceClient):
    """A stream holds the worker that counting needs."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a worker of the executor's, to its end."""
        ended = threading.Event()
        self.executor.submit(ended.wait)
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        finally:
            ended.set()

    async def count_token(self, model: str, prompt: str) -> int:
        """On the executor."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, len, prompt)


@mutant(kills="LIF-14", words="Event loop is closed")
class AtHomeOnOneLoop(ReferenceClient):
    """Stays with the loop of its first call."""

    home: asyncio.AbstractEventLoop | None = None

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Not without the first loop."""
        self.home = self.home or asyncio.get_running_loop()
        try:
            self.home.call_soon_threadsafe(int)
        except RuntimeError as error:
            raise ServerError(str(error)) from None
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="LIF-15", words="cannot be called from a running event loop")
class RunsALoop(ReferenceClient):
    """Makes a loop for each sync call."""

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """As the books have it."""
        coroutine = self.generate(request, message_converter)
        try:
            return asyncio.run(coroutine)
        finally:
            coroutine.close()


@mutant(kills="LIF-16", words="the answer to one of many")
class OneBufferForAll(ReferenceClient):
    """Keeps the text of an answer on the client."""

    text = ""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """The text of whichever call came last."""
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Delta):
                self.text = piece.text
                await asyncio.sleep(0.01)
                yield Delta(self.text)
            else:
                yield piece


@mutant(kills="LIF-16", words="the call gave None, no output")
class GivesNothing(ReferenceClient):
    """Forgets to return what it was given."""

    async def generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """None."""
        await super().generate(request, message_converter)
        return None  # type: ignore[return-value]  # the fault


@mutant(kills="LIF-05", words="ended with no error")
class EndsQuietly(ReferenceClient):
    """Makes a whole answer of one that was cut."""

    async def generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """What there is."""
        stream = self.generate_stream(request, message_converter)
        try:
            return await stream.final()
        except Exception:  # noqa: BLE001  # the mistake
            return stream.partial


@mutant(kills="LIF-12", words="of a client fails with")
class FailsToPickle(ReferenceClient):
    """Lets pickle find out by itself."""

    def __reduce__(self) -> Any:
        """As objects do it."""
        return object.__reduce_ex__(self, 2)


@mutant(kills="LIF-13", words="it hangs")
class WorksOnAThread(ReferenceClient):
    """Has a worker, which a forked child has no more and waits for all the same."""

    workers: ThreadPoolExecutor | None = None

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """What the worker has looked at."""
        self.workers = self.workers or ThreadPoolExecutor(1)
        await asyncio.wrap_future(self.workers.submit(int))
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="LIF-13", words="RuntimeError from outside modelplug's errors")
class KnowsItsProcess(ReferenceClient):
    """Works in the process that made it, and says so in words of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.process = os.getpid()

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """At home."""
        if os.getpid() != self.process:
            raise RuntimeError("not in a forked child")
        return super().sync_generate(request, message_converter)


@mutant(kills="LIF-13", words="ended with nothing: it died, ended by SIGABRT")
class DiesInAFork(ReferenceClient):
    """Uses a library that can't be used after a fork, and says so by ending the process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.process = os.getpid()

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """In the process that made it."""
        if os.getpid() != self.process:
            os.kill(os.getpid(), signal.SIGABRT)
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="LIF-17", words="a program with an open stream went on")
class HoldsTheExit(ReferenceClient):
    """Has a thread for each stream, which the interpreter waits for."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a thread that ends with it."""
        ended = threading.Event()
        threading.Thread(target=ended.wait, daemon=False).start()
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        finally:
            ended.set()


@mutant(kills="LIF-17", words="a program with an open stream ended by 3")
class FailsAtTheExit(ReferenceClient):
    """Gives up when the interpreter ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        atexit.register(os._exit, 3)


HTTP_HARNESS = replace(HARNESS, wire=HttpUpstream)
"""The reference's words over HTTP."""


@mutant(
    kills="LIF-18",
    words="took 10 connections: the client closed them after its answer",
    change=lambda b: replace(b, harness=f"{__name__}:HTTP_HARNESS"),
)
class ConnectsEachTime(ReferenceClient):
    """Makes a connection for each call, and closes it after the answer."""

    headers: ClassVar[Mapping[str, str]] = {}

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """The answer, when it is whole."""
        question = self.encoded(self.payload(request))
        answer = await asyncio.to_thread(self.asked, question)
        for line in answer.splitlines():
            if line.startswith(b"data:"):
                for piece in self.read(line.removeprefix(b"data:"), call):
                    yield piece

    def asked(self, question: bytes) -> bytes:
        """The answer's body."""
        url = urlsplit(str(self.params.proxy_api_base))
        with closing(HTTPConnection(url.netloc)) as connection:
            connection.request("POST", url.path, question, self.headers)
            return connection.getresponse().read()


@mutant(
    kills="LIF-18",
    words="took 10 connections: the client asked the service to close them",
    change=lambda b: replace(b, harness=f"{__name__}:HTTP_HARNESS"),
)
class AsksToClose(ConnectsEachTime):
    """Wants no connection kept."""

    headers: ClassVar[Mapping[str, str]] = {"Connection": "close"}


@mutant(
    kills="LIF-18",
    words="took 10 connections: the client left them open",
    change=lambda b: replace(b, harness=f"{__name__}:HTTP_HARNESS"),
)
class LeavesThemOpen(ConnectsEachTime):
    """Has a new one for each call, and closes them with itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left = ExitStack()

    def asked(self, question: bytes) -> bytes:
        """On a connection that stays."""
        url = urlsplit(str(self.params.proxy_api_base))
        connection = self.left.enter_context(closing(HTTPConnection(url.netloc)))
        connection.request("POST", url.path, question)
        return connection.getresponse().read()

    def close(self) -> None:
        """Close them, too."""
        super().close()
        self.left.close()
