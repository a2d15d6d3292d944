"""Mutants that misuse the clocks, or go on when one has run out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

from modelplug import Call, Delta, Finish, IdleTimeoutError, ModelRequest, Timeouts
from modelplug.delta import ToolCallDelta
from modelplug.messages import MessageConverter
from modelplug.request import RequestLike
from modelplug.stream import ModelStream
from tests.core.conformance.mutants import mutant
from tests.core.conformance.mutants.cancelling import PumpsOn, detached
from tests.core.conformance.reference import ReferenceClient


@mutant(kills="TMO-01", words="expected ConnectTimeoutError")
class ConnectsUnseen(ReferenceClient):
    """Doesn't tell how far it has come."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a call that the core doesn't hear of."""
        async for piece in super().stream_deltas(request, detached(call)):
            yield piece


@mutant(kills="TMO-02", words="expected FirstDeltaTimeoutError")
class SignsOfLife(ReferenceClient):
    """Yields something before the service has said anything."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """An empty tool call first."""
        yield Delta(tool_call=ToolCallDelta(0))
        async for piece in super().stream_deltas(request, call):
            yield piece


@mutant(kills="TMO-03", words="the text of the error's partial")
class KeepsTheLast(ReferenceClient):
    """Holds the last delta back until it knows what follows."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """One late."""
        held: Any = None
        async for piece in super().stream_deltas(request, call):
            if held is not None:
                yield held
            held = piece
        yield held


@mutant(kills="TMO-04", words="nothing but empty messages")
class ReportsEachMessage(ReferenceClient):
    """Says that its request was sent whenever something comes."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Which sets the clock back."""
        call.reached("sent")
        return super().read(message, call)


@mutant(kills="TMO-04", words="an answer's beginning and empty messages")
class TakesNoiseForProgress(ReferenceClient):
    """Makes a delta of what means nothing."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """One without text."""
        pieces = super().read(message, call)
        if not pieces and call.phase == "streaming":
            return [Delta(extra={"keep_alive": True})]
        return pieces


class OwnClocks(ReferenceClient):
    """Has other clocks than it was told."""

    def clocks(self, told: Timeouts) -> Timeouts:
        """What it has instead."""
        return told

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """One with other clocks."""
        asked = request if isinstance(request, ModelRequest) else ModelRequest(messages="hi")
        told = (self.params.timeouts or Timeouts()).over(asked.timeout)
        return super().generate_stream(asked.copy(timeout=self.clocks(told)), message_converter)


@mutant(kills="TMO-05", words="expected TotalTimeoutError")
class IdleAlone(OwnClocks):
    """Knows the time between two pieces alone."""

    def clocks(self, told: Timeouts) -> Timeouts:
        """As a time-out of each read."""
        return Timeouts(idle=told.idle, total=None)


@mutant(kills="TMO-06", words="expected TotalTimeoutError")
class ClientsClocks(OwnClocks):
    """Takes a request's time-out and doesn't use it."""

    def clocks(self, told: Timeouts) -> Timeouts:
        """The client's."""
        return self.params.timeouts or Timeouts()


@mutant(kills="TMO-06", words="a more patient request ended with FirstDelta")
class ShortestClocks(OwnClocks):
    """Lets a request have less time than the client, and never more."""

    def clocks(self, told: Timeouts) -> Timeouts:
        """The shorter ones."""
        own = self.params.timeouts or Timeouts()
        first = min(told.first_delta or 1e9, own.first_delta or 1e9)
        return Timeouts(first_delta=first, total=told.total)


@mutant(kills="TMO-07", words="still open")
class ReadsOnWhenLate(PumpsOn):
    """Its own task reads on when the clock has run out."""


@mutant(kills="TMO-08", words="too long")
class IdleForAll(ReferenceClient):
    """Takes the time between two pieces for that of the whole answer."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a clock of its own."""
        until = monotonic() + (call.timeouts.idle or 1e9)
        async for piece in super().stream_deltas(request, call):
            if monotonic() > until:
                raise IdleTimeoutError("too long", limit=call.timeouts.idle)
            yield piece


@mutant(kills="TMO-09", words="too slow")
class BlamesReaders(ReferenceClient):
    """Its clock runs while the reader does something else."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With a clock from piece to piece."""
        async for piece in super().stream_deltas(request, call):
            began = asyncio.get_running_loop().time()
            yield piece
            if asyncio.get_running_loop().time() - began > (call.timeouts.idle or 1e9):
                raise IdleTimeoutError("too slow", limit=call.timeouts.idle)
