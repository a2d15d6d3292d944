"""One HTTP connection, from the server's side."""

from __future__ import annotations

import importlib
import socket
import struct
import sys

import pytest

from modelplug import Finish, MissingDependencyError
from modelplug.testing import Gate, HangUp, Lines, RawRequest
from modelplug.testing.http import HttpConnection, HttpUpstream
from tests.core.testing.plain import PlainCodec, head_of, rest_of
from tests.core.testing.web import ask, opened

LONG = b"x" * 17_000_000

AGAIN = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nyo"


def bare(upstream: HttpUpstream) -> socket.socket:
    """A socket that has said nothing."""
    host, _, port = upstream.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_a_client_that_only_connects_is_seen() -> None:
    """Its exchange has no request."""
    with HttpUpstream(PlainCodec()) as upstream:
        with bare(upstream):
            assert upstream.exchanges.wait().target == ""
        assert upstream.exchanges[0].wait_gone()
        assert (upstream.exchanges[0].closed_by, upstream.exchanges[0].how) == ("client", "fin")


def test_requests_may_come_before_they_are_answered() -> None:
    """Each is answered in its turn."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(HangUp(), times=2)
        with opened(upstream) as connection:
            connection.sendall(AGAIN)
            told = b""
            while told.count(b"0\r\n\r\n") < 2:
                told += connection.recv(1 << 16)
        assert [each.messages for each in upstream.exchanges] == [[b"hi"], [b"yo"]]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, b"431"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 17000000\r\n\r\n" + LONG,
            b"413",
        ),
    ],
    ids=["no-http", "long-head", "long-body"],
)
def test_what_is_no_good_request_is_refused(request_bytes: bytes, status: bytes) -> None:
    """And hung up on; what still comes is thrown away."""
    with HttpUpstream(PlainCodec()) as upstream, bare(upstream) as connection:
        connection.sendall(request_bytes)
        assert rest_of(connection).startswith(b"HTTP/1.1 " + status)
        assert upstream.exchanges[0].how == f"http:{status.decode()}"


def test_who_asks_before_uploading_is_encouraged() -> None:
    """With 100, as the standard has it."""
    with HttpUpstream(PlainCodec()) as upstream, bare(upstream) as connection:
        upstream.play(Finish())
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert head_of(connection).startswith(b"HTTP/1.1 100")
        connection.sendall(b"hi")
        assert head_of(connection).startswith(b"HTTP/1.1 200")


def test_head_is_answered_by_a_head() -> None:
    """Whatever the script says; the next request on its connection has its own answer."""
    with HttpUpstream(PlainCodec()) as upstream, bare(upstream) as connection:
        for steps in (("a", Finish()), ("a", Gate("never")), ("b", Finish())):
            upstream.play(*steps)
        for _ in range(2):
            connection.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert head_of(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(AGAIN)
        assert head_of(connection).startswith(b"HTTP/1.1 200")
        told = [(each.method, each.closed_by, each.how) for each in upstream.exchanges[:2]]
        assert told == [("HEAD", "server", "http:200")] * 2
        assert upstream.exchanges[2].wait_gone()
        assert b'{"text": "b"}' in connection.recv(1 << 16)


def test_an_emulators_messages_are_no_body_of_a_head() -> None:
    """It answers HEAD as it does GET."""

    class Parrot(HttpUpstream):
        async def answer(self, connection: HttpConnection, request: RawRequest) -> None:
            """In messages."""
            await connection.begin()
            await connection.say(b"a", b"b")
            await connection.end()

    with Parrot(PlainCodec()) as upstream, bare(upstream) as connection:
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = rest_of(connection).partition(b"\r\n\r\n")
        assert (head[:12], body) == (b"HTTP/1.1 200", b"")


def test_there_are_no_tunnels() -> None:
    """It is no proxy; the script waits for a question."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play("a", Finish())
        with bare(upstream) as connection:
            connection.sendall(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
            assert rest_of(connection).startswith(b"HTTP/1.1 501")
        assert upstream.exchanges[0].how == "http:501"
        assert ask(upstream)[0] == 200


def test_a_request_with_two_lengths_is_the_last() -> None:
    """It is answered, and then the connection is closed."""
    with HttpUpstream(PlainCodec()) as upstream, bare(upstream) as connection:
        upstream.play("a", Finish())
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" + AGAIN
        )
        told = rest_of(connection)
        assert told.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in told.lower()
        assert b'{"done": "stop"}' in told
        assert [each.messages for each in upstream.exchanges] == [[b"hi"]]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_wants_no_more_gets_the_end(version: str) -> None:
    """Then this side ends it."""
    with HttpUpstream(PlainCodec()) as upstream, bare(upstream) as connection:
        upstream.play(Finish())
        connection.sendall(f"GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert b'{"done": "stop"}' in rest_of(connection)
        assert (upstream.exchanges[0].closed_by, upstream.exchanges[0].how) == (
            "server",
            "http:200",
        )


def test_a_client_that_resets_is_seen_to() -> None:
    """Amid a response."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play("a")
        with opened(upstream) as connection:
            assert upstream.exchanges.wait().wait_asked()
            linger = struct.pack("ii", 1, 0)  # on, 0 seconds
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert upstream.exchanges[0].wait_gone()
        assert (upstream.exchanges[0].closed_by, upstream.exchanges[0].how) == ("client", "rst")


def test_the_mark_comes_first_and_the_manner_ends_with_the_answer() -> None:
    """The next one is written as ever."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(Lines("\r", bom=True), "a", "b", Finish())
        upstream.play("a", HangUp())
        told = b'\xef\xbb\xbfdata: {"text": "a"}\r\rdata: {"text": "b"}\r\r'
        assert ask(upstream)[1] == told + b'data: {"done": "stop"}\r\r'
        assert ask(upstream)[1] == b'data: {"text": "a"}\n\n'


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lacks h11 learns what to install."""
    monkeypatch.setitem(sys.modules, "h11", None)
    for name in ("httpconnection", "http"):
        monkeypatch.delitem(sys.modules, f"modelplug.testing.{name}", raising=False)
        with pytest.raises(MissingDependencyError) as caught:
            importlib.import_module(f"modelplug.testing.{name}")
        assert caught.value.hint == "pip install 'modelplug[testing]'"
