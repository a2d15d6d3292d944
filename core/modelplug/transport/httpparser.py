"""One response of HTTP/1.1 without I/O: bytes in; status, headers, pieces of the body, its end.

The grammar is llhttp's, strict as it is by default. What is added: limits, what responses may
not have here (two lengths, a coding), where the body ends, and one error for each way to fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from modelplug.errors import (
    ConnectionLostError,
    HandshakeError,
    MissingDependencyError,
    ProtocolError,
    ProxyLLMError,
)
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.faults import lost

try:
    from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
except ImportError:
    raise MissingDependencyError(
        "the httptools package is missing, or too old", hint='pip install "modelplug[http]"'
    ) from None

__all__ = ["HEADER_LINES", "HEAD_LIMIT", "ResponseParser"]

HEAD_LIMIT = 65_536
"""Bytes of a head, those of interim responses before it included."""

HEADER_LINES = 100
"""Lines of headers, those of interim responses included."""

_BEGIN, _VERSIONS = b"HTTP/", ("1.0", "1.1")
"""What a response begins with (RFC 9112, section 4)."""

_BARREN_LIMIT = 65_536
"""Bytes without any of the body: the extensions of chunks, and the trailers after them."""

_IDLE_SECONDS = 15.0
"""How long a connection is kept at most. Servers' own limits are 5 to 75 s as a rule."""

_IDLE_MARGIN = 1.0
"""Seconds before the server's own limit: it must not hang up while a request is on its way."""

_TIMEOUT = re.compile(r"(?:^|[,;\s])timeout\s*=\s*([0-9]{1,6})", re.ASCII | re.IGNORECASE)


class _StopError(Exception):
    """Ends llhttp's run from within a callback."""


class ResponseParser:
    """A response, from its first byte to its last.

    Args:
        endpoint: for what errors tell.

    Attributes:
        status: 0 before the head is there.
        headers: names in lower case, values as Latin-1.
        pieces: of the body, in order; the owner takes them out.
        has_head: whether status and headers are there, and good.
        is_complete: whether the body is whole.
        idle_seconds: how long the connection may be kept for the next request; 0 for not at all.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.has_head = False
        self.is_complete = False
        self.idle_seconds = 0.0
        self._endpoint = endpoint
        self._head_size = 0
        self._lines = 0
        self._barren = 0
        self._begun = b""
        self._is_interim = False
        self._ends_with_connection = False
        self._fault: Callable[[], ProxyLLMError] | None = None
        # Bound here, so that llhttp calls no Python for a piece.
        self.on_body = self.pieces.append
        self._http = HttpResponseParser(self)

    @property
    def has_failed(self) -> bool:
        """Whether it has ended before its end."""
        return self._fault is not None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.is_complete or self._fault is not None

    @property
    def is_encoded(self) -> bool:
        """Whether the body has a coding, which nobody asked for."""
        return self.headers.get("content-encoding", "identity").strip().lower() != "identity"

    def failure(self) -> ProxyLLMError | None:
        """A new error for how it failed; None if it hasn't."""
        return None if self._fault is None else self._fault()

    def taken(self) -> bytes:
        """What there is of the body since the last time."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return data

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self.has_head and not self.has_ended:
            if len(self._begun) < len(_BEGIN):
                self._begun = (self._begun + data).lstrip(b"\r\n")[: len(_BEGIN)]
            room = HEAD_LIMIT - self._head_size
            self._head_size += len(data)
            self._parse(data[:room])
            data = data[room:]
            if data and not self.has_head:
                self._fail(partial(HandshakeError, f"{self._endpoint} sent an endless head"))
        if not data:
            return
        if self.has_ended:
            self.idle_seconds = 0.0  # nobody has asked for that
        else:
            self._parse(data)

    def feed_eof(self) -> None:
        """The server sends nothing more."""
        if self._ends_with_connection and not self.has_ended:
            self.is_complete = True
            del self._http
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """The connection was cut, by ``error`` or for no reason that is known."""
        self.idle_seconds = 0.0
        self._fail(partial(ConnectionLostError, lost(error, self._endpoint)))

    def cut(self) -> None:
        """The connection is going to be cut from this side."""
        self.idle_seconds = 0.0
        wrong = f"the connection to {self._endpoint} was cut from this side"
        self._fail(partial(ConnectionLostError, wrong))

    # llhttp calls these, and on_body.

    def on_message_begin(self) -> None:
        """Stop at what comes after the response: nobody has asked for it."""
        if self.is_complete:
            raise _StopError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one that comes after the body is counted by its bytes alone."""
        if self.has_head:
            return
        self._lines += 1
        if self._lines > HEADER_LINES:
            told = f"{self._endpoint} sent more than {HEADER_LINES} headers"
            self._stop(partial(HandshakeError, told))
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1").strip(" \t")
        before = self.headers.get(key)
        self.headers[key] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """Judge the head; one of an interim response is nothing (RFC 9110, section 15.2)."""
        status = self._http.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._is_interim = True
            self.headers.clear()
            # Whether the connection lasts is for the response to say, which is still to come.
            self._http.set_dangerous_leniencies(lenient_keep_alive=True)
            return
        self._http.set_dangerous_leniencies(lenient_keep_alive=False)
        self.status = status
        if wrong := self._wrong():
            self._stop(partial(ProtocolError, f"{self._endpoint} sent {wrong}"))
        self.has_head = True
        has_length = not self.headers.keys().isdisjoint({"content-length", "transfer-encoding"})
        self._ends_with_connection = not has_length
        if self._http.should_keep_alive():
            self.idle_seconds = _idle_seconds(self.headers.get("keep-alive", ""))

    def on_message_complete(self) -> None:
        """The body is whole, unless that was an interim response."""
        if not self._is_interim:
            self.is_complete = True
        self._is_interim = False

    def _wrong(self) -> str | None:
        """What a head has that no response here may have."""
        if self._begun != _BEGIN or self._http.get_http_version() not in _VERSIONS:
            return "an answer in another protocol"  # llhttp takes RTSP, ICE and HTTP/2.0, too
        if self.status < 100:
            return "a status that is none"  # llhttp takes any three digits
        coding = self.headers.get("transfer-encoding")
        if coding is not None and "content-length" in self.headers:
            # Two who read this may find two ends of it (RFC 9112, section 6.1).
            return "a body with two lengths"
        if coding is not None and coding.lower() != "chunked":
            return "a body with a transfer coding that nobody asked for"
        if 200 <= self.status < 300 and self.is_encoded:
            return "a compressed body, which nobody asked for"
        return None

    def _parse(self, data: bytes) -> None:
        had_head, before, told = self.has_head, len(self.pieces), ""
        try:
            self._http.feed_data(data)
        except HttpParserUpgrade:
            self.idle_seconds = 0.0  # 101: whatever follows is no HTTP
        except HttpParserError as error:
            told = f"{type(error).__name__}: {error}"
        if self.is_complete:
            del self._http  # it holds us
            self.idle_seconds = 0.0 if told else self.idle_seconds
        elif told:
            # Not kept: the error's context may hold bytes, and frames. The words are llhttp's own.
            self._fail(partial(ProtocolError, f"{self._endpoint} broke HTTP ({told})"))
        elif had_head:
            self._watch(0 if len(self.pieces) > before else len(data))

    def _watch(self, barren: int) -> None:
        """End a response that goes on without a body."""
        self._barren = self._barren + barren if barren else 0
        if self._barren > _BARREN_LIMIT:
            self._fail(partial(ProtocolError, f"{self._endpoint} sent endless chunk extensions"))

    def _stop(self, fault: Callable[[], ProxyLLMError]) -> None:
        self._fail(fault)
        raise _StopError

    def _fail(self, fault: Callable[[], ProxyLLMError]) -> None:
        if not self.has_ended:
            self._fault = fault
            self.idle_seconds = 0.0
            del self._http  # it holds us


def _idle_seconds(keep_alive: str) -> float:
    """How long to keep a connection, by what the server says of it.

    That header is in no standard any more, but servers send it, and mean seconds (RFC 2068,
    section 19.7.1.1).
    """
    found = _TIMEOUT.search(keep_alive)
    if found is None:
        return _IDLE_SECONDS
    return max(0.0, min(_IDLE_SECONDS, float(found[1]) - _IDLE_MARGIN))
