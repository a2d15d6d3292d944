"""The server, as its clients see it."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_blocking

from modelplug import WrongUseError
from modelplug.testing import RawRequest, Status
from modelplug.testing import server as servers
from modelplug.testing.certificate import local_certificate
from modelplug.testing.websocket import Connection, WebSocketServer
from tests.core.testing.plain import head_of, rest_of, upgrade


async def idle(connection: Connection) -> None:
    """Says nothing."""


async def test_it_talks_to_whom_it_admits() -> None:
    """Others get the answer that stands instead."""

    async def converse(connection: Connection) -> None:
        request = await connection.receive()
        await connection.write(*connection.message_frames(request.body))

    def admit(request: RawRequest) -> Status | None:
        return None if request.path == "/in" else Status(404, "not here")

    with WebSocketServer(converse, admit=admit) as server:
        async with connect(f"{server.url}/in", proxy=None) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
        with pytest.raises(InvalidStatus, match="404"):
            await connect(f"{server.url}/out", proxy=None)


async def test_it_stops_with_conversations_under_way() -> None:
    """They are cut; nobody has to wait for them."""

    async def converse(connection: Connection) -> None:
        await asyncio.Future()

    with WebSocketServer(converse) as server:
        ws = await connect(server.url, proxy=None)
        assert server.connection_count == 1
    await ws.wait_closed()
    assert (ws.close_code, server.connection_count) == (1006, 0)


async def test_a_bug_of_its_user_is_raised_at_the_end() -> None:
    """And the client that met it isn't left waiting."""

    async def converse(connection: Connection) -> None:
        raise ValueError("a bug")

    async def meet() -> None:
        with WebSocketServer(converse) as server:
            ws = await connect(server.url, proxy=None)
            await ws.wait_closed()

    with pytest.raises(ValueError, match="a bug"):
        await meet()


@pytest.mark.parametrize("verdict", [pytest.fail.Exception("no"), SystemExit(1), KeyError("k")])
def test_a_verdict_within_it_is_raised_at_the_end(verdict: BaseException) -> None:
    """Also one that no ``except Exception`` catches: a test mustn't pass by it."""

    def admit(request: RawRequest) -> None:
        raise verdict

    async def converse(connection: Connection) -> None: ...

    def meet() -> None:
        with WebSocketServer(converse, admit=admit) as server, upgrade(server.url) as one:
            assert one.recv(1) == b""

    with pytest.raises(type(verdict)):
        meet()


def test_what_the_block_raises_goes_before_it() -> None:
    """The fault is a note to it."""

    def admit(request: RawRequest) -> None:
        raise ValueError("a bug")

    async def converse(connection: Connection) -> None: ...

    server = WebSocketServer(converse, admit=admit)

    def meet() -> None:
        with server, upgrade(server.url) as one:
            raise KeyError(one.recv(1))

    with pytest.raises(KeyError) as caught:
        meet()
    assert "a bug" in caught.value.__notes__[0]
    with server:
        pass  # what was told is told once


@pytest.mark.parametrize("flood", [b"\x81\x80\0\0\0\0", b"\x8a\x80\0\0\0\0"])
def test_a_client_that_floods_is_not_alone(flood: bytes) -> None:
    """Others are served, and the server can be stopped."""

    async def converse(connection: Connection) -> None:
        while True:
            await connection.receive()

    stop = threading.Event()

    def pour(connection: socket.socket) -> None:
        with suppress(OSError):
            while not stop.is_set():
                connection.sendall(flood * 10_000)

    with WebSocketServer(converse) as server, upgrade(server.url) as connection:
        head_of(connection)
        thread = threading.Thread(target=pour, args=[connection])
        thread.start()
        try:
            with upgrade(server.url) as other:
                assert head_of(other).startswith(b"HTTP/1.1 101")
        finally:
            stop.set()
    thread.join()


async def test_a_target_that_is_no_url_is_a_target() -> None:
    """What a client sends is no fault of the server's."""

    async def converse(connection: Connection) -> None: ...

    def admit(request: RawRequest) -> Status | None:
        return Status(404 if request.path == "//[" else 500)

    with WebSocketServer(converse, admit=admit) as server:
        host, port = server.url.removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET //[?a HTTP/1.1\r\nHost: a\r\n\r\n")
            assert head_of(connection).startswith(b"HTTP/1.1 404")
    assert server.exchanges[0].how == "http:404"


async def test_what_asks_for_no_websocket_is_told_so() -> None:
    """And hung up on."""

    async def converse(connection: Connection) -> None: ...

    with WebSocketServer(converse) as server:
        host, port = server.url.removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert rest_of(connection).startswith(b"HTTP/1.1 426")


def test_it_is_entered_once_at_a_time() -> None:
    """A second time would take the first one's place."""

    async def converse(connection: Connection) -> None: ...

    with WebSocketServer(converse) as server:
        with pytest.raises(WrongUseError):
            server.__enter__()
        assert server.url


async def test_it_has_no_address_before_it_listens() -> None:
    """An address that leads nowhere would be worse than none."""

    async def converse(connection: Connection) -> None: ...

    with pytest.raises(WrongUseError):
        _ = WebSocketServer(converse).url


async def test_an_ipv6_address_stands_in_brackets() -> None:
    """As URLs want it."""

    async def converse(connection: Connection) -> None: ...

    with WebSocketServer(converse, host="::1") as server:
        assert server.url.startswith("ws://[::1]:")


async def test_junk_instead_of_a_handshake_disturbs_nobody() -> None:
    """It is hung up on, and the next client is served."""

    async def converse(connection: Connection) -> None: ...

    with WebSocketServer(converse) as server:
        host, port = server.url.removeprefix("ws://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x00\x01\x02\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        async with connect(server.url, proxy=None):
            pass


@pytest.mark.parametrize("own", [True, False], ids=["own", "given"])
def test_it_speaks_tls(*, own: bool) -> None:
    """With a certificate that a client can be told to trust: its own, or one that it is given."""
    with (
        local_certificate() as given,
        WebSocketServer(idle, tls=True if own else given.context) as server,
    ):
        assert (server.ca_file is None) is not own
        trust = ssl.create_default_context(cafile=server.ca_file or given.ca_file)
        with connect_blocking(server.url, ssl=trust, proxy=None) as ws:
            assert ws.ping().wait(10)
    assert server.ca_file is None


def test_a_server_that_cannot_listen_has_no_certificate() -> None:
    """Its file has gone, as it has after any server's end."""
    server = WebSocketServer(idle, host="192.0.2.1", tls=True)
    with pytest.raises(OSError, match="address"):
        server.__enter__()
    assert server.ca_file is None


def test_entering_it_twice_leaves_its_certificate_alone() -> None:
    """The authority that clients were told of stays the one."""
    with WebSocketServer(idle, tls=True) as server:
        before = server.ca_file
        with pytest.raises(WrongUseError):
            server.__enter__()
        assert before == server.ca_file


def test_it_may_be_entered_again() -> None:
    """Also if it was left while nobody listened, and then it can be told to stop again."""
    server = WebSocketServer(idle)
    for _ in range(2):
        with server:
            with upgrade(server.url) as connection:
                assert head_of(connection).startswith(b"HTTP/1.1 101")
            url = server.url
            server.refuse()
            with pytest.raises(ConnectionRefusedError):
                upgrade(url)


def test_an_address_that_is_taken_meanwhile_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """To whoever has it refuse; it can be left all the same."""

    def taken(*_: object) -> None:
        raise OSError(errno.EADDRINUSE, "taken")

    with WebSocketServer(idle) as server:
        monkeypatch.setattr(socket.socket, "bind", taken)
        with pytest.raises(OSError, match="taken"):
            server.refuse()


def test_a_busy_loop_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """It isn't taken for a server that was stopped."""
    monkeypatch.setattr(servers, "_SWITCHING_SECONDS", 0.01)
    blocked, go_on = threading.Event(), threading.Event()

    def admit(request: RawRequest) -> None:
        blocked.set()
        assert go_on.wait(10)

    with WebSocketServer(idle, admit=admit) as server, upgrade(server.url):
        assert blocked.wait(10)
        with pytest.raises(WrongUseError, match="busy"):
            server.refuse()
        go_on.set()


async def test_who_waits_for_a_descriptor_is_taken_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system had none left, once."""
    accept, met = socket.socket.accept, threading.Event()

    def without(listener: socket.socket) -> tuple[socket.socket, object]:
        if met.is_set():
            return accept(listener)
        met.set()
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(servers, "_RECOVERY_SECONDS", 0.01)
    monkeypatch.setattr(socket.socket, "accept", without)
    with WebSocketServer(idle) as server, upgrade(server.url) as connection:
        assert head_of(connection).startswith(b"HTTP/1.1 101")
        assert met.is_set()
