"""A WebSocket without I/O: handshake, messages, and each way to end."""

from __future__ import annotations

import gc
import importlib
import logging
import re
import sys
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from modelplug.errors import (
    ConnectionLostError,
    DecodeError,
    HandshakeError,
    MissingDependencyError,
    ProtocolError,
    ProxyLLMError,
    RateLimitError,
    SchemaError,
    TooLargeError,
)
from modelplug.secrets import Secret
from modelplug.transport import Endpoint
from modelplug.transport.handshake import Answer
from modelplug.transport.wire import Wire
from tests.core.transport.peers import (
    BINARY,
    CLOSE,
    CONTINUED,
    PING,
    PONG,
    agreement,
    closing,
    frame,
)

ENDPOINT = Endpoint.parse("wss://a.example:8443/chat")


def wire_to(endpoint: Endpoint = ENDPOINT, *, max_size: int = 1 << 20) -> Wire:
    """A wire that has sent nothing yet."""
    return Wire(endpoint, max_size=max_size, scrub=str)


def opened(*, max_size: int = 1 << 20) -> Wire:
    """A wire after its handshake."""
    wire = wire_to(max_size=max_size)
    wire.feed(agreement(wire.request(Secret()).decode()))
    return wire


def ending(wire: Wire, *received: bytes) -> ProxyLLMError | None:
    """How the wire ends when it gets this, and then the end of file."""
    for part in received:
        if not wire.has_ended:
            wire.feed(part)
    if not wire.has_ended:
        wire.feed_eof()
    assert wire.has_ended
    return wire.failure()


@pytest.mark.parametrize(
    "url", ["wss://a.example/", "wss://a.example:80/v1/chat", "ws://[::1]/", "ws://127.0.0.1:81/x"]
)
def test_the_request_is_for_the_endpoint(url: str) -> None:
    """Its Host header and target are the endpoint's, and nothing is offered or asked for."""
    endpoint = Endpoint.parse(url)
    request = wire_to(endpoint).request(Secret("a=b")).decode()
    line, host, _ = request.split("\r\n", 2)
    assert line == f"GET {endpoint.path}?a=b HTTP/1.1"
    assert host == f"Host: {endpoint.host_header}"
    assert "Extensions" not in request
    assert "Origin" not in request


def test_a_server_of_the_library_agrees() -> None:
    """The request is one that websockets' own server side accepts."""
    wire, server = wire_to(), ServerProtocol()
    server.receive_data(wire.request(Secret("a=b")))
    [request] = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    wire.feed(b"".join(server.data_to_send()))
    assert (wire.is_open, wire.has_ended) == (True, False)
    server.receive_data(wire.text(b"hello"))
    assert server.events_received() == [Frame(Opcode.TEXT, bytearray(b"hello"))]


TRANSCRIPT = (
    agreement("\r\nSec-WebSocket-Key: x\r\n"),
    frame(b"one"),
    frame(b"ping", opcode=PING),
    frame("模型".encode()[:2], fin=False),
    frame(b"", opcode=CONTINUED, fin=False),
    frame(b"pong", opcode=PONG),
    frame("模型".encode()[2:], opcode=CONTINUED),
    frame(b""),
    frame(b"x" * 300),
    closing(4001, "enough\n"),
)
"""A conversation from the server's side."""


@given(cuts=st.lists(st.integers(0, sum(map(len, TRANSCRIPT))), max_size=20))
def test_splits_make_no_difference(cuts: list[int]) -> None:
    """However the network divides a conversation, the same comes out."""
    wire = wire_to()
    key = wire.request(Secret()).decode()
    stream = agreement(key) + b"".join(TRANSCRIPT[1:])
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert ending(wire, *[stream[start:end] for start, end in pairwise(edges)]) is None
    assert wire.messages == [b"one", "模型".encode(), b"", b"x" * 300]
    assert (wire.close_code, wire.close_reason) == (4001, "enough")


def test_pings_are_answered() -> None:
    """Each ping gets its pong, masked, also between the fragments of a message."""
    wire = opened()
    wire.feed(frame(b"a", fin=False) + frame(b"p", opcode=PING) + frame(b"b", opcode=CONTINUED))
    [pong] = wire.answers()
    assert (pong[:2], wire.messages, wire.answers()) == (bytes([0x8A, 0x81]), [b"ab"], ())


@pytest.mark.parametrize(
    ("received", "kind", "told"),
    [
        ([frame(b"x", opcode=BINARY)], SchemaError, "binary"),
        ([frame(b"x" * 101)], TooLargeError, "PayloadTooBig"),
        ([frame(b"x" * 60, fin=False), frame(b"x" * 41, opcode=CONTINUED)], TooLargeError, "Big"),
        ([frame(fin=False), *[frame(opcode=CONTINUED, fin=False)] * 5000], TooLargeError, "pieces"),
        ([b"\x81\x81...."], ProtocolError, "masking"),
        ([b"\xc1\x00"], ProtocolError, "reserved bits"),
        ([b"\x83\x00"], ProtocolError, "opcode"),
        ([frame(b"x", opcode=CONTINUED)], ProtocolError, "continuation"),
        ([frame(b"x", fin=False), frame(b"x")], ProtocolError, "continuation"),
        ([frame(b"x", fin=False), closing()], ProtocolError, "incomplete"),
        ([frame(b"x" * 126, opcode=PING)], TooLargeError, "126 bytes"),
        ([frame(b"x", opcode=PING, fin=False)], ProtocolError, "fragmented"),
        ([frame(b"x", opcode=CLOSE)], ProtocolError, "too short"),
        ([closing(999)], ProtocolError, "status code"),
        ([frame(b"\x03\xe8\xff", opcode=CLOSE)], DecodeError, "UnicodeDecodeError"),
    ],
)
def test_each_violation_has_its_error(
    received: Sequence[bytes], kind: type[ProxyLLMError], told: str
) -> None:
    """Typed, naming the endpoint; what came before it in the same read is still delivered."""
    wire = opened(max_size=100)
    error = ending(wire, frame(b"before") + b"".join(received) + frame(b"after"))
    assert type(error) is kind
    assert str(ENDPOINT) in str(error)
    assert told in str(error)
    assert wire.messages == [b"before"]


@pytest.mark.parametrize(
    "received", [b"", frame(b"whole"), frame(b"incomplete")[:5], frame(b"fragment", fin=False)]
)
def test_an_end_without_close_frame_is_a_lost_connection(received: bytes) -> None:
    """Wherever in a message it comes; whole messages before it are delivered."""
    wire = opened()
    error = ending(wire, received)
    assert isinstance(error, ConnectionLostError)
    assert "end of file" in str(error)
    assert wire.messages == [b"whole"] * (received == frame(b"whole"))


def test_max_size_is_allowed() -> None:
    """A message of just that size is taken, whole or in pieces."""
    wire = opened(max_size=100)
    wire.feed(frame(b"x" * 100))
    wire.feed(frame(b"y" * 50, fin=False) + frame(b"y" * 50, opcode=CONTINUED))
    assert wire.messages == [b"x" * 100, b"y" * 100]


def test_a_violation_is_answered_with_its_code() -> None:
    """The server learns why it is cut: 1002, 1003, 1009."""
    for received, code in [(b"\xc1\x00", 1002), (frame(opcode=BINARY), 1003), (frame(b"xx"), 1009)]:
        wire = opened(max_size=1)
        wire.feed(received)
        [close] = wire.answers()
        mask, payload = close[2:6], close[6:]
        sent = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        assert int.from_bytes(sent[:2], "big") == code


def test_nothing_after_the_close_counts() -> None:
    """Messages and closes after a close frame are nobody's."""
    wire = opened()
    wire.feed(frame(b"a") + closing(1000, "bye") + frame(b"b") + closing(4000))
    assert (wire.messages, wire.close_code, wire.close_reason) == ([b"a"], 1000, "bye")
    assert wire.failure() is None


def test_a_close_without_code_is_1005() -> None:
    """As the protocol has it for a close frame that is empty."""
    wire = opened()
    wire.feed(frame(opcode=CLOSE))
    assert (wire.close_code, wire.close_reason, wire.has_failed) == (1005, "", False)


def test_a_close_reason_is_made_harmless() -> None:
    """Control characters are escaped, secrets taken out, and it isn't long."""
    wire = Wire(ENDPOINT, max_size=999, scrub=lambda text: text.replace("key", "***"))
    wire.feed(agreement(wire.request(Secret()).decode()))
    wire.feed(closing(1008, "key\x1b[2J" + "\x01" * 100))
    assert wire.close_reason.startswith("***\\x1b[2J\\x01")
    assert len(wire.close_reason) == 123


def test_frames_may_come_with_the_agreement() -> None:
    """One read may hold the handshake's end, messages and the close."""
    wire = wire_to()
    key = wire.request(Secret()).decode()
    wire.feed(agreement(key) + frame(b"early") + closing())
    assert (wire.is_open, wire.has_ended, wire.messages) == (True, True, [b"early"])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0"),
        (b"hello", "stream ends after 5 bytes"),
        (b"\x15\x03\x01\x00\x02\x02\x0a\n", "line without CRLF"),
        (b"x" * 10_000, "too ?long"),
        (b"HTTP/1.1 101 X\r\nX: " + b"y" * 10_000 + b"\r\n\r\n", "too ?long"),
        (b"HTTP/1.1 101 X\r\n" + b"X: y\r\n" * 200 + b"\r\n", "too ?many"),
        (b"HTTP/1.1 101 X\r\n\r\n", "Connection"),
        (b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n", "Upgrade"),
        (b"HTTP/1.1 101 X\r\nno colon\r\n\r\n", "no colon"),
    ],
)
def test_an_answer_that_is_none_is_a_handshake_error(answer: bytes, told: str) -> None:
    """Garbage, floods, and a 101 that isn't meant."""
    error = ending(wire_to(), answer)
    assert isinstance(error, HandshakeError)
    assert re.search(told, str(error), re.IGNORECASE)
    assert error.status == (101 if b"101" in answer else None)


@pytest.mark.parametrize(
    "extra",
    [
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "Sec-WebSocket-Protocol: chat\r\n",
        "Sec-WebSocket-Accept: x\r\n",
    ],
)
def test_an_agreement_to_something_else_is_a_handshake_error(extra: str) -> None:
    """Extensions and subprotocols that nobody asked for, a second proof."""
    wire = wire_to()
    answer = agreement(wire.request(Secret()).decode(), extra)
    assert isinstance(ending(wire, answer), HandshakeError)


def test_a_wrong_proof_is_a_handshake_error() -> None:
    """Sec-WebSocket-Accept must be made of our key: else a cache has answered."""
    error = ending(wire_to(), agreement("\r\nSec-WebSocket-Key: other\r\n"))
    assert isinstance(error, HandshakeError)
    assert "Sec-WebSocket-Accept" in str(error)


@pytest.mark.parametrize("answer", [b"", b"HTT", b"HTTP/1.1 101 X\r\nUpg"])
def test_an_answer_cut_short_is_a_lost_connection(answer: bytes) -> None:
    """Worth another try, unlike an answer that is wrong."""
    error = ending(wire_to(), answer)
    assert isinstance(error, ConnectionLostError)
    assert error.retryable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nContent-Length: 4\r\n\r\nslow",
        b"HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nContent-Length: 99\r\n\r\nslow",
        b"HTTP/1.1 429 Slow\r\nRetry-After: 5\r\n\r\nslow",
        b"HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nContent-Length: 99999999999\r\n\r\nslow",
        b"HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nTransfer-Encoding: gzip\r\n\r\nslow",
        b"HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nContent-Length: x\r\n\r\nslow",
    ],
)
def test_a_refusal_is_the_providers_to_translate(answer: bytes) -> None:
    """Whatever is wrong with an error's body, its status counts."""
    wire = Wire(
        ENDPOINT,
        max_size=1,
        scrub=str,
        on_refusal=lambda said: RateLimitError(said.message, retry_after=said.retry_after),
    )
    error = ending(wire, answer)
    assert isinstance(error, RateLimitError)
    assert (error.message, error.retry_after) == ("slow", 5.0)


@pytest.mark.parametrize("body", [b"Content-Length: 999999999\r\n\r\n", b"\r\n", b"X: y\r\n"])
def test_an_endless_refusal_is_cut(body: bytes) -> None:
    """It ends by itself, with the status, whatever it claims to be long."""
    wire = wire_to()
    wire.feed(b"HTTP/1.1 500 X\r\n" + body)
    for _ in range(100):
        if not wire.has_ended:
            wire.feed(b"X-Y: z\r\n" * 1000)
    error = wire.failure()
    assert isinstance(error, HandshakeError)
    assert error.status == 500


def test_what_the_handshake_needed_is_let_go_of() -> None:
    """The library's protocol is there for what is no plain text, and the answer for nothing."""
    wire = wire_to()
    usual = agreement(wire.request(Secret()).decode())
    wire.feed(usual[:-2] + b"X-Odd:\r\n\r\n")  # which the library has to read
    wire.feed(frame(b"a"))
    kept = gc.get_referents(wire)
    assert (wire.is_open, wire.messages) == (True, [b"a"])
    assert not any(isinstance(each, (ClientProtocol, Answer)) for each in kept)
    wire.feed(frame(b"?", opcode=PING))
    assert any(isinstance(each, ClientProtocol) for each in gc.get_referents(wire))


def test_the_first_end_counts() -> None:
    """A connection that is cut after its close has ended well, and stays so."""
    wire = opened()
    wire.finish()
    wire.lose(ConnectionResetError())
    wire.cut()
    wire.finish()
    assert (wire.has_ended, wire.failure(), len(wire.answers())) == (True, None, 1)


def test_one_that_ends_before_the_server_agrees_says_nothing() -> None:
    """A close frame is for a WebSocket."""
    wire = wire_to()
    wire.finish()
    assert (wire.has_ended, wire.failure(), wire.answers()) == (True, None, ())


def test_each_failure_is_a_new_error() -> None:
    """An error that is raised twice would collect tracebacks."""
    wire = opened()
    wire.lose(ConnectionResetError())
    first, second = wire.failure(), wire.failure()
    assert first is not second
    assert str(first) == str(second)


def test_the_query_is_nowhere() -> None:
    """No object that the wire holds, at any depth, has the query but as a Secret."""
    wire = wire_to()
    wire.request(Secret("key=s3cret-value"))
    wire.feed(b"HTTP/1.1 101 X\r\n")
    seen: dict[int, object] = {}
    queue: list[object] = [wire]
    while queue and len(seen) < 5000:
        each = queue.pop(0)
        if id(each) not in seen and not isinstance(each, type(sys)):
            seen[id(each)] = each
            queue += gc.get_referents(each)
    texts = [each for each in seen.values() if isinstance(each, str | bytes | bytearray)]
    assert not [text for text in texts if "s3cret-value" in str(text)]


def test_the_library_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Not even when the app wants to know everything: request lines hold keys."""
    logging.getLogger("websockets").setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        wire = wire_to()
        wire.feed(agreement(wire.request(Secret("key=value")).decode()))
        wire.text(b"x")
        ending(wire, frame(b"y"), b"\xff\xff")
    assert caplog.records == []


@pytest.mark.parametrize("part", ["client", "frames", "utils"])
def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Who lacks websockets, or a part, learns what to install, whichever module comes first."""
    monkeypatch.setitem(sys.modules, f"websockets.{part}", None)
    for name in ("plainframes", "upgrade", "wire", "websocket"):
        monkeypatch.delitem(sys.modules, f"modelplug.transport.{name}", raising=False)
    for name in ("wire", "websocket"):
        with pytest.raises(MissingDependencyError) as caught:
            importlib.import_module(f"modelplug.transport.{name}")
        assert caught.value.hint == 'pip install "modelplug[websocket]"'
