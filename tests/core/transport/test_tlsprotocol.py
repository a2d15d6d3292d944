"""TLS over a connected socket, with a small buffer."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import weakref
from asyncio import sslproto
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from unittest.mock import Mock

import pytest

from modelplug.transport import tlsprotocol
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
        self.is_paused = False

    def pause_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """See ``asyncio.Protocol``."""
        self.is_paused = False

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


async def test_who_writes_learns_whether_the_peer_reads(certificates: Certificates) -> None:
    """Also of the one write that there is; and that it goes on."""
    sent, may_read = bytes(20_000_000), asyncio.Event()

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await may_read.wait()
        await reader.readexactly(len(sent))
        await silence(reader, writer)

    protocol = Reading()
    async with Peer(hesitate, tls=certificates.server) as peer, connected(peer) as connection:
        await secured(connection, protocol, certificates.client, host="127.0.0.1", timeout=None)
        assert protocol.transport is not None
        try:
            protocol.transport.write(sent)
            assert protocol.is_paused
            may_read.set()
            await until(lambda: not protocol.is_paused)
        finally:
            protocol.transport.abort()
            await protocol.over.wait()


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
        usual = getattr(sslproto.SSLProtocol, "max_size", None)  # without it asyncio has its way
        assert usual is None or len(below.get_buffer(-1)) < usual
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


async def test_a_protocol_that_can_not_be_made_leaves_no_socket(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no transport yet that would close it."""
    connection, other = socket.socketpair()
    monkeypatch.setattr(tlsprotocol, "_Frugal", Mock(side_effect=MemoryError))
    with other, pytest.raises(MemoryError):
        await secured(connection, Reading(), certificates.client, host="h", timeout=9)
    assert connection.fileno() == -1


async def test_a_failed_handshake_is_freed_at_once(certificates: Certificates) -> None:
    """No frame holds the error whose traceback holds it, and with it the protocol."""

    async def failed(connection: socket.socket) -> weakref.ref[Reading]:
        reading = Reading()
        with suppress(ssl.SSLCertVerificationError):
            await secured(connection, reading, certificates.client, host="a.example", timeout=9)
        return weakref.ref(reading)

    async with Peer(silence, tls=certificates.server) as peer, connected(peer) as connection:
        gc.disable()
        try:
            gone = await failed(connection)
            await until(lambda: gone() is None)
        finally:
            gc.enable()


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
