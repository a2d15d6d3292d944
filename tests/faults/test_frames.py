"""Rows 42 to 69 in Spark's own frames: what no other wire has, or says in other words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from modelplug import (
    ContentFilterError,
    DecodeError,
    ProxyLLMError,
    SchemaError,
    SequenceError,
)
from modelplug.testing import Fragment, Message, Split, Step
from modelplug.testing.upstream import Upstream
from modelplug.testing.websocket import WebSocketUpstream
from tests.core.transport.peers import frame as ws_frame
from tests.faults.asking import Way, asked, every_way
from tests.faults.carriers import Carrier
from tests.faults.cases import Case, breaks, garbage, is_answered, over_carriers, says, shown
from tests.providers.spark.wire import COUNTS, SID, encoded, frame
from tests.support.spark import client_of

SPARK = ("spark",)

BEGUN = frame("Hel", 0, status=0), frame("lo", 1)
"""How each answer begins."""

NEXT = frame("!", 2)

LAST = frame("", 2, status=2, usage=COUNTS)


def changed(**fields: object) -> bytes:
    """A third frame with other fields in its choices."""
    choices = {"status": 1, "seq": 2, "text": [{"content": "!"}], **fields}
    choices = {name: value for name, value in choices.items() if value is not None}
    header = {"code": 0, "message": "Success", "sid": SID}
    return encoded({"header": header, "payload": {"choices": choices}})


def told(row: int, what: str, error: type[ProxyLLMError], *frames: bytes) -> Case:
    """Frames of Spark's that no answer has, after two that it has."""
    return says(row, what, SPARK, error, *frames)._replace(begun=[*map(Message, BEGUN)])


DEEP = NEXT.replace(b'"seq": 2', b'"more": ' + b"[" * 5000 + b"]" * 5000 + b', "seq": 2')

WITH_DIGITS = NEXT.replace(b'"seq": 2', b'"seq": ' + b"9" * 5000)

CASES = [
    told(45, "nothing", DecodeError, b""),
    told(46, "deep", DecodeError, DEEP),
    told(47, "digits", SchemaError, WITH_DIGITS),
    told(47, "NaN", DecodeError, NEXT.replace(b'"seq": 2', b'"seq": NaN')),
    told(47, "1e999", SchemaError, NEXT.replace(b'"seq": 2', b'"seq": 1e999')),
    told(48, "a surrogate", DecodeError, NEXT.replace(b'"!"', b'"\\ud800"')),
    *(told(49, each, SchemaError, each.encode()) for each in ("[]", "null", "7", "{}", '"a"')),
    told(50, "a text for a code", SchemaError, NEXT.replace(b'"code": 0', b'"code": "0"')),
    told(50, "a number for a text", SchemaError, NEXT.replace(b'"!"', b"7")),
    told(50, "a list for choices", SchemaError, NEXT.replace(b'{"status"', b'[{"status"', 1)[:-2]),
    garbage(51, "utf8", SPARK, SchemaError),
    breaks(51, "in a text", SPARK, DecodeError, ws_frame(NEXT.replace(b"!", b"\xff\xfe"))),
    told(54, "a gap", SequenceError, frame("!", 3)),
    told(55, "another of the same number", SequenceError, frame("?", 1)),
    told(56, "backwards", SequenceError, frame("!", 0)),
    told(56, "the next but one first", SequenceError, frame("!", 3), frame("?", 2)),
    told(59, "status 9", SchemaError, changed(status=9)),
    told(61, "in the last frame", ContentFilterError, frame("!", 2, status=2, code=10014)),
    told(67, "another session", SequenceError, frame("!", 2, sid="cht-another")),
]


@every_way
@over_carriers(CASES)
def test_an_answer_that_fails(case: Case, carrier: Carrier, service: Upstream, way: Way) -> None:
    """The right class, what had come before, and the service sees its client leave."""
    shown(case, carrier, service, way)


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
    client = client_of(spark)
    output = way(client, asked())[-1]
    assert (output.text, output.finish_reason, output.final) == (case.text, "stop", True)
    assert (output.usage is None) == (case.row == 69 or b"usage" not in repr(case.steps).encode())
    assert spark.exchanges[-1].wait_gone()
    is_answered(client, spark, way)


@pytest.mark.fault(54, 56)
@every_way
def test_disorder_where_the_app_allows_it(spark: WebSocketUpstream, way: Way) -> None:
    """It is taken as it comes, with one warning."""
    spark.play(*map(Message, BEGUN), Message(frame("!", 5)), Message(frame("?", 3, status=2)))
    output = way(client_of(spark, sequence="lenient"), asked())[-1]
    assert (output.text, len(output.warnings)) == ("Hello!?", 1)
