"""A taken socket, with and without TLS, as its peer sees it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from modelplug.testing.certificate import LocalCertificate, local_certificate
from modelplug.testing.pipe import Pipe

MUCH = 4 << 20
"""More bytes than two sockets hold."""

Pair = tuple[socket.socket, socket.socket]

ways = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


@pytest.fixture(scope="module")
def certificate() -> Iterator[LocalCertificate]:
    """A certificate that a peer can be told to trust."""
    with local_certificate() as made:
        yield made


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a connection: the one that was taken, and its peer's."""
    with ExitStack() as open_sockets, socket.create_server(("127.0.0.1", 0)) as server:
        peer = open_sockets.enter_context(socket.create_connection(server.getsockname(), 10))
        taken = open_sockets.enter_context(server.accept()[0])
        yield taken, peer


@asynccontextmanager
async def connected(
    pair: Pair,
    certificate: LocalCertificate,
    *,
    secure: bool,
    sent: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[tuple[Pipe, socket.socket]]:
    """An open pipe and its peer, which the standard library serves."""
    taken, peer = pair
    pipe = Pipe(taken, tls=certificate.context if secure else None, sent=sent)
    if secure:
        trust = ssl.create_default_context(cafile=certificate.ca_file)
        wrap = asyncio.to_thread(trust.wrap_socket, peer, server_hostname="localhost")
        peer, _ = await asyncio.gather(wrap, pipe.open())
    else:
        await pipe.open()
    with peer:
        yield pipe, peer


def read_all(peer: socket.socket) -> bytes:
    """All that comes until the end."""
    said = bytearray()
    while piece := peer.recv(1 << 16):
        said += piece
    return bytes(said)


def hang_up(peer: socket.socket) -> None:
    """End one half of a connection, in no words of TLS."""
    peer.shutdown(socket.SHUT_WR)


def reset(peer: socket.socket) -> None:
    """Reset a connection."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@ways
async def test_bytes_go_both_ways(
    pair: Pair, certificate: LocalCertificate, *, secure: bool
) -> None:
    """And are the same, once both have agreed on TLS or on none."""
    async with connected(pair, certificate, secure=secure) as (pipe, peer):
        peer.sendall(b"ping")
        assert await pipe.read() == b"ping"
        await pipe.write([b"po", b"", b"ng"])
        assert [await asyncio.to_thread(peer.recv, 2) for _ in range(2)] == [b"po", b"ng"]


async def test_an_untold_peer_refuses_the_certificate(
    pair: Pair, certificate: LocalCertificate
) -> None:
    """Which is an error at this end too."""
    taken, peer = pair
    trust = ssl.create_default_context()
    opening = asyncio.ensure_future(Pipe(taken, tls=certificate.context).open())
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(trust.wrap_socket, peer, server_hostname="localhost")
    with pytest.raises(OSError, match=r"(?i)alert"):
        await opening


@pytest.mark.parametrize(
    "junk",
    [b"GET /chat HTTP/1.1\r\n\r\n", b"\x00" * 64, b"\x16\x03\x01\x00\xffjunk", b""],
    ids=["plain", "zeros", "half-a-record", "nothing"],
)
async def test_a_peer_that_speaks_no_tls_is_an_error(
    pair: Pair, certificate: LocalCertificate, junk: bytes
) -> None:
    """A plain client, junk, a handshake that breaks off, or none."""
    taken, peer = pair
    peer.sendall(junk)
    hang_up(peer)
    with pytest.raises(OSError, match="SSL"):
        await Pipe(taken, tls=certificate.context).open()


async def test_junk_after_the_handshake_is_an_error(
    pair: Pair, certificate: LocalCertificate
) -> None:
    """What can't be deciphered is nothing that a client said, and no end either."""
    async with connected(pair, certificate, secure=True) as (pipe, peer):
        with socket.socket(fileno=peer.detach()) as bare:
            bare.sendall(b"no TLS at all")
            with pytest.raises(ssl.SSLError):
                await pipe.read()


@ways
async def test_the_peers_end_is_read(
    pair: Pair, certificate: LocalCertificate, *, secure: bool
) -> None:
    """As nothing, with or without TLS's own words for it."""
    async with connected(pair, certificate, secure=secure) as (pipe, peer):
        hang_up(peer)
        assert await pipe.read() == b""


async def test_tls_says_goodbye(pair: Pair, certificate: LocalCertificate) -> None:
    """A peer that ends TLS, but not its connection, has ended."""
    async with connected(pair, certificate, secure=True) as (pipe, peer):
        assert isinstance(peer, ssl.SSLSocket)
        leaving = asyncio.ensure_future(asyncio.to_thread(peer.unwrap))
        assert await pipe.read() == b""
        pipe.cut()
        with pytest.raises(OSError, match="EOF"):
            await leaving  # the pipe has no words for it


@ways
@pytest.mark.parametrize(
    "doing", [Pipe.read, lambda pipe: pipe.write([bytes(4 * MUCH)])], ids=["read", "write"]
)
async def test_a_reset_is_an_error(
    pair: Pair,
    certificate: LocalCertificate,
    doing: Callable[[Pipe], Coroutine[None, None, object]],
    *,
    secure: bool,
) -> None:
    """To whoever reads, and to whoever writes."""
    async with connected(pair, certificate, secure=secure) as (pipe, peer):
        waiting = asyncio.ensure_future(doing(pipe))
        await asyncio.sleep(0)
        reset(peer)
        with pytest.raises(ConnectionError):
            await waiting


@ways
async def test_writes_do_not_mix(
    pair: Pair, certificate: LocalCertificate, *, secure: bool
) -> None:
    """However long one has to wait in its middle, nothing of another comes between."""
    async with connected(pair, certificate, secure=secure) as (pipe, peer):
        reading = asyncio.ensure_future(asyncio.to_thread(read_all, peer))
        pieces = [[each * (MUCH // 8)] * 8 for each in (b"a", b"b", b"c")]
        await asyncio.gather(*map(pipe.write, pieces))
        pipe.finish()
        assert await reading == b"".join(map(b"".join, pieces))


@ways
async def test_a_peer_that_reads_nothing_holds_a_write_back(
    pair: Pair, certificate: LocalCertificate, *, secure: bool
) -> None:
    """Only what the system took is counted; the rest comes as the peer reads on."""
    sent: list[int] = []
    async with connected(pair, certificate, secure=secure, sent=sent.append) as (pipe, peer):
        writing = asyncio.ensure_future(pipe.write([bytes(4 * MUCH)]))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(writing), 0.05)
        assert 0 < sum(sent) < 4 * MUCH
        reading = asyncio.ensure_future(asyncio.to_thread(read_all, peer))
        await writing
        pipe.finish()
        assert len(await reading) == 4 * MUCH <= sum(sent)


async def test_a_write_that_is_given_up_leaves_nothing_on_the_loop(pair: Pair) -> None:
    """The socket can be closed, and the next one of its number be waited for."""
    pipe = Pipe(pair[0])
    writing = asyncio.ensure_future(pipe.write([bytes(4 * MUCH)]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writing, 0.05)
    assert not asyncio.get_running_loop().remove_writer(pair[0])


@ways
async def test_finish_ends_one_half(
    pair: Pair, certificate: LocalCertificate, *, secure: bool
) -> None:
    """The peer reads all that was written and then the end, and may still speak."""
    async with connected(pair, certificate, secure=secure) as (pipe, peer):
        await pipe.write([b"bye"])
        pipe.finish()
        assert await asyncio.to_thread(peer.recv, 3) == b"bye"
        peer.sendall(b"wait")
        assert await pipe.read() == b"wait"
        assert await asyncio.to_thread(read_all, peer) == b""


@ways
async def test_cut_ends_both_halves(
    pair: Pair, certificate: LocalCertificate, *, secure: bool
) -> None:
    """For the peer, and for whoever reads here."""
    async with connected(pair, certificate, secure=secure) as (pipe, peer):
        waiting = asyncio.ensure_future(pipe.read())
        await asyncio.sleep(0)
        pipe.cut()
        assert (await waiting, await asyncio.to_thread(read_all, peer)) == (b"", b"")


@ways
async def test_reset_resets(pair: Pair, certificate: LocalCertificate, *, secure: bool) -> None:
    """Whoever reads here is woken up; the peer sees it once the socket is closed."""
    async with connected(pair, certificate, secure=secure) as (pipe, peer):
        waiting = asyncio.ensure_future(pipe.read())
        await asyncio.sleep(0)
        pipe.reset()
        assert await waiting == b""
        pipe.close()
        # Without TLS around it: OpenSSL may call a reset an end.
        with socket.socket(fileno=peer.detach()) as bare, pytest.raises(ConnectionResetError):
            await asyncio.to_thread(read_all, bare)


async def test_an_end_that_comes_late_is_none(pair: Pair) -> None:
    """The peer has gone already: there is nothing to end."""
    pipe = Pipe(pair[0])
    reset(pair[1])
    with pytest.raises(ConnectionResetError):
        await pipe.read()
    for end in (pipe.finish, pipe.cut, pipe.reset, pipe.close):
        end()


@pytest.mark.parametrize(
    "pieces", [[bytes(64 * MUCH)], [b"x", bytes(64 * MUCH)]], ids=["within", "between"]
)
async def test_ending_it_ends_a_write(pair: Pair, pieces: list[bytes]) -> None:
    """A peer that neither reads nor leaves holds nobody up, within a piece or between two."""
    pipe = Pipe(pair[0])
    writing = asyncio.ensure_future(pipe.write(pieces))
    await asyncio.sleep(0)
    pipe.reset()
    with pytest.raises(ConnectionAbortedError):
        await writing


async def test_nothing_is_written_after_a_reset(pair: Pair) -> None:
    """Even where the system would take it: the rest of a script is not to reach the peer."""
    pipe = Pipe(pair[0])
    pipe.reset()
    with pytest.raises(ConnectionAbortedError):
        await pipe.write([b"the rest"])
