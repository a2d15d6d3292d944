"""A socket that has been taken, with or without TLS; what a script does to connections is here.

Plain socket calls, not asyncio's transports: those close when and how they think best, and a
script wants to reset a connection, or to end one half of it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress

__all__ = ["Pipe"]

_READ = 1 << 14
"""Bytes of one read: what they hold is dealt with in one turn of the loop."""


class Pipe:
    """Bytes in and out, on the loop that made it.

    Args:
        client: the socket.
        tls: makes it TLS.
        sent: told how many bytes the system has taken; over TLS those of its records.
    """

    def __init__(
        self,
        client: socket.socket,
        *,
        tls: ssl.SSLContext | None = None,
        sent: Callable[[int], None] = lambda _: None,
    ) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = client
        self._sent = sent
        self._ready: asyncio.Event | None = None
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._writing = asyncio.Lock()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_side=True) if tls else None

    async def open(self) -> None:
        """Agree on TLS, if there is any.

        Raises:
            OSError: the client didn't, or has gone.
        """
        while self._tls is not None:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send(self._outgoing.read())
                await self._more()
            else:
                await self._send(self._outgoing.read())
                return

    async def read(self) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            OSError: the connection was reset.
        """
        if self._tls is None:
            return await self._loop.sock_recv(self._socket, _READ)
        while True:
            try:
                return self._tls.read(_READ)
            except ssl.SSLWantReadError:
                await self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""  # the end, in TLS's words or without any

    async def write(self, pieces: Iterable[bytes]) -> None:
        """Write bytes, each piece by itself, as fast as the client takes them.

        Nothing of another write comes between them.

        Raises:
            OSError: the connection was reset.
        """
        async with self._writing:
            for piece in pieces:
                await self._send(self._sealed(piece))

    def finish(self) -> None:
        """End this side's half of the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Reset the connection: whoever reads is woken up, and ``close`` does it."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._end(socket.SHUT_RD)

    def cut(self) -> None:
        """End both halves; whoever reads or writes is woken up."""
        self._end(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket; nobody may be reading any more."""
        self._socket.close()

    def _end(self, how: int) -> None:
        self._ended = True
        with suppress(OSError):
            self._socket.shutdown(how)
        if self._ready is not None:
            self._ready.set()

    def _sealed(self, data: bytes) -> bytes:
        if self._tls is None or not data:
            return data
        self._tls.write(data)
        return self._outgoing.read()

    async def _more(self) -> None:
        data = await self._loop.sock_recv(self._socket, _READ)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _send(self, data: bytes) -> None:
        # Before and not after it: who writes learns at once that the system has taken it all.
        await asyncio.sleep(0)
        view = memoryview(data)
        while view:
            if self._ended:
                raise ConnectionAbortedError("the connection was ended from this side")
            try:
                taken = self._socket.send(view)
            except BlockingIOError:
                await self._writable()
                continue
            self._sent(taken)
            view = view[taken:]

    async def _writable(self) -> None:
        if not self._ended:
            self._ready = asyncio.Event()
            self._loop.add_writer(self._socket, self._ready.set)
            try:
                await self._ready.wait()
            finally:
                self._ready = None
                self._loop.remove_writer(self._socket)
