"""Mutants around a library in the process: what they get wrong has nothing to do with a wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import closing
from threading import Event
from typing import Any

from modelplug import Call, ModelRequest, Pieces
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference_blocking import BlockingClient
from tests.core.conformance.reference_inprocess import Chunk, InProcessClient, LibraryError


@mutant(kills="CAN-06", words="still open")
class NeverCloses(InProcessClient):
    """Relies on the collector, which closes nothing in time."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Ask, pass on what comes, and leave the rest to the collector."""
        try:
            async for chunk in self.asked(request, call):
                yield self.read_chunk(chunk, call)
            return
        except LibraryError as error:
            failed = self.failure(error.told)
        raise failed


@mutant(kills="GEN-13", words="the event loop stood still")
class ReadsAsThreadsDo(InProcessClient):
    """Takes the library's answer as threads do, on the loop."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Nothing else has a turn."""
        answer: Any = self.asked(request, call)
        with closing(answer):
            for chunk in answer:
                yield self.read_chunk(chunk, call)


@mutant(kills="ERR-18", words="LibraryError")
class LetsErrorsThrough(InProcessClient):
    """Raises what the library raises."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """As it is."""
        answer: AsyncGenerator[Chunk] = self.asked(request, call)
        try:
            async for chunk in answer:
                yield self.read_chunk(chunk, call)
        finally:
            await answer.aclose()


@mutant(kills="FEA-19", words="the image wasn't sent")
class ReadsOnly(InProcessClient):
    """Claims to see, and passes on what it can read."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The texts."""
        payload = super().payload(request)
        for message, given in zip(payload["messages"], request.messages, strict=True):
            message["content"] = given.text
        return payload


@mutant(kills="CAN-08", words="still open")
class NeverAborts(BlockingClient):
    """Says nobody how to interrupt it while it waits."""

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Pieces]:
        """Waits for the library for as long as that pleases."""
        with closing(self.asked_blocking(request, call, Event())) as chunks:
            for chunk in chunks:
                yield self.read_chunk(chunk, call)


@mutant(kills="CAN-09", words="still open")
class ClosesWhatRuns(BlockingClient):
    """Closes the library's generator, which can't be closed while it works."""

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Pieces]:
        """All is well for as long as it gives something."""
        with closing(self.asked_blocking(request, call, Event())) as chunks:
            call.on_abort(chunks.close)
            for chunk in chunks:
                yield self.read_chunk(chunk, call)


@mutant(kills="FLT-14", words="client generator")
class ForgetsItsAnswers(BlockingClient):
    """Closes nothing."""

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Pieces]:
        """Leave the rest to the collector."""
        for chunk in self.asked_blocking(request, call, Event()):
            yield self.read_chunk(chunk, call)
