"""TLS over a connected socket, with a small buffer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from modelplug.transport.tlsprotocol import secured
from tests.core.transport.peers import (
    Certificates,
    Peer,
    cancelled_at,
    open_descriptors,
    silence,
    until,
)


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    """An authority for this module."""
    return Certificates()


class Reading(asyncio.Protocol):
    """Keeps what comes, until the end of the connection."""

    def __init__(self) -> None:
        self.received = b""
        self.transport: asyncio.Transport | None = None
        self.over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self.over.set()


LONG = 300_000
"""Bytes; many TLS records, and many times the buffer."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back so much, and stay."""
    writer.write(await reader.readexactly(LONG))
    await silence(reader, writer)


@asynccontextmanager
async def connected(peer: Peer) -> AsyncIterator[socket.socket]:
    """A socket to a peer, which whoever uses it has to close."""
    connection = socket.socket()
    connection.setblocking(False)
    address = peer.endpoint.host, peer.endpoint.port
    await asyncio.get_running_loop().sock_connect(connection, address)
    yield connection


async def test_what_is_much_longer_than_the_buffer_comes_whole(certificates: Certificates) -> None:
    """Both ways, over several records and reads."""
    sent = b"abc" * (LONG // 3)
    async with Peer(echo, tls=certificates.server) as peer, connected(peer) as connection:
        reading = Reading()
        await secured(connection, reading, certificates.client, host="127.0.0.1", timeout=None)
        assert reading.transport is not None
        reading.transport.write(sent)
        await until(lambda: len(reading.received) == len(sent))
        assert sent == reading.received
        reading.transport.abort()
        await reading.over.wait()


async def test_the_buffer_is_small_for_these_connections_alone(certificates: Certificates) -> None:
    """A quarter of a megabyte for each would be most of what an open stream takes."""
    async with Peer(echo, tls=certificates.server) as peer, connected(peer) as connection:
        reading = Reading()
        await secured(connection, reading, certificates.client, host="127.0.0.1", timeout=None)
        assert reading.transport is not None
        below = reading.transport._ssl_protocol  # type: ignore[attr-defined]  # asyncio's own
        assert len(below.get_buffer(-1)) == 8192
        assert sslproto.SSLProtocol.max_size == 262_144
        reading.transport.abort()
        await reading.over.wait()


async def test_another_hosts_certificate_is_refused(certificates: Certificates) -> None:
    """The socket is closed then."""
    before = open_descriptors()
    async with Peer(echo, tls=certificates.server) as peer, connected(peer) as connection:
        refused = secured(connection, Reading(), certificates.client, host="a.example", timeout=9)
        with pytest.raises(ssl.SSLCertVerificationError):
            await refused
    await until(lambda: before == open_descriptors())


async def test_cancelled_at_every_wait(certificates: Certificates) -> None:
    """The socket is closed then, and nothing is logged of it."""
    for wait in range(1, 3):
        before = open_descriptors()
        async with Peer(echo, tls=certificates.server) as peer, connected(peer) as connection:
            opening = secured(
                connection, Reading(), certificates.client, host="127.0.0.1", timeout=None
            )
            with pytest.raises(asyncio.CancelledError):
                await cancelled_at(wait, opening)
        await until(lambda before=before: before == open_descriptors())  # type: ignore[misc]
