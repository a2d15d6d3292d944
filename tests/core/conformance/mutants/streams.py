"""Mutants of streams."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from modelplug import (
    Call,
    Delta,
    Finish,
    MessageConverter,
    ModelOutput,
    ModelRequest,
    ModelStream,
    Secret,
    TruncatedStreamError,
)
from modelplug.request import RequestLike
from modelplug.transport import Endpoint
from modelplug.transport.websocket import connect
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient
from tests.core.conformance.reference_sse import Events, SseClient


@mutant(kills="STR-01", words="while the service held the second")
class BuffersAll(ReferenceClient):
    """Yields the whole answer at once, at its end."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """All pieces together."""
        yield [piece async for piece in super().stream_deltas(request, call)]


@mutant(kills="STR-02", words="the whole text")
class CumulativeDeltas(ReferenceClient):
    """Takes a delta for the text so far."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """All that came, again and again."""
        text = ""
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Delta):
                text += piece.text
                yield Delta(text)
            else:
                yield piece


@mutant(kills="STR-16", words="the text after")
class DropsSmallPieces(ReferenceClient):
    """Leaves out a last piece that it finds too short."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Without what is short."""
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Finish) or len(piece.text) != len("wörld 你好"):
                yield piece


class Altered:
    """A stream whose outputs are altered: each becomes several, or none."""

    def __init__(
        self, stream: ModelStream, alter: Callable[[ModelOutput], list[ModelOutput]]
    ) -> None:
        self._stream = stream
        self._alter = alter
        self._ready: list[ModelOutput] = []

    def __aiter__(self) -> Altered:
        return self

    async def __anext__(self) -> ModelOutput:
        while not self._ready:
            self._ready = self._alter(await anext(self._stream))
        return self._ready.pop(0)

    async def aclose(self) -> None:
        """Close what is behind it."""
        await self._stream.aclose()

    async def final(self) -> ModelOutput:
        """The last one."""
        return [output async for output in self][-1]


@mutant(kills="STR-03", words="which outputs are final")
class RepeatsTheEnd(ReferenceClient):
    """Yields the last output once more after it."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """The end, twice."""
        stream = super().generate_stream(request, message_converter)
        return Altered(stream, lambda output: [output, output] if output.final else [output])  # type: ignore[return-value]  # the fault


@mutant(kills="STR-03", words="which outputs are final")
class NeverEnds(ReferenceClient):
    """Yields no final output."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """All but the end."""
        stream = super().generate_stream(request, message_converter)
        return Altered(stream, lambda output: [] if output.final else [output])  # type: ignore[return-value]  # the fault


@mutant(kills="STR-04", words="just stops")
class InventsEnds(ReferenceClient):
    """Takes a closed connection for the end of the answer."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Always an end."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except TruncatedStreamError:
            yield Finish("stop")


@mutant(kills="STR-05", words="outputs that add nothing")
class PassesOnNoise(ReferenceClient):
    """Makes an output of each message, whatever is in it."""

    def said(self, told: Mapping[str, Any]) -> list[Delta | Finish]:
        """Something for nothing."""
        return super().said(told) or [Delta(extra=told)]


@mutant(kills="STR-06", words="has no usage")
class SkipsTextlessEvents(ReferenceClient):
    """Looks at the usage only where there was text."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Without the usage of what said nothing."""
        said = False
        async for piece in super().stream_deltas(request, call):
            said = said or isinstance(piece, Delta)
            yield Finish(piece.reason) if isinstance(piece, Finish) and not said else piece


@mutant(kills="STR-07", words="that nobody read")
class AsksAtOnce(ReferenceClient):
    """Begins when the stream is made."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """Read the first output already."""
        stream = super().generate_stream(request, message_converter)
        asked = threading.Event()
        asking = threading.Thread(target=self._ask, args=(asked,))
        asking.start()
        asking.join()
        return stream

    def _ask(self, asked: threading.Event) -> None:
        try:
            ReferenceClient.sync_generate(self, "hi")
        except Exception:  # noqa: BLE001  # whatever comes of it
            asked.set()


@mutant(kills="STR-08", words="AttributeError")
class CannotBeClosed(ReferenceClient):
    """Its streams are wrapped in something that only iterates."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """An iterator, and no more."""
        stream = super().generate_stream(request, message_converter)
        return _Iterator(stream)  # type: ignore[return-value]  # the fault


class _Iterator:
    """Iterates."""

    def __init__(self, stream: ModelStream) -> None:
        self._stream = stream

    def __aiter__(self) -> _Iterator:
        return self

    async def __anext__(self) -> ModelOutput:
        return await anext(self._stream)


@mutant(kills="STR-08", words="the second of two readers")
class SharesStreams(ReferenceClient):
    """Lets readers wait for one another, and so share the outputs."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """A stream with a lock."""
        return _Locked(super().generate_stream(request, message_converter))  # type: ignore[return-value]  # the fault


class _Locked(_Iterator):
    """One after the other."""

    def __init__(self, stream: ModelStream) -> None:
        super().__init__(stream)
        self._lock = asyncio.Lock()

    async def __anext__(self) -> ModelOutput:
        async with self._lock:
            return await super().__anext__()

    async def aclose(self) -> None:
        """Close what is behind it."""
        await self._stream.aclose()


@mutant(kills="STR-12", words="bytes were taken in")
class ReadsAhead(ReferenceClient):
    """Gathers the answer in a task of its own, however slowly it is read."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Out of a queue that takes everything."""
        queue: asyncio.Queue[Any] = asyncio.Queue()

        async def gather() -> None:
            async for piece in ReferenceClient.stream_deltas(self, request, call):
                queue.put_nowait(piece)

        task = asyncio.ensure_future(gather())
        try:
            while True:
                piece = await queue.get()
                yield piece
                if isinstance(piece, Finish):
                    return
        finally:
            task.cancel()


@mutant(kills="STR-13", words="the end of stream")
class SharesText(ReferenceClient):
    """Keeps the last piece on the client, where the next stream finds it."""

    last = Delta("")

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """One piece late."""
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Finish):
                yield piece
            elif piece.text.endswith("says "):
                self.last = piece
                yield piece
            else:
                yield Delta(self.last.text.removesuffix(" says "))


@mutant(kills="STR-13", words="stream 0 ended without any output")
class EndsAtOnce(ReferenceClient):
    """Its streams are over before they begin."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """One without any output."""
        return _Ended(super().generate_stream(request, message_converter), lambda _: [])  # type: ignore[return-value]  # the fault


class _Ended(Altered):
    """Ends."""

    async def __anext__(self) -> ModelOutput:
        raise StopAsyncIteration


@mutant(kills="STR-14", words="the next one didn't begin")
class FewAtATime(ReferenceClient):
    """Has ten places, and lets whoever finds none wait."""

    taken = 0

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """When there is one to be had."""
        if self.taken == 10:
            await asyncio.Future()
        self.taken += 1
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        finally:
            self.taken -= 1


@mutant(kills="STR-18", words="in one message")
class LimitsMessages(ReferenceClient):
    """Reads what fits in its buffer."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Passes over what is longer."""
        return super().read(message, call) if len(message) < 65536 else []


class Misclocks(ReferenceClient):
    """Tells another time to the first piece."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """With a clock of its own."""
        made = time.monotonic()

        def alter(output: ModelOutput) -> list[ModelOutput]:
            if output.metrics is None:
                return [output]
            told = replace(output.metrics, time_to_first_delta=self.clocked(made))
            return [ModelOutput(output.text, finish_reason=output.finish_reason, metrics=told)]

        return Altered(super().generate_stream(request, message_converter), alter)  # type: ignore[return-value]  # the fault

    def clocked(self, made: float) -> float:
        """What is told of a stream that was made then."""
        return time.monotonic() - made


@mutant(kills="STR-19", words="longer than it took")
class ClocksFromTheMaking(Misclocks):
    """Starts its clock when the stream is made."""


@mutant(kills="STR-19", words="ends before it came")
class ClocksToAnything(Misclocks):
    """Stops its clock at the first message, whatever is in it."""

    def clocked(self, made: float) -> float:
        """Nearly nothing."""
        return 0.001


@mutant(kills="STR-09", words="how often each of three calls asked")
class AsksTwice(ReferenceClient):
    """Asks again on the same connection, to be on the safe side."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """As the reference does, but for that."""
        endpoint = Endpoint.parse(str(self.params.proxy_api_base), allow_insecure=False)
        query = Secret(f"key={call.credential().api_key.reveal()}")
        question = self.encoded(self.payload(request))
        async with connect(endpoint, query=query, call=call, on_refusal=self.refused) as ws:
            ws.send(question)
            ws.send(question)
            async for piece in self.pieces(ws, call):
                yield piece
                if isinstance(piece, Finish):
                    return


@mutant(kills="STR-10", words="the more came before it")
class CountsEachTime(ReferenceClient):
    """Counts the bytes of the text so far, at each piece."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a number that nobody looks at."""
        pieces: list[str] = []
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Delta):
                pieces.append(piece.text)
                self.count = sum(len(each.encode()) for each in pieces)
            yield piece


@mutant(kills="STR-11", words="characters took")
class KeepsStates(ReferenceClient):
    """Keeps the text as of each piece, as long as the answer lasts."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With all of them."""
        states = [""]
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Delta):
                states.append(states[-1] + piece.text)
            yield piece


class _NarrowEvents(Events):
    """Knows one way to write a line."""

    def _line(self, line: bytes) -> bytes | None:
        return super()._line(line if line.startswith(b"data: ") or not line else b":")


@mutant(
    kills="STR-17",
    words="of events with Lines(end='\\n', comments=False, fields=False, blank=False",
)
class WantsTheBlank(SseClient):
    """Takes the blank after the colon for a part of the field's name."""

    def events(self) -> Events:
        """Those that are written as usual."""
        return _NarrowEvents()


class _SplitsLines(Events):
    """Hears the end of a line in LF alone."""

    def feed(self, received: bytes) -> list[bytes]:
        return super().feed(received.replace(b"\r", b""))


@mutant(kills="STR-17", words="of events with Lines(end='\\r'")
class WantsLineFeeds(SseClient):
    """Doesn't know CR."""

    def events(self) -> Events:
        """Those whose lines end with LF."""
        return _SplitsLines()
