"""A connection that was taken, whatever is spoken on it: reading, writing, ending, observation."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from abc import ABC, abstractmethod

from modelplug.testing.exchange import Exchange
from modelplug.testing.pipe import Pipe

__all__ = ["TakenConnection"]


class TakenConnection(ABC):
    """A connection, from when it is taken on.

    Attributes:
        exchange: what was seen of the client; over HTTP of the latest request.
    """

    def __init__(self, client: socket.socket, tls: ssl.SSLContext | None, *, number: int) -> None:
        self.exchange = Exchange(connection=number)
        self._pipe = Pipe(client, tls=tls, sent=self._sent)

    async def watch(self) -> None:
        """Read until the client's end is closed."""
        try:
            await self._open()
            while data := await self._pipe.read():
                await self._received(data)
                await asyncio.sleep(0)  # a client that floods isn't the only one
            self.exchange.ended("client", "fin")
        except ssl.SSLError:
            self.exchange.ended("server", "tls")
        except OSError:
            self.exchange.ended("client", "rst")

    def _sent(self, count: int) -> None:
        self.exchange.sent(count)  # of the one that it is by then

    @abstractmethod
    async def _received(self, data: bytes) -> None:
        """Take the next bytes."""

    async def _open(self) -> None:
        try:
            await self._pipe.open()
        except ssl.SSLEOFError:
            self.exchange.ended("client", "fin")
            raise
        except ssl.SSLError:
            self.exchange.ended("client", "tls")
            raise

    def finish(self) -> None:
        """End the connection from this side, without a word."""
        self.exchange.ended("server", "fin")
        self._pipe.finish()

    def reset(self) -> None:
        """Reset the connection."""
        self.exchange.ended("server", "rst")
        self._pipe.reset()

    def cut(self) -> None:
        """End the connection at once, in both directions."""
        self.exchange.ended("server", "fin")
        self._pipe.cut()

    def drop(self) -> None:
        """Let go of the socket; nobody may be reading or writing any more."""
        self._pipe.close()
        self.exchange.gone()

    async def write(self, *pieces: bytes) -> None:
        """Write bytes, each piece in a write of its own, as fast as the client takes them."""
        if self.exchange.messages and any(pieces):
            self.exchange.first_sent = self.exchange.first_sent or time.monotonic()
        try:
            await self._pipe.write(pieces)
        except OSError:
            # Told to whoever meets it first: watch() may only see an end, which ends this, too.
            self.exchange.ended("client", "rst")
            await asyncio.Future()
