"""The plain way through a handshake: it asks as the library does, and its yes is the library's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import WebSocketURI
from websockets.utils import accept_key, generate_key

from modelplug.secrets import Secret
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.upgrade import agrees, asking

UNTIMED = run_with(deadline=None)
KEY = generate_key()
ACCEPT = accept_key(KEY)
STATUS = "HTTP/1.1 101 Switching Protocols"
GOOD = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {ACCEPT}")

statuses = st.sampled_from(
    [STATUS, STATUS, STATUS, "HTTP/1.1 101 ", "HTTP/1.1 101", "HTTP/1.0 101 x", "HTTP/1.1 200 OK"]
)
lines = st.sampled_from(
    [
        *GOOD,
        *GOOD,
        "upgrade: WebSocket",
        "Upgrade:websocket",
        "Upgrade: websocket, h2c",
        "Upgrade : websocket",
        "CONNECTION: keep-alive, upgrade",
        "Connection: close",
        f"Sec-WebSocket-Accept: {accept_key(generate_key())}",
        f"Sec-WebSocket-Accept: {ACCEPT.lower()}",
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "Server: istio-envoy",
        "X-Odd:",
        "X-Odd: \x01",
        "X-Odd: \u00e9",
        " folded",
        "no colon",
        "",
        "X: " + "y" * 5000,
        *["A: b\r\n" * 150 + "A: b"],
    ]
)
heads = st.builds(
    lambda status, some, end: ("\r\n".join([status, *some]) + end).encode("latin-1"),
    statuses,
    st.lists(lines, max_size=6) | st.permutations([*GOOD, "Server: a", "Date: b c"]),
    st.sampled_from(["\r\n\r\n"] * 4 + ["\r\n", "\n\n", ""]),
)


def library() -> ClientProtocol:
    """The library on our side of a handshake, with our key."""
    uri = WebSocketURI(secure=False, host="h", port=1, path="/", query="")
    protocol = ClientProtocol(uri)
    protocol.key = KEY
    return protocol


def head(*said: str) -> bytes:
    """An answer that agrees, with something changed or added."""
    return "\r\n".join([STATUS, *said, "", ""]).encode()


@given(heads)
@UNTIMED
def test_what_agrees_here_agrees_by_the_library(answer: bytes) -> None:
    """A yes is never given in its place where it would give none."""
    protocol = library()
    protocol.receive_data(answer)
    if agrees(answer, key=KEY):
        assert protocol.state is OPEN
        assert protocol.handshake_exc is None


@pytest.mark.parametrize(
    "said",
    [
        GOOD,
        tuple(reversed(GOOD)),
        ("upgrade:WebSocket", "connection: UPGRADE", GOOD[2]),
        (*GOOD, "Server: istio-envoy", "Date: Sat, 21 Nov 2026 22:08:30 GMT"),
    ],
)
def test_what_servers_say_agrees(said: tuple[str, ...]) -> None:
    """In any order, in any case, with what else they tell."""
    assert agrees(head(*said), key=KEY)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        head(*GOOD)[:-1],
        head(*GOOD[1:]),
        head(*GOOD, GOOD[0]),
        head(*GOOD, "Sec-WebSocket-Protocol: chat"),
        head(*GOOD, "Sec-WebSocket-Extensions: permessage-deflate"),
        head(*GOOD, "Transfer-Encoding: chunked"),
        head(*GOOD, "Content-Length: 3"),
        head(*GOOD, *(f"A{each}: b" for each in range(64))),
        head(*GOOD, "A: " + "b" * 4096),
        head(GOOD[0], "Connection: keep-alive, Upgrade", GOOD[2]),
        head(*GOOD).replace(b"101", b"200"),
        head(*GOOD).replace(b"\r\n", b"\n"),
        head(*GOOD).replace(ACCEPT.encode(), ACCEPT.lower().encode()),
    ],
)
def test_anything_else_is_left(answer: bytes) -> None:
    """Good or bad, that is for the library to say."""
    assert not agrees(answer, key=KEY)


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1/", "ws://127.0.0.1:8080/v1", "wss://[::1]:443/a", "wss://h.example/b"]
)
def test_it_asks_as_the_library_does(url: str) -> None:
    """The same bytes, for any host and port."""
    endpoint = Endpoint.parse(url)
    protocol = library()
    host, port = endpoint.host, endpoint.port
    protocol.uri = WebSocketURI(endpoint.secure, host, port, endpoint.path, "")
    assert protocol.connect().serialize() == asking(endpoint, Secret(), key=KEY)


def test_a_query_is_part_of_what_is_asked_for() -> None:
    """Behind a question mark, its blanks encoded: they would split the line."""
    asked = asking(Endpoint.parse("wss://h/a"), Secret("b=c d"), key=KEY)
    assert asked.startswith(b"GET /a?b=c%20d HTTP/1.1\r\nHost: h\r\n")
