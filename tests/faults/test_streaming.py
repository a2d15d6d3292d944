"""Rows 34 to 69 over any carrier: amid an answer; what came is kept, the next call is answered."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from modelplug import (
    BackendError,
    ConnectionLostError,
    DecodeError,
    Delta,
    Finish,
    HandshakeError,
    IdleTimeoutError,
    ProtocolError,
    ProxyLLMError,
    SchemaError,
    ServerError,
    Timeouts,
    TooLargeError,
    TotalTimeoutError,
    TruncatedStreamError,
)
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Drip,
    Fail,
    Fragment,
    HangUp,
    KeepAlive,
    Message,
    RawBytes,
    Reset,
    Silence,
    Split,
    Step,
)
from modelplug.testing.upstream import Upstream
from tests.core.transport.peers import CONTINUED, PING, PONG, TEXT
from tests.core.transport.peers import frame as ws_frame
from tests.faults.asking import (
    Expected,
    Way,
    answered,
    asked,
    every_way,
    failure,
    told,
)
from tests.faults.carriers import ALL, REMOTE, WEBSOCKETS, Carrier, over
from tests.faults.cases import (
    IDLE,
    Case,
    breaks,
    fails,
    garbage,
    idle,
    is_answered,
    over_carriers,
    says,
    shown,
)
from tests.faults.leaps import leaping
from tests.faults.lines import HTTP_HEAD, asked_of, chunk
from tests.faults.servers import Handler, Server, gone

JSON = ("http",)
"""Who speaks plain JSON; Spark's own frames are in test_frames.py."""

STRANGERS = ("http", "library", "blocking library")


def closes(row: int, code: int, *, retryable: bool) -> Case:
    """A close frame before the last of the answer."""
    step = CloseCode(code, "a reason\x1b[31m")
    return Case(row, f"close {code}", WEBSOCKETS, [step], TruncatedStreamError, retryable)


# A frame that says it is compressed: 256 MiB of nought, as deflate has them, would be 256 KiB.
COMPRESSED = bytes([0x80 | 0x40 | TEXT, 5]) + b"\xaa\x56\x4a\x04\x00"

BOMB = gzip.compress(b'data: {"text": "x"}\n\n' * 400_000)
"""8 MB of pieces, in some 25 KB."""

DEEP = b'{"text": "!", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

EVENT = (b"data: " + b"x" * 1000 + b"\n") * 1100
"""An event that doesn't end, of more than a megabyte in short lines."""

CASES = [
    fails(34, "reset", REMOTE, ConnectionLostError, Reset()),
    fails(34, "end of file", REMOTE, ConnectionLostError, CutFrame(0)),
    fails(34, "amid a frame", REMOTE, ConnectionLostError, CutFrame(0.5)),
    idle(35, "silence", ALL, Silence()),
    idle(35, "pings", REMOTE, KeepAlive(0.02)),
    idle(35, "empty pieces", ALL, Drip(0.02), *[Delta()] * 500),
    breaks(39, "one frame", WEBSOCKETS, TooLargeError, ws_frame(b"x" * ((1 << 20) + 1))),
    breaks(
        39, "one event", ("http",), TooLargeError, chunk((b"data: " + b"x" * 1000 + b"\n") * 1100)
    ),
    breaks(
        40,
        "empty pieces",
        WEBSOCKETS,
        TooLargeError,
        ws_frame(fin=False) + ws_frame(opcode=CONTINUED, fin=False) * 5000,
    ),
    breaks(
        40,
        "large pieces",
        WEBSOCKETS,
        TooLargeError,
        ws_frame(b"x" * 200_000, fin=False)
        + ws_frame(b"x" * 200_000, opcode=CONTINUED, fin=False) * 6,
    ),
    idle(41, "begun", WEBSOCKETS, RawBytes(ws_frame(b'{"header"', fin=False)), Silence()),
    idle(41, "an event", ("http",), RawBytes(chunk(b'data: {"text": "!"}\n')), Silence()),
    breaks(42, "compressed", WEBSOCKETS, ProtocolError, COMPRESSED),
    breaks(44, "a line", ("http",), TooLargeError, chunk(b"data: " + b"x" * (1 << 20))),
    garbage(45, "text", REMOTE, DecodeError),
    says(45, "half", REMOTE, DecodeError, b"{oops"),
    says(46, "deep", JSON, DecodeError, DEEP),
    says(47, "digits", JSON, DecodeError, b'{"text": "!", "seq": ' + b"9" * 5000 + b"}"),
    says(48, "a surrogate", JSON, DecodeError, b'{"text": "\\ud800"}'),
    fails(48, "a surrogate", ("library", "blocking library"), DecodeError, Delta("\ud800")),
    garbage(49, "shape", REMOTE, SchemaError),
    *(says(49, each, JSON, SchemaError, each.encode()) for each in ("[]", "7", '"a"')),
    says(50, "a number for a text", JSON, SchemaError, b'{"text": 7}'),
    says(50, "a list for a text", JSON, SchemaError, b'{"think": []}'),
    garbage(51, "utf8", ("http",), DecodeError),
    breaks(51, "in a text", ("websocket",), DecodeError, ws_frame(b'{"text": "\xff\xfe"}')),
    garbage(52, "binary", WEBSOCKETS, SchemaError),
    garbage(52, "binary", ("http",), DecodeError),
    Case(57, "hung up", ALL, [HangUp()], TruncatedStreamError, True),
    closes(57, 1000, retryable=True),
    says(59, "a reason that is none", JSON, SchemaError, b'{"done": 9}'),
    fails(60, "a failure", ALL, ServerError, Fail("server")),
    says(61, "beside the last", JSON, BackendError, b'{"error": "E7", "done": "stop"}'),
    *(closes(64, code, retryable=True) for code in (1011, 1012, 1013, 4000)),
    *(closes(65, code, retryable=False) for code in (1003, 1008, 1009)),
    garbage(66, "opcode", WEBSOCKETS, ProtocolError),
    garbage(66, "reserved", WEBSOCKETS, ProtocolError),
    garbage(66, "masked", WEBSOCKETS, ProtocolError),
    garbage(66, "length", WEBSOCKETS, TooLargeError),
    garbage(66, "continuation", WEBSOCKETS, ProtocolError),
    garbage(66, "chunk", ("http",), ProtocolError),
]


@every_way
@over_carriers(CASES)
def test_an_answer_that_fails(case: Case, carrier: Carrier, service: Upstream, way: Way) -> None:
    """The right class, what had come before, and the service sees its client leave."""
    shown(case, carrier, service, way)


@pytest.mark.fault(38)
@every_way
@over(*ALL)
def test_a_piece_now_and_then(carrier: Carrier, service: Upstream, way: Way) -> None:
    """However lively an answer is, it may not take longer than all the time that it has."""
    client = carrier.client(service)
    service.play("Hello", Drip(0.01), *"." * 1000, Silence())
    with leaping(20.0, phase="streaming", again=True):
        error = failure(client, way, Timeouts())
    assert (type(error), error.retryable) == (TotalTimeoutError, False)
    assert error.partial is not None
    assert error.partial.text.rstrip(".") == "Hello"
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, way)


def half_open(carrier: Carrier, left: threading.Event) -> Handler:
    """Neither read nor write nor close any more, as a machine does that is gone."""

    def then(connection: socket.socket) -> None:
        left.wait(30)

    return carrier.saying("Hello", then=then)


def drip(carrier: Carrier, left: threading.Event) -> Handler:
    """Begin what is never complete, byte by byte."""

    def then(connection: socket.socket) -> None:
        connection.sendall(carrier.begun)
        while not left.wait(0.02):
            connection.sendall(b"x")

    return carrier.saying("Hello", then=then)


@every_way
@over(*REMOTE)
@pytest.mark.parametrize(
    ("faulty", "timeouts", "leaps", "error"),
    [
        pytest.param(
            half_open, Timeouts(), IDLE, IdleTimeoutError, id="36", marks=pytest.mark.fault(36)
        ),
        pytest.param(
            drip, Timeouts(), IDLE, IdleTimeoutError, id="37", marks=pytest.mark.fault(37)
        ),
        pytest.param(
            drip,
            Timeouts(idle=None),
            601.0,
            TotalTimeoutError,
            id="37 in all",
            marks=pytest.mark.fault(37),
        ),
    ],
)
def test_a_connection_that_stays_and_brings_nothing(
    faulty: Callable[[Carrier, threading.Event], Handler],
    timeouts: Timeouts,
    leaps: float,
    error: type[ProxyLLMError],
    carrier: Carrier,
    way: Way,
) -> None:
    """Bytes are no progress, pieces are."""
    left = threading.Event()
    with Server(faulty(carrier, left), carrier.answer) as server:
        client = carrier.client(server)
        expected = Expected(error, error.retryable, "Hello", "yes")
        with leaping(leaps, phase="streaming"):
            assert expected == told(failure(client, way, timeouts), expected)
        left.set()
        assert answered(client, way) == "fine"
        assert server.wait_gone()


@every_way
@over(*WEBSOCKETS)
@pytest.mark.fault(42)
def test_compression_is_not_offered(carrier: Carrier, service: Upstream, way: Way) -> None:
    """What wasn't offered can't be used for a bomb."""
    is_answered(carrier.client(service), service, way)
    assert "sec-websocket-extensions" not in map(str.lower, service.exchanges[-1].headers)


@every_way
@over("http")
@pytest.mark.fault(43)
def test_gzip_is_not_asked_for(carrier: Carrier, service: Upstream, way: Way) -> None:
    """Nothing in the question says that an answer may be compressed."""
    is_answered(carrier.client(service), service, way)
    assert "accept-encoding" not in service.exchanges[-1].headers


@every_way
@over("http")
@pytest.mark.fault(43)
def test_a_bomb_is_not_unpacked(carrier: Carrier, way: Way) -> None:
    """A compressed answer that nobody asked for is no answer, however much is in it."""

    def bomb(connection: socket.socket) -> None:
        asked_of(connection)
        head = HTTP_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
        connection.sendall(head + chunk(BOMB) + carrier.end)
        gone(connection)

    with Server(bomb, carrier.answer) as server:
        client = carrier.client(server)
        expected = Expected(HandshakeError, retryable=False)
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"
        assert server.wait_gone()


# --------------------------------------------------------- what looks odd and fails nothing


class Oddity(NamedTuple):
    """What fails nothing, over which carriers, and the text of the answer."""

    row: int
    what: str
    on: tuple[str, ...]
    steps: Sequence[Step]
    text: str = "Hello"


SPLIT = "é😀👩‍🚀"

DONE = b'{"done": "stop"}'

ODDITIES = [
    Oddity(47, "a key twice", JSON, [Message(b'{"text": "?", "text": "!"}'), Finish()], "Hello!"),
    Oddity(53, "byte by byte", REMOTE, [Split(1), SPLIT, Finish()], f"Hello{SPLIT}"),
    Oddity(53, "in parts", REMOTE, [Fragment(40), SPLIT, Finish()], f"Hello{SPLIT}"),
    Oddity(58, "more after the last", ALL, [Finish(), "no", Finish()]),
    Oddity(62, "pings", WEBSOCKETS, [RawBytes(ws_frame(b"?", opcode=PING) * 20_000), Finish()]),
    Oddity(62, "comments", ("http",), [RawBytes(chunk(b": ?\n\n") * 20_000), Finish()]),
    Oddity(63, "pongs", WEBSOCKETS, [RawBytes(ws_frame(b"!", opcode=PONG) * 1000), Finish()]),
    Oddity(68, "an empty last frame", ALL, [Finish()]),
    Oddity(69, "no bill", STRANGERS, [Finish()]),
    *(
        Oddity(69, what, JSON, [Message(DONE[:-1] + b', "usage": ' + bill + b"}")])
        for what, bill in {"a text": b'"7"', "empty": b"{}", "odd": b'{"words": 7}'}.items()
    ),
]


@every_way
@over_carriers(ODDITIES)
def test_an_answer_that_is_whole_all_the_same(
    case: Oddity, carrier: Carrier, service: Upstream, way: Way
) -> None:
    """Nothing is lost, nothing added, and no bill is made up."""
    client = carrier.client(service)
    service.play("Hel", "lo", *case.steps)
    output = way(client, asked())[-1]
    assert (output.text, output.finish_reason, output.final) == (case.text, "stop", True)
    assert case.row != 69 or output.usage is None
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, way)


@pytest.mark.fault(68)
@every_way
@over(*ALL)
def test_an_answer_without_a_word(carrier: Carrier, service: Upstream, way: Way) -> None:
    """It is empty, and whole."""
    client = carrier.client(service)
    service.play(Finish())
    output = way(client, asked())[-1]
    assert (output.text, output.finish_reason) == ("", "stop")
    is_answered(client, service, way)
