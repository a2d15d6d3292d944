"""The same as ``reference_inprocess`` around a library that blocks, as that of llama.cpp does.

Nobody can close its generator while it works: it asks a flag whether to stop, between two tokens.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import Any

from modelplug import Call, ModelRequest, Pieces, ProxyLLMClient
from modelplug.testing.inprocess import InProcess
from tests.core.conformance import reference_inprocess
from tests.core.conformance.plugin import REFERENCE_BLOCKING
from tests.core.conformance.reference_inprocess import Chunk, InProcessClient, LibraryError


def generate(question: Mapping[str, Any], *, key: str, stop: Event) -> Generator[Chunk]:
    """An answer, for threads; the kit takes its place."""
    raise NotImplementedError


class BlockingClient(InProcessClient):
    """Does everything right, on threads."""

    stream_deltas = ProxyLLMClient.stream_deltas  # it has the twin alone

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Pieces]:
        """Ask, pass on what comes, close in any case, and at once if nobody waits any more."""
        stop = Event()
        call.on_abort(stop.set)  # before it is asked: it may work before it gives anything
        try:
            with closing(self.asked_blocking(request, call, stop)) as chunks:
                for chunk in chunks:
                    yield self.read_chunk(chunk, call)
            return
        except LibraryError as error:
            failed = self.failure(error.told)
        raise failed

    @staticmethod
    def part(part: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it was: this library takes images by their addresses."""
        return part

    def asked_blocking(self, request: ModelRequest, call: Call, stop: Event) -> Generator[Chunk]:
        """The library's answer, until it is told to stop."""
        key = call.credential().api_key.reveal()
        return generate(self.payload(request), key=key, stop=stop)


WIRE = InProcess(
    f"{REFERENCE_BLOCKING}:generate",
    stopped=lambda called: bool(called.kwargs["stop"].is_set()),
)

HARNESS = replace(reference_inprocess.HARNESS, wire=WIRE)
