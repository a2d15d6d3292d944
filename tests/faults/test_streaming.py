"""Rows 34 to 69: amid an answer; what had come is kept, and the same client is answered then."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pytest

from modelplug import (
    ConnectionLostError,
    ContentFilterError,
    DecodeError,
    Delta,
    Finish,
    IdleTimeoutError,
    ProtocolError,
    ProxyLLMError,
    SchemaError,
    SequenceError,
    ServerError,
    Timeouts,
    TooLargeError,
    TotalTimeoutError,
    TruncatedStreamError,
    new_client,
)
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Drip,
    Fragment,
    Garbage,
    GarbageKind,
    HangUp,
    KeepAlive,
    Message,
    RawBytes,
    Reset,
    Silence,
    Split,
    Step,
)
from modelplug.testing.websocket import WebSocketUpstream
from tests.core.transport.peers import CONTINUED, PING, PONG, TEXT
from tests.core.transport.peers import frame as ws_frame
from tests.faults.asking import (
    PATIENT,
    VIRTUAL_WAYS,
    Expected,
    Way,
    answered,
    every_way,
    failure,
    told,
)
from tests.faults.servers import Handler, Server, answer, saying
from tests.providers.spark.wire import COUNTS, SID, encoded, frame
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient
from tests.support.spark import client_of

BEGUN = frame("Hel", 0, status=0), frame("lo", 1)
"""How each answer begins."""

NEXT = frame("!", 2)

LAST = frame("", 2, status=2, usage=COUNTS)

IDLE = Timeouts(connect=30, open=30, first_delta=30, idle=0.5, total=60)


class Case(NamedTuple):
    """What comes after the beginning of an answer, and what it must be."""

    row: int
    what: str
    steps: Sequence[Step]
    error: type[ProxyLLMError]
    retryable: bool = False
    partial: str = "Hello"
    timeouts: Timeouts = PATIENT


def says(row: int, what: str, error: type[ProxyLLMError], *frames: bytes) -> Case:
    """Frames that no answer has."""
    return Case(row, what, [Message(each) for each in frames], error)


def breaks(row: int, what: str, error: type[ProxyLLMError], written: bytes) -> Case:
    """Bytes that no WebSocket has."""
    return Case(row, what, [RawBytes(written)], error)


def garbage(row: int, kind: GarbageKind, error: type[ProxyLLMError]) -> Case:
    """What no client can read."""
    return Case(row, kind, [Garbage(kind)], error)


def closes(row: int, code: int, *, retryable: bool) -> Case:
    """A close frame before the last of the answer."""
    step = CloseCode(code, "a reason\x1b[31m")
    return Case(row, f"close {code}", [step], TruncatedStreamError, retryable)


def idle(row: int, what: str, *steps: Step, partial: str = "Hello") -> Case:
    """Nothing more that is a piece."""
    return Case(row, what, steps, IdleTimeoutError, True, partial, IDLE)


def changed(**fields: object) -> bytes:
    """A third frame with other fields in its choices."""
    choices = {"status": 1, "seq": 2, "text": [{"content": "!"}], **fields}
    choices = {name: value for name, value in choices.items() if value is not None}
    header = {"code": 0, "message": "Success", "sid": SID}
    return encoded({"header": header, "payload": {"choices": choices}})


DEEP = NEXT.replace(b'"seq": 2', b'"more": ' + b"[" * 5000 + b"]" * 5000 + b', "seq": 2')

WITH_DIGITS = NEXT.replace(b'"seq": 2', b'"seq": ' + b"9" * 5000)

# A frame that says it is compressed: 256 MiB of nought, as deflate has them, would be 256 KiB.
COMPRESSED = bytes([0x80 | 0x40 | TEXT, 5]) + b"\xaa\x56\x4a\x04\x00"

CASES = [
    Case(34, "reset", [Reset()], ConnectionLostError, retryable=True),
    Case(34, "end of file", [CutFrame(0)], ConnectionLostError, retryable=True),
    Case(34, "amid a frame", [CutFrame(0.5)], ConnectionLostError, retryable=True),
    idle(35, "silence", Silence()),
    idle(35, "pings", KeepAlive(0.02)),
    idle(35, "empty pieces", Drip(0.02), *[Message(frame("", seq)) for seq in range(2, 500)]),
    breaks(39, "one frame", TooLargeError, ws_frame(b"x" * ((1 << 20) + 1))),
    breaks(
        40,
        "empty pieces",
        TooLargeError,
        ws_frame(fin=False) + ws_frame(opcode=CONTINUED, fin=False) * 5000,
    ),
    breaks(
        40,
        "large pieces",
        TooLargeError,
        ws_frame(b"x" * 200_000, fin=False)
        + ws_frame(b"x" * 200_000, opcode=CONTINUED, fin=False) * 6,
    ),
    idle(41, "begun", RawBytes(ws_frame(NEXT[:20], fin=False)), Silence()),
    breaks(42, "compressed", ProtocolError, COMPRESSED),
    garbage(45, "text", DecodeError),
    says(45, "half", DecodeError, b"{oops"),
    says(45, "nothing", DecodeError, b""),
    says(46, "deep", DecodeError, DEEP),
    says(47, "digits", SchemaError, WITH_DIGITS),
    says(47, "NaN", DecodeError, NEXT.replace(b'"seq": 2', b'"seq": NaN')),
    says(47, "1e999", SchemaError, NEXT.replace(b'"seq": 2', b'"seq": 1e999')),
    says(48, "a surrogate", DecodeError, NEXT.replace(b'"!"', b'"\\ud800"')),
    garbage(49, "shape", SchemaError),
    *(says(49, each, SchemaError, each.encode()) for each in ("[]", "null", "7", "{}", '"a"')),
    says(50, "a text for a code", SchemaError, NEXT.replace(b'"code": 0', b'"code": "0"')),
    says(50, "a number for a text", SchemaError, NEXT.replace(b'"!"', b"7")),
    says(50, "a list for choices", SchemaError, NEXT.replace(b'{"status"', b'[{"status"', 1)[:-2]),
    garbage(51, "utf8", SchemaError),
    breaks(51, "in a text", DecodeError, ws_frame(NEXT.replace(b"!", b"\xff\xfe"))),
    garbage(52, "binary", SchemaError),
    says(54, "a gap", SequenceError, frame("!", 3)),
    says(55, "another of the same number", SequenceError, frame("?", 1)),
    says(56, "backwards", SequenceError, frame("!", 0)),
    says(56, "the next but one first", SequenceError, frame("!", 3), frame("?", 2)),
    Case(57, "hung up", [HangUp()], TruncatedStreamError, retryable=True),
    closes(57, 1000, retryable=True),
    says(59, "status 9", SchemaError, changed(status=9)),
    says(61, "in the last frame", ContentFilterError, frame("!", 2, status=2, code=10014)),
    *(closes(64, code, retryable=True) for code in (1011, 1012, 1013, 4000)),
    *(closes(65, code, retryable=False) for code in (1003, 1008, 1009)),
    garbage(66, "opcode", ProtocolError),
    garbage(66, "reserved", ProtocolError),
    garbage(66, "masked", ProtocolError),
    garbage(66, "length", TooLargeError),
    garbage(66, "continuation", ProtocolError),
    says(67, "another session", SequenceError, frame("!", 2, sid="cht-another")),
]


def params(cases: Sequence[Case]) -> list[object]:
    """Cases by their rows and names, marked."""
    return [
        pytest.param(each, id=f"{each.row} {each.what}", marks=pytest.mark.fault(each.row))
        for each in cases
    ]


@every_way
@pytest.mark.parametrize("case", params(CASES))
def test_an_answer_that_fails(spark: WebSocketUpstream, case: Case, way: Way) -> None:
    """The right class, what had come before, and the service sees its client leave."""
    client = client_of(spark)
    spark.play(*map(Message, BEGUN), *case.steps)
    expected = Expected(case.error, case.retryable, case.partial, sent="yes")
    assert expected == told(failure(client, way, case.timeouts), expected)
    assert spark.exchanges[-1].wait_gone()
    spark.play("fine", Finish())
    assert answered(client, way) == "fine"


@pytest.mark.fault(38)
@every_way
def test_a_piece_now_and_then(spark: WebSocketUpstream, way: Way) -> None:
    """However lively an answer is, it may not take longer than all the time that it has."""
    client = client_of(spark)
    pieces = [Message(frame(".", seq)) for seq in range(2, 1000)]
    spark.play(*map(Message, BEGUN), Drip(0.02), *pieces)
    error = failure(client, way, Timeouts(idle=30, total=1.0))
    assert (type(error), error.retryable) == (TotalTimeoutError, False)
    assert error.partial is not None
    assert error.partial.text.rstrip(".") == "Hello"
    assert spark.exchanges[-1].wait_gone()
    spark.play("fine", Finish())
    assert answered(client, way) == "fine"


def half_open(connection: socket.socket) -> None:
    """Neither read nor write nor close, as a machine does that is gone."""
    left.wait(30)


def drip(connection: socket.socket) -> None:
    """A frame byte by byte, never complete in time."""
    for byte in ws_frame(NEXT * 100):
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.02)


left = threading.Event()
"""Set once the client has given up."""

SAID = b"".join(map(ws_frame, BEGUN))


@every_way
@pytest.mark.parametrize(
    ("then", "timeouts", "error", "retryable"),
    [
        pytest.param(half_open, IDLE, IdleTimeoutError, True, id="36", marks=pytest.mark.fault(36)),
        pytest.param(drip, IDLE, IdleTimeoutError, True, id="37", marks=pytest.mark.fault(37)),
        pytest.param(
            drip,
            Timeouts(idle=30, total=1.0),
            TotalTimeoutError,
            False,
            id="37 in all",
            marks=pytest.mark.fault(37),
        ),
    ],
)
def test_a_connection_that_stays_and_brings_nothing(
    then: Handler, timeouts: Timeouts, error: type[ProxyLLMError], retryable: bool, way: Way
) -> None:
    """Bytes are no progress, pieces are."""
    left.clear()
    with Server(saying(SAID, then=then), answer) as server:
        client = client_of(server.url)
        expected = Expected(error, retryable, "Hello", "yes")
        assert expected == told(failure(client, way, timeouts), expected)
        left.set()
        assert answered(client, way) == "fine"
        assert server.wait_gone()


@pytest.mark.fault(42)
@every_way
def test_compression_is_not_offered(spark: WebSocketUpstream, way: Way) -> None:
    """What wasn't offered can't be used for a bomb."""
    spark.play("fine", Finish())
    assert answered(client_of(spark), way) == "fine"
    assert "sec-websocket-extensions" not in map(str.lower, spark.exchanges[-1].headers)


class Oddity(NamedTuple):
    """What looks odd and fails nothing, and the text of the answer."""

    row: int
    what: str
    steps: Sequence[Step]
    text: str = "Hello"


def bill(counts: object) -> list[Step]:
    """A last frame with this for its bill."""
    last = frame("", 2, status=2, usage=COUNTS)
    plain = encoded(COUNTS)
    return [Message(last.replace(plain, encoded(counts)))]


ODDITIES = [
    Oddity(47, "a key twice", [Message(LAST.replace(b'"seq": 2', b'"seq": 7, "seq": 2'))]),
    Oddity(
        53,
        "byte by byte",
        [Split(1), Message(frame("é😀👩‍🚀", 2)), Message(frame("", 3, status=2))],
        "Helloé😀👩‍🚀",
    ),
    Oddity(
        53,
        "in frames",
        [Fragment(40), Message(frame("é😀👩‍🚀", 2)), Message(frame("", 3, status=2))],
        "Helloé😀👩‍🚀",
    ),
    Oddity(55, "the same once more", [Message(BEGUN[1]), Message(LAST)]),
    Oddity(58, "more after the last", [Message(LAST), Message(frame("no", 3)), Message(LAST)]),
    Oddity(
        59, "no status but the header's", [Message(LAST.replace(b'{"status": 2, "seq"', b'{"seq"'))]
    ),
    Oddity(62, "pings", [RawBytes(ws_frame(b"?", opcode=PING) * 20_000), Message(LAST)]),
    Oddity(63, "pongs", [RawBytes(ws_frame(b"!", opcode=PONG) * 1000), Message(LAST)]),
    Oddity(68, "an empty last frame", [Message(LAST)]),
    Oddity(69, "no bill", [Message(frame("", 2, status=2))]),
    *(
        Oddity(69, what, bill(counts))
        for what, counts in {
            "negative": {"prompt_tokens": -1, "completion_tokens": 1},
            "a text": {"prompt_tokens": "7", "completion_tokens": "7"},
            "huge": {"prompt_tokens": 10**30, "completion_tokens": 1},
            "empty": {},
        }.items()
    ),
]


@every_way
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(each, id=f"{each.row} {each.what}", marks=pytest.mark.fault(each.row))
        for each in ODDITIES
    ],
)
def test_an_answer_that_is_whole_all_the_same(
    spark: WebSocketUpstream, case: Oddity, way: Way
) -> None:
    """Nothing is lost, nothing added, and no bill is made up."""
    spark.play(*map(Message, BEGUN), *case.steps)
    output = way(client_of(spark), "hi")[-1]
    assert (output.text, output.finish_reason, output.final) == (case.text, "stop", True)
    assert (output.usage is None) == (case.row == 69 or b"usage" not in repr(case.steps).encode())
    assert spark.exchanges[-1].wait_gone()


@pytest.mark.fault(68)
@every_way
def test_an_answer_without_a_word(spark: WebSocketUpstream, way: Way) -> None:
    """It is empty, and whole."""
    spark.play(Finish())
    output = way(client_of(spark), "hi")[-1]
    assert (output.text, output.finish_reason) == ("", "stop")


@pytest.mark.fault(54, 56)
@every_way
def test_disorder_where_the_app_allows_it(spark: WebSocketUpstream, way: Way) -> None:
    """It is taken as it comes, with one warning."""
    spark.play(*map(Message, BEGUN), Message(frame("!", 5)), Message(frame("?", 3, status=2)))
    output = way(client_of(spark, sequence="lenient"), "hi")[-1]
    assert (output.text, len(output.warnings)) == ("Hello!?", 1)


# ------------------------------------------------------------------ without a wire

both_kinds = pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])

FAILURES = {
    34: ConnectionLostError("cut"),
    45: DecodeError("no JSON"),
    57: None,
    60: ServerError("sorry"),
}
"""What a plugin raises amid an answer; None for no Finish."""


@every_way
@both_kinds
@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(failing, id=str(row), marks=pytest.mark.fault(row, subject="hostile"))
        for row, failing in FAILURES.items()
    ],
)
def test_a_plugin_that_fails(
    failing: ProxyLLMError | None, kind: type[ScriptedClient], way: Way
) -> None:
    """The same of a plugin, in one style or the other: its own error, with what had come."""
    raised = [] if failing is None else [type(failing)(failing.message)]
    client = kind(Delta("Hel"), Delta("lo"), *raised)
    expected = Expected(type(failing or TruncatedStreamError("")), True, "Hello")
    expected = expected._replace(retryable=expected.error.retryable)
    assert expected == told(failure(client, way), expected)
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"
    client.close()


@pytest.mark.fault(60, subject="echo")
@every_way
def test_echo_that_is_told_to_fail(way: Way) -> None:
    """The reference fails as a service would."""
    client = new_client("echo?fail_after=1")
    expected = Expected(ServerError, retryable=True, partial="hi")
    assert expected == told(failure(client, way), expected)


@pytest.mark.parametrize("way", VIRTUAL_WAYS.values(), ids=VIRTUAL_WAYS)
@pytest.mark.parametrize(
    ("row", "pauses", "error", "limit"),
    [
        pytest.param(
            35,
            [29, 29, 1e6],
            IdleTimeoutError,
            30.0,
            id="35",
            marks=pytest.mark.fault(35, subject="hostile"),
        ),
        pytest.param(
            38,
            [29] * 100,
            TotalTimeoutError,
            600.0,
            id="38",
            marks=pytest.mark.fault(38, subject="hostile"),
        ),
    ],
)
def test_minutes_of_an_answer(
    row: int, pauses: Sequence[float], error: type[ProxyLLMError], limit: float, way: Way
) -> None:
    """Each piece may take its half minute, all of them together ten."""
    steps = [step for pause in pauses for step in (Delta("a"), partial(asyncio.sleep, pause))]
    client = AsyncScripted(*steps)
    caught = failure(client, way, Timeouts())
    assert (type(caught), getattr(caught, "limit", None)) == (error, limit)
    assert caught.partial is not None
    assert caught.partial.text == "a" * min(len(pauses), 21)
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"
