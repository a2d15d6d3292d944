"""The service behind the parrot of ``distributions``: it says what a test has it say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Speaker", "speaking"]


class Speaker:
    """A service with one connection at a time; what it says is one delta a line."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._connection: socket.socket | None = None
        self.config = f"parrot:{server.getsockname()[1]}"

    def say(self, text: str) -> None:
        """Send a line to the one who asks."""
        self._connected().sendall(text.encode())

    def await_question(self) -> None:
        """Wait until somebody asks."""
        self._connected()

    def hears_the_end(self) -> bool:
        """Wait until the one who asks has hung up."""
        try:
            return self._connected().recv(1) == b""
        except ConnectionResetError:
            return True
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        """End the answer; the next one comes over another connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self) -> socket.socket:
        if self._connection is None:
            self._connection, _ = self._server.accept()
            self._connection.settimeout(60)
        return self._connection


@contextmanager
def speaking() -> Iterator[Speaker]:
    """One that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        speaker = Speaker(server)
        try:
            yield speaker
        finally:
            speaker.hang_up()
