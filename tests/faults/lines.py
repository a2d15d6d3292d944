"""Two kinds of lines for services of plain sockets: a WebSocket, and HTTP with SSE."""

from __future__ import annotations

import re
import socket
from typing import Protocol

from modelplug.testing.framing import sse
from modelplug.testing.steps import Lines
from tests.core.transport.peers import frame as ws_frame
from tests.faults.servers import agreed, closed, head_of

__all__ = ["HTTP", "HTTP_HEAD", "WEBSOCKET", "Line", "asked_of", "chunk"]

_LENGTH = re.compile(r"content-length: (\d+)", re.IGNORECASE)

HTTP_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
"""How a good response begins."""


class Line(Protocol):
    """How a service takes a question, and how messages stand on the wire.

    Attributes:
        scheme: of its addresses, where nothing is encrypted.
        end: the polite end, which isn't that of an answer.
        begun: the beginning of a frame, or of a chunk, of 32 KB.
    """

    scheme: str
    end: bytes
    begun: bytes

    def begin(self, connection: socket.socket) -> None:
        """Agree to what the client wants, read its question, and be about to answer."""

    def framed(self, message: bytes) -> bytes:
        """A message, as it is written."""


class _WebSocket:
    scheme = "ws"
    end = closed(1000)
    begun = b"\x81\x7e\x7f\xff"

    def begin(self, connection: socket.socket) -> None:
        agreed(connection)
        connection.recv(1 << 16)

    def framed(self, message: bytes) -> bytes:
        return ws_frame(message)


class _Http:
    scheme = "http"
    end = b"0\r\n\r\n"
    begun = b"7fff\r\n"

    def begin(self, connection: socket.socket) -> None:
        asked_of(connection)
        connection.sendall(HTTP_HEAD)

    def framed(self, message: bytes) -> bytes:
        return chunk(sse.message(message, Lines()))


WEBSOCKET: Line = _WebSocket()

HTTP: Line = _Http()


def asked_of(connection: socket.socket) -> None:
    """Read a whole request over HTTP.

    Raises:
        ConnectionError: the client left before its end.
    """
    found = _LENGTH.search(head_of(connection))
    left = int(found[1]) if found else 0
    while left:
        more = connection.recv(min(left, 1 << 16))
        if not more:
            raise ConnectionAbortedError
        left -= len(more)


def chunk(data: bytes) -> bytes:
    """Bytes of a response's body (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)
