"""Who is asked: Spark's client, and clients that aren't Spark's over other wires, or none.

All of them play the same scripts, so that what a fault must be to its caller is written once.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelplug import (
    AuthenticationError,
    BackendError,
    Call,
    Delta,
    Finish,
    HandshakeError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    RateLimitError,
    ServerError,
    TruncatedStreamError,
)
from modelplug.testing.codec import Codec, RawRequest, said
from modelplug.testing.http import HttpUpstream
from modelplug.testing.upstream import Upstream, Wire
from modelplug.testing.websocket import WebSocketUpstream
from modelplug.transport.handshake import Refusal
from modelplug.transport.websocket import WebSocket
from modelplug_spark.codec import SparkCodec
from tests.core.conformance import (
    reference,
    reference_blocking,
    reference_inprocess,
    reference_sse,
)
from tests.core.conformance.reference import ReferenceClient
from tests.faults.lines import HTTP, WEBSOCKET, Line
from tests.faults.servers import Handler, Server, gone
from tests.support import spark
from tests.support.spark import KEY

__all__ = [
    "ALL",
    "CARRIERS",
    "REMOTE",
    "WEBSOCKETS",
    "Carrier",
    "HttpClient",
    "over",
]

_STATUSES: dict[int, type[BackendError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    429: RateLimitError,
    500: ServerError,
    502: OverloadedError,
    503: OverloadedError,
    504: OverloadedError,
}


class _Plugin(ReferenceClient):
    """A stranger's plugin, with its own idea of HTTP's statuses."""

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """The error for a status."""
        kind = _STATUSES.get(refusal.status)
        if kind is None:
            return HandshakeError("this is no answer", status=refusal.status)
        error = kind("refused")
        error.complete(provider_code=refusal.status, retry_after=refusal.retry_after)
        return error


class WebSocketClient(_Plugin):
    """One over a WebSocket, which knows what close codes mean (RFC 6455, section 7.4.1)."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """What the messages say, until the service closes, and why it does."""
        while messages := await ws.take():
            for message in messages:
                for piece in self.read(message, call):
                    yield piece
        is_refusal = ws.close_code in (1003, 1008, 1009)
        raise TruncatedStreamError("the service closed", retryable=not is_refusal)


class HttpClient(_Plugin, reference_sse.SseClient):
    """One over HTTP, with SSE."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Carrier:
    """A client, and what carries its questions and answers.

    Attributes:
        name: as the table has it.
        make: a client of the service at an address; further params by name.
        codec: the service's words.
        wire: makes a service that plays scripts.
        line: of services below that; None where nothing goes over a wire.
        key: the name of the param with the key.
    """

    name: str
    make: Callable[..., ProxyLLMClient] = field(repr=False)
    codec: Codec = field(repr=False)
    wire: Wire = field(repr=False)
    line: Line | None = field(repr=False, default=None)
    key: str = field(repr=False, default="proxy_api_key")

    def client(self, service: Upstream | Server | str, **params: object) -> ProxyLLMClient:
        """A client of a service, or of whatever is at a URL."""
        url = self.url(service) if isinstance(service, Server) else service
        return self.make(url.url if isinstance(url, Upstream) else url, **params)

    def url(self, server: Server) -> str:
        """The address of a service of plain sockets, encrypted if it is."""
        return f"{self.scheme(secure=server.secure)}://127.0.0.1:{server.port}"

    def scheme(self, *, secure: bool = False) -> str:
        """Of its addresses."""
        return self._line.scheme + ("s" if secure else "")

    def framed(self, *steps: str | Delta | Finish | bytes) -> bytes:
        """Pieces of an answer, or messages as they are, as they are written."""
        encoder = self.codec.encoder(RawRequest(target=""))
        messages: list[bytes] = []
        for step in steps:
            messages += [step] if isinstance(step, bytes) else said(step, encoder)
        return b"".join(map(self._line.framed, messages))

    def saying(self, *steps: str | Delta | Finish | bytes, then: Handler = gone) -> Handler:
        """Takes the question, says these in one go, and goes on with ``then``."""
        written = self.framed(*steps)

        def handler(connection: socket.socket) -> None:
            self._line.begin(connection)
            connection.sendall(written)
            then(connection)

        return handler

    @property
    def answer(self) -> Handler:
        """Gives a good answer."""
        return self.saying("fine", Finish())

    @property
    def end(self) -> bytes:
        """The polite end of what it says, which isn't that of an answer."""
        return self._line.end

    @property
    def begun(self) -> bytes:
        """The beginning of what is written for a message of 32 KB."""
        return self._line.begun

    @property
    def _line(self) -> Line:
        assert self.line is not None
        return self.line


def _maker(kind: type[ProxyLLMClient]) -> Callable[..., ProxyLLMClient]:
    def make(url: str, **params: Any) -> ProxyLLMClient:
        fields = {"proxy_api_base": url, "proxy_api_key": KEY, **params}
        return kind.new_client(ProxyModelParameters(**fields))

    return make


CARRIERS = {
    each.name: each
    for each in (
        Carrier(
            name="spark",
            make=spark.client_of,
            codec=SparkCodec(),
            wire=WebSocketUpstream,
            line=WEBSOCKET,
            key="api_key",
        ),
        Carrier(
            name="websocket",
            make=_maker(WebSocketClient),
            codec=reference.Codec(),
            wire=WebSocketUpstream,
            line=WEBSOCKET,
        ),
        Carrier(
            name="http",
            make=_maker(HttpClient),
            codec=reference.Codec(),
            wire=HttpUpstream,
            line=HTTP,
        ),
        Carrier(
            name="library",
            make=_maker(reference_inprocess.InProcessClient),
            codec=reference_inprocess.Codec(),
            wire=reference_inprocess.HARNESS.wire,
        ),
        Carrier(
            name="blocking library",
            make=_maker(reference_blocking.BlockingClient),
            codec=reference_inprocess.Codec(),
            wire=reference_blocking.WIRE,
        ),
    )
}

REMOTE = ("spark", "http")
"""One of each kind of wire."""

WEBSOCKETS = ("spark", "websocket")
"""For what only a WebSocket has."""

ALL = (*REMOTE, "library", "blocking library")
"""One of each kind, with a wire or without."""


def over(*names: str) -> pytest.MarkDecorator:
    """Run a test over each of these carriers, its argument ``carrier``."""
    carriers: Sequence[Carrier] = [CARRIERS[name] for name in names]
    return pytest.mark.parametrize("carrier", carriers, ids=names)
