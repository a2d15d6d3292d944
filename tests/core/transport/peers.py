"""Servers that misbehave on purpose, and what else the tests of the transport share."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import os
import re
import socket
import ssl
import struct
import traceback
import types
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Self, TypeAlias, final

import trustme

from modelplug.conformance.calls import Swept
from modelplug.transport import Endpoint

Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TEXT, BINARY, CLOSE, PING, PONG, CONTINUED = 1, 2, 8, 9, 10, 0

GUARD = 30.0
"""Seconds after which a test that hangs is ended; nothing is measured by it."""


@final
class Certificates:
    """An authority that clients trust, and what its servers show."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.client = ssl.create_default_context(cafile=None)
        self.authority.configure_trust(self.client)
        self.server = self.server_for("127.0.0.1")

    def server_for(self, host: str) -> ssl.SSLContext:
        """The context of a server that is ``host``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(host).configure_cert(context)
        return context


class Peer:
    """A server on loopback that does to each connection what ``handler`` says."""

    def __init__(
        self, handler: Handler, *, tls: ssl.SSLContext | None = None, scheme: str = "ws"
    ) -> None:
        self.connections = 0
        self._scheme = f"{scheme}s" if tls else scheme
        self._handler = handler
        self._tls = tls
        self._tasks: list[asyncio.Task[None]] = []
        self._limit = asyncio.timeout(GUARD)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, backlog=1024, ssl=self._tls
        )
        port: int = self._server.sockets[0].getsockname()[1]
        self.endpoint = Endpoint(scheme=self._scheme, host="127.0.0.1", port=port, path="/chat")
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        await turns(5)  # in which whoever has just connected arrives: asyncio would lose it
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._limit.__aexit__(kind, error, trace)

    async def gone(self) -> None:
        """Wait until the handler of every connection has come to its end."""
        await asyncio.gather(*self._tasks)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.append(asyncio.ensure_future(self._handle(reader, writer)))

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, ssl.SSLError):
                await self._handler(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Agree to the handshake; the request that came."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.write(agreement(request))
    return request


def agreement(request: str, extra: str = "") -> bytes:
    """The answer that opens a WebSocket (RFC 6455, section 4.2.2)."""
    key = request.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
    magic = f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()
    proof = base64.b64encode(hashlib.sha1(magic, usedforsecurity=False).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {proof}\r\n{extra}\r\n"
    ).encode()


def frame(payload: bytes = b"", *, opcode: int = TEXT, fin: bool = True) -> bytes:
    """A server's frame, written without the library that reads it (RFC 6455, section 5.2)."""
    size = len(payload)
    head = bytes([fin << 7 | opcode])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 1 << 16:
        return head + bytes([126]) + struct.pack("!H", size) + payload
    return head + bytes([127]) + struct.pack("!Q", size) + payload


def closing(code: int = 1000, reason: str = "") -> bytes:
    """A close frame."""
    return frame(struct.pack("!H", code) + reason.encode(), opcode=CLOSE)


def reset(writer: asyncio.StreamWriter) -> None:
    """Cut the connection with RST."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read, answer nothing, until the client has gone."""
    while await reader.read(1 << 16):
        pass


def saying(*parts: bytes, then: Handler = silence) -> Handler:
    """A handler that agrees, reads the first message and answers with ``parts`` in one write."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await reader.read(1 << 16)
        writer.write(b"".join(parts))
        await writer.drain()
        await then(reader, writer)

    return handler


def answering(answer: bytes, *, hold: bool = False) -> Handler:
    """A handler that answers the handshake with ``answer`` and hangs up, or holds the line."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if hold:
            await silence(reader, writer)

    return handler


async def requested(reader: asyncio.StreamReader) -> bytes:
    """A request over HTTP, as it came."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = re.search(rb"content-length: (\d+)", head)
    return head + (await reader.readexactly(int(size[1])) if size else b"")


def responding(*responses: bytes, then: Handler = silence) -> Handler:
    """A handler that answers each request over HTTP with the next of ``responses``."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for response in responses:
            try:
                await requested(reader)
            except asyncio.IncompleteReadError:
                return  # the client has left
            writer.write(response)
            await writer.drain()
        await then(reader, writer)

    return handler


def chunked(*chunks: bytes, end: bool = True, head: bytes = b"") -> bytes:
    """A response over HTTP in chunks, written without the library that reads it."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n"
    return start + body + (b"0\r\n\r\n" if end else b"")


def sized(body: bytes = b"", *, status: int = 200, head: bytes = b"") -> bytes:
    """A response over HTTP that tells its length."""
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), head, body)


def cancelled_at(wait: int, main: Coroutine[object, None, object]) -> Swept:
    """``main``, to be awaited; the task is cancelled when it waits for the ``wait``-th time."""
    return Swept(main, wait)


async def turns(count: int) -> None:
    """Let the event loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop go round until ``holds``."""
    async with asyncio.timeout(GUARD):
        while not holds():  # noqa: ASYNC110  # nothing tells of a descriptor that is closed
            await asyncio.sleep(0)


def open_descriptors() -> int:
    """How many files and sockets this process has open, once what is garbage is gone."""
    gc.collect()
    return len(os.listdir("/dev/fd"))


def everything_told(error: BaseException) -> str:
    """All that an error shows: its text, its fields, and its traceback with locals."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([*told.format(), repr(error), str(vars(error)), *map(repr, error.args)])
