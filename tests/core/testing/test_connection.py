"""One connection, from the server's side."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from modelplug import Finish
from modelplug.testing import HangUp, Split, Status
from modelplug.testing.connection import in_pieces
from modelplug.testing.websocket import WebSocketUpstream
from tests.core.testing.plain import QUESTION, ask, head_of, upgrade


def test_a_question_in_fragments_is_one_message(upstream: WebSocketUpstream) -> None:
    """With whatever stands between them."""
    upstream.play(HangUp())
    with upgrade(upstream.url) as connection:
        head_of(connection)
        for frame in (b"\x01\x81\0\0\0\0h", b"\x89\x80\0\0\0\0", b"\x80\x81\0\0\0\0i"):
            connection.sendall(frame)
        assert upstream.exchanges.wait().wait_asked()
    assert upstream.exchanges.wait().messages == [b"hi"]


def test_pings_are_answered(upstream: WebSocketUpstream) -> None:
    """As the standard asks, before and after a question."""
    with connect(upstream.url, proxy=None) as ws:
        assert ws.ping().wait(10)


def test_the_handshake_is_kept(upstream: WebSocketUpstream) -> None:
    """Target and headers, by lower-case names."""
    upstream.play(HangUp())
    ask(upstream.url)
    exchange = upstream.exchanges.wait()
    assert exchange.target == "/chat?key=hidden"
    assert exchange.headers["upgrade"] == "websocket"


def test_a_refusal_has_status_body_and_headers(upstream: WebSocketUpstream) -> None:
    """And a date, as every server's answer."""
    upstream.play(Status(429, '{"message": "later"}', headers={"Retry-After": "7"}))
    with pytest.raises(InvalidStatus) as caught:
        ask(upstream.url)
    response = caught.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert json.loads(response.body) == {"message": "later"}
    assert response.headers["Date"].endswith("GMT")
    assert upstream.exchanges.wait().how == "http:429"


@pytest.mark.parametrize(("leave", "how"), [("close", "ws:1000"), ("fin", "fin"), ("rst", "rst")])
def test_how_a_client_leaves_is_seen(upstream: WebSocketUpstream, leave: str, how: str) -> None:
    """With a close frame, without one, or by a reset."""
    upstream.play("a")
    with upgrade(upstream.url) as connection:
        head_of(connection)
        connection.sendall(QUESTION)
        if leave == "close":
            connection.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
        if leave != "rst":
            connection.recv(1 << 16)  # with bytes unread a system resets instead
        else:
            assert upstream.exchanges.wait().wait_asked()
            connection.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER: on, 0 seconds
    exchange = upstream.exchanges.wait()
    assert exchange.wait_gone()
    assert (exchange.closed_by, exchange.how) == ("client", how)


def test_what_was_sent_is_counted(upstream: WebSocketUpstream) -> None:
    """The bytes that the system took, and when the first went out."""
    upstream.play("a", Finish(), HangUp())
    ask(upstream.url)
    exchange = upstream.exchanges.wait()
    assert exchange.bytes_accepted > 20
    assert exchange.first_sent is not None
    assert exchange.opened <= exchange.first_sent


def test_a_client_that_reads_nothing_holds_the_server_back(upstream: WebSocketUpstream) -> None:
    """What the system has no room for isn't counted as taken; leaving ends it."""
    upstream.play(*["x" * 100_000] * 300)
    with upgrade(upstream.url) as connection:
        connection.sendall(QUESTION)
        assert upstream.exchanges.wait().wait_asked()
        assert not upstream.exchanges.wait().wait_gone(0.05)
    assert upstream.exchanges.wait().wait_gone()
    assert upstream.exchanges.wait().bytes_accepted < 30_000_000


@pytest.mark.parametrize(
    ("size", "pieces"), [(0, [b"abc", b"d"]), (2, [b"ab", b"c", b"d"]), (9, [b"abc", b"d"])]
)
def test_bytes_are_cut_in_pieces(size: int, pieces: list[bytes]) -> None:
    """Of a size, or not at all."""
    assert in_pieces([b"abc", b"d"], size) == pieces


def test_split_answers_come_in_many_writes(upstream: WebSocketUpstream) -> None:
    """And are the same."""
    upstream.play(Split(3), "Hello", HangUp())
    assert ask(upstream.url) == ([{"text": "Hello"}], 1000)
