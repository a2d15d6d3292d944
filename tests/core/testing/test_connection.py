"""One connection, from the server's side."""

from __future__ import annotations

import importlib
import json
import socket
import struct
import sys

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from modelplug import Finish, MissingDependencyError
from modelplug.testing import HangUp, Status
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
            linger = struct.pack("ii", 1, 0)  # on, 0 seconds
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
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


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lacks websockets learns what to install, whichever module is imported first."""
    monkeypatch.setitem(sys.modules, "websockets.server", None)
    for name in ("connection", "websocket"):
        monkeypatch.delitem(sys.modules, f"modelplug.testing.{name}", raising=False)
        with pytest.raises(MissingDependencyError) as caught:
            importlib.import_module(f"modelplug.testing.{name}")
        assert caught.value.hint == "pip install 'modelplug[testing]'"
