"""Services below any protocol: threads with plain sockets, which do what a test says."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

from tests.core.transport.peers import agreement, closing

__all__ = [
    "Handler",
    "Server",
    "agreed",
    "closed",
    "gone",
    "head_of",
    "hold",
    "reset",
    "turned_away",
]

Handler: TypeAlias = Callable[[socket.socket], None]
"""What is done to one connection; it is closed afterwards."""

_PATIENCE = 30.0
"""Seconds after which a test that hangs is ended; nothing is measured by it."""


class Server:
    """Does to each connection what the handlers say, in turn; the last one serves all others.

    Attributes:
        seen: how many connections there were.
    """

    def __init__(
        self,
        *handlers: Handler,
        tls: Iterable[ssl.SSLContext] = (),
        listener: socket.socket | None = None,
    ) -> None:
        self.seen = 0
        self._handlers = handlers
        self._tls = list(tls)
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=128)
        self._accepting = threading.Thread(target=self._accept, name="faulty-service")
        self._serving: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return bool(self._tls)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
        self._accepting.join(_PATIENCE)
        self._listener.close()
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self.wait_gone()

    def wait_gone(self) -> bool:
        """Wait until every connection is over, as seen from here; whether all are."""
        for thread in self._serving:
            thread.join(_PATIENCE)
        return not any(thread.is_alive() for thread in self._serving)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(_PATIENCE)
                number, self.seen = self.seen, self.seen + 1
                thread = threading.Thread(
                    target=self._serve, args=(connection, number), name="faulty-connection"
                )
                with self._lock:
                    self._open.add(connection)
                self._serving.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        handler = self._handlers[min(number, len(self._handlers) - 1)]
        try:
            with suppress(OSError):
                if self._tls:
                    context = self._tls[min(number, len(self._tls) - 1)]
                    with context.wrap_socket(connection, server_side=True) as secured:
                        handler(secured)
                else:
                    handler(connection)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


def head_of(connection: socket.socket) -> str:
    """The request of a handshake.

    Raises:
        ConnectionError: the client left before its end.
    """
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            raise ConnectionAbortedError
        received += more
    return received.decode()


def agreed(connection: socket.socket, extra: str = "") -> None:
    """Agree to a WebSocket."""
    connection.sendall(agreement(head_of(connection), extra))


def gone(connection: socket.socket) -> None:
    """Read until the client has left."""
    while connection.recv(1 << 16):
        pass


def hold(connection: socket.socket) -> None:
    """Not a word, until the client has left."""
    gone(connection)


def reset(connection: socket.socket) -> None:
    """Reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def turned_away(status: str, body: bytes = b"", *headers: str) -> Handler:
    """An HTTP answer instead of a WebSocket."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]

    def handler(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall("\r\n".join(lines).encode() + body)
        gone(connection)

    return handler


def closed(code: int) -> bytes:
    """A close frame."""
    return closing(code)
