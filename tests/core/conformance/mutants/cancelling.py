"""Mutants that go on when nobody waits any more."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from queue import SimpleQueue
from typing import Any

from modelplug import (
    Call,
    Finish,
    MessageConverter,
    ModelOutput,
    ModelRequest,
    Secret,
    ServerError,
)
from modelplug.request import RequestLike
from modelplug.stream import ModelStream
from modelplug.transport import Endpoint
from modelplug.transport.websocket import WebSocket, connect
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient


def detached(call: Call) -> Call:
    """A call of which the core knows nothing, so that it can't abort it."""
    return Call(timeouts=call.timeouts, credentials=call.credential)


class UnownedClient(ReferenceClient):
    """Opens connections that only the provider itself can close."""

    async def opened(self, call: Call) -> WebSocket:
        """A connection."""
        endpoint = Endpoint.parse(str(self.params.proxy_api_base), allow_insecure=False)
        query = Secret(f"key={call.credential().api_key.reveal()}")
        alone = connect(endpoint, query=query, call=detached(call), on_refusal=self.refused)
        return await alone.__aenter__()

    async def talk(self, ws: WebSocket, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Ask, and pass on what comes."""
        ws.send(json.dumps(self.payload(request)))
        async for piece in self.pieces(ws, call):
            yield piece
            if isinstance(piece, Finish):
                ws.close()
                return


@mutant(kills="CAN-01", words="still open")
class PumpsOn(ReferenceClient):
    """Reads in a task of its own, which nobody cancels."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """What the task has read."""
        pieces: asyncio.Queue[Any] = asyncio.Queue()
        source = super().stream_deltas(request, detached(call))

        async def pump() -> None:
            async for piece in source:
                pieces.put_nowait(piece)

        self.pump = asyncio.ensure_future(pump())
        while True:
            yield await pieces.get()


@mutant(kills="CAN-02", words="wasn't cancelled: it ended with ServerError")
class CatchesAll(ReferenceClient):
    """Makes an error of whatever ends a call."""

    async def generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """With too wide a net."""
        try:
            return await super().generate(request, message_converter)
        except BaseException as error:  # noqa: BLE001  # the mistake
            failure = ServerError(f"the call failed: {error!r}")
        raise failure


@mutant(kills="CAN-03", words="still open")
class OpensOnItsOwn(UnownedClient):
    """Opens its connection in a task that nobody owns while it opens."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Close what was opened, once it was."""
        self.opening = asyncio.ensure_future(self.opened(call))
        ws = await asyncio.shield(self.opening)
        try:
            async for piece in self.talk(ws, request, call):
                yield piece
        finally:
            ws.abort()


@mutant(kills="CAN-04", words="left a connection open")
class TriesTooLate(UnownedClient):
    """Has a moment between opening and the block that closes."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Close what was opened, but for that moment."""
        ws = await self.opened(call)
        await asyncio.sleep(0)
        try:
            async for piece in self.talk(ws, request, call):
                yield piece
        finally:
            ws.abort()


@mutant(kills="CAN-05", words="still open")
class ClosesLater(UnownedClient):
    """Waits for something else before it closes."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Close what was opened, after a moment."""
        ws = await self.opened(call)
        try:
            async for piece in self.talk(ws, request, call):
                yield piece
        finally:
            await asyncio.sleep(0)
            ws.abort()


class NeverCloses(UnownedClient):
    """Leaves closing to the end of the answer."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Without any block that closes."""
        ws = await self.opened(call)
        async for piece in self.talk(ws, request, call):
            yield piece


@mutant(kills="CAN-06", words="still open")
class NeverClosesStreams(NeverCloses):
    """As above."""


@mutant(kills="CAN-08", words="still open")
class NeverClosesSyncStreams(NeverCloses):
    """As above."""


@mutant(kills="CAN-07", words="stayed open")
class KeepsStreams(ReferenceClient):
    """Keeps a list of its streams."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """One that the client keeps alive."""
        stream = super().generate_stream(request, message_converter)
        self.kept = [*getattr(self, "kept", ()), stream]
        return stream


@mutant(kills="CAN-09", words="already running")
class GeneratesStreams(ReferenceClient):
    """Has async generators for streams."""

    async def generate_stream(  # type: ignore[override]  # the mistake
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> AsyncIterator[ModelOutput]:
        """The same outputs."""
        async with super().generate_stream(request, message_converter) as stream:
            async for output in stream:
                yield output


@mutant(kills="CAN-10", words="clean-up failed")
class YieldsAtTheEnd(ReferenceClient):
    """Has something more to say when it is closed."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """All pieces, and an end in any case."""
        try:
            async for piece in super().stream_deltas(request, call):
                if not isinstance(piece, Finish):
                    yield piece
        finally:
            yield Finish("other")


class FailsToClose(ModelStream):
    """A stream that can't be closed before its end."""

    async def aclose(self) -> None:
        """Complain."""
        await super().aclose()
        raise RuntimeError("the answer isn't whole")


@mutant(kills="CAN-11", words="RuntimeError")
class MasksErrors(ReferenceClient):
    """Its clean-up fails, and hides why it was needed."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """One that fails to close."""
        stream = super().generate_stream(request, message_converter)
        stream.__class__ = FailsToClose
        return stream


@mutant(kills="CAN-12", words="still open")
class BridgesByThread(ReferenceClient):
    """Has a thread wait for the whole answer."""

    async def generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """A thread can't be cancelled."""
        return await asyncio.to_thread(self.sync_generate, request, message_converter)


@mutant(kills="CAN-13", words="what came of Ctrl-C: expected 'KeyboardInterrupt'")
class SwallowsInterrupts(ReferenceClient):
    """Makes of anything an error of its own."""

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """Whatever comes."""
        try:
            return super().sync_generate(request, message_converter)
        except BaseException as error:  # noqa: BLE001  # the fault
            failure = ServerError(type(error).__name__)
        raise failure


@mutant(kills="CAN-13", words="still open")
class GoesOnBehind(ReferenceClient):
    """Leaves a call to a thread, which knows of no Ctrl-C."""

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """Somewhere else."""
        given: SimpleQueue[ModelOutput] = SimpleQueue()
        ask = super().sync_generate
        threading.Thread(
            target=lambda: given.put(ask(request, message_converter)), daemon=True
        ).start()
        return given.get()


@mutant(kills="CAN-13", words="threads of a call that was interrupted")
class LeavesAWatcher(ReferenceClient):
    """Has a thread beside each call, which ends when the call ends well."""

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """With a thread."""
        ended = threading.Event()
        threading.Thread(target=ended.wait, daemon=True).start()
        output = super().sync_generate(request, message_converter)
        ended.set()
        return output
