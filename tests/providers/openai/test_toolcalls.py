"""Pieces of tool calls find their call, however a server numbers them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import Delta, ToolCallDelta
from modelplug_openai.chunks import FunctionPiece, Piece, ToolPiece
from modelplug_openai.toolcalls import ToolCalls
from tests.providers.openai.wire import calls_of, encoded


def piece(
    index: object = None, id: str | None = None, name: str | None = None, arguments: Any = None
) -> dict[str, Any]:
    """A piece as it comes over the wire, with nulls where nothing is said."""
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": id, "type": "function", "function": function}


def called(*pieces: dict[str, Any]) -> list[tuple[int, str | None, str | None, str]]:
    """The calls that some pieces make, each in a delta: number, id, name, arguments."""
    return called_in(*({"tool_calls": [each]} for each in pieces))


def called_in(*deltas: dict[str, Any]) -> list[tuple[int, str | None, str | None, str]]:
    """The calls that some deltas make."""
    calls = ToolCalls()
    taken = [calls.take(msgspec.json.decode(encoded(each), type=Piece)) for each in deltas]
    return calls_of([Delta(tool_call=call) for found in taken for call in found])


A = '{"place": "K\\u00f6ln"}'
B = '{"zone": "北京"}'
BRACES = '{"a": "${b}{c}\\"}{", "d": {"e": "\\\\"}}'
BOTH = [(0, "a", "weather", A), (1, "b", "clock", B)]

SHAPES = {
    "interleaved by index": [
        piece(0, "a", "weather", ""),
        piece(1, "b", "clock", ""),
        piece(0, arguments=A[:5]),
        piece(1, arguments=B[:5]),
        piece(0, arguments=A[5:]),
        piece(1, arguments=B[5:]),
    ],
    "interleaved by id": [
        piece(id="a", name="weather"),
        piece(id="b", name="clock"),
        piece(id="a", arguments=A[:5]),
        piece(id="b", arguments=B[:5]),
        piece(id="a", arguments=A[5:]),
        piece(id="b", arguments=B[5:]),
    ],
    "whole, in one piece each": [piece(0, "a", "weather", A), piece(1, "b", "clock", B)],
    "id first and alone": [
        piece(0, "a"),
        piece(0, name="weather"),
        piece(0, arguments=A),
        piece(1, "b"),
        piece(1, name="clock"),
        piece(1, arguments=B),
    ],
    "no index": [
        piece(id="a", name="weather", arguments=A[:5]),
        piece(arguments=A[5:]),
        piece(id="b", name="clock", arguments=B[:5]),
        piece(arguments=B[5:]),
    ],
    "every index 0": [piece(0, "a", "weather", A), piece(0, "b", "clock", B)],
    "id and name in each piece": [
        piece(0, "a", "weather", A[:5]),
        piece(0, "a", "weather", A[5:]),
        piece(1, "b", "clock", B[:5]),
        piece(1, "b", "clock", B[5:]),
    ],
    "cut within an escape": [
        piece(0, "a", "weather", A[: A.index("u00")]),
        piece(0, arguments=A[A.index("u00") :]),
        piece(1, "b", "clock", B),
    ],
    "another id for each piece": [
        piece(0, "a", "weather", A[:5]),
        piece(0, "x", None, A[5:]),
        piece(1, "b", "clock", B[:5]),
        piece(1, "y", None, B[5:]),
    ],
    "id at the end": [
        piece(0, None, "weather", A),
        piece(0, "a"),
        piece(1, None, "clock", B),
        piece(1, "b"),
    ],
    "an index that is none": [piece([0], "a", "weather", A), piece(-1, "b", "clock", B)],
    "index as text": [
        piece("0", "a", "weather"),
        piece("1", "b", "clock"),
        piece("0", arguments=A),
        piece("1", arguments=B),
    ],
    "index with a point": [
        piece(0.0, "a", "weather"),
        piece(1.0, "b", "clock"),
        piece(0.0, arguments=A),
        piece(1.0, arguments=B),
    ],
    "index from the second piece on": [
        piece(id="a", name="weather", arguments=A[:5]),
        piece(0, arguments=A[5:]),
        piece(id="b", name="clock", arguments=B[:5]),
        piece(1, arguments=B[5:]),
    ],
    "index late, interleaved": [
        piece(id="a", name="weather"),
        piece(id="b", name="clock"),
        piece(0, arguments=A),
        piece(1, arguments=B),
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_calls_come_out_whole(shape: str) -> None:
    """In every shape that servers are known to send."""
    assert called(*SHAPES[shape]) == BOTH


def test_calls_without_ids_or_indices_are_told_apart_by_their_names() -> None:
    """Whole ones, also of the same function."""
    pieces = [piece(name="f", arguments="{}"), piece(name="g", arguments=A)]
    assert called(*pieces) == [(0, None, "f", "{}"), (1, None, "g", A)]
    again = [piece(0, name="f", arguments="{}"), piece(0, name="f", arguments=A)]
    assert called(*again) == [(0, None, "f", "{}"), (1, None, "f", A)]


def test_a_name_once_more_is_no_other_call() -> None:
    """Where the arguments go on."""
    pieces = [piece(0, name="f", arguments='{"a'), piece(0, name="f", arguments='": 1}')]
    assert called(*pieces) == [(0, None, "f", '{"a": 1}')]


def test_an_index_without_id_and_name_goes_on_with_the_call_before() -> None:
    """Though nobody has told of it: nothing can be called without a name."""
    pieces = [piece(0, "a", "f", "{"), piece(7, arguments="}")]
    assert called(*pieces) == [(0, "a", "f", "{}")]


def test_calls_of_one_id_are_told_apart_by_their_indices() -> None:
    """Some give each call its function's name for an id."""
    pieces = [
        piece(0, "f", "f", '{"a": '),
        piece(1, "f", "f", '{"b": '),
        piece(0, "f", None, "1}"),
        piece(1, "f", None, "2}"),
    ]
    assert called(*pieces) == [(0, "f", "f", '{"a": 1}'), (1, "f", "f", '{"b": 2}')]


def test_two_entries_of_a_delta_are_two_calls() -> None:
    """Also where nothing tells them apart; not what has no name, or the same index."""
    assert called_in({"tool_calls": [piece(name="f"), piece(name="f")]}) == [
        (0, None, "f", ""),
        (1, None, "f", ""),
    ]
    parts = [piece(name="f"), piece(arguments="{}")]
    assert called_in({"tool_calls": parts}) == [(0, None, "f", "{}")]
    parts = [piece(0, name="f"), piece(0, name="f", arguments="{}")]
    assert called_in({"tool_calls": parts}) == [(0, None, "f", "{}")]
    apart = [{"tool_calls": [each]} for each in (piece(name="f"), piece(name="f"))]
    assert called_in(*apart) == [(0, None, "f", "")]


@pytest.mark.parametrize("cut", range(1, len(BRACES)))
def test_a_brace_within_a_text_ends_no_call(cut: int) -> None:
    """However the arguments are cut, and though the name comes again."""
    pieces = [piece(0, name="f", arguments=part) for part in (BRACES[:cut], BRACES[cut:])]
    assert called(*pieces, piece(0, name="f", arguments="{}")) == [
        (0, None, "f", BRACES),
        (1, None, "f", "{}"),
    ]


def test_a_call_keeps_the_services_number() -> None:
    """Unless that is taken."""
    pieces = [piece(3, "a", "f"), piece(1, "b", "g"), piece(3, "c", "h"), piece(id="d", name="i")]
    assert [number for number, *_ in called(*pieces)] == [3, 1, 4, 5]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (None, ""),
        ("", ""),
        ("[]", "[]"),
        ('{"a": ', '{"a": '),
        ({"a": "ö"}, '{"a":"ö"}'),
        ({}, "{}"),
        ([1], "[1]"),
        (0, "0"),
        (False, "false"),
    ],
    ids=repr,
)
def test_arguments_come_out_as_they_came(arguments: object, text: str) -> None:
    """Also those that are no JSON; what is no text becomes its JSON."""
    assert [(0, "c", "f", text)] == called(piece(0, "c", "f", arguments))


@pytest.mark.parametrize(("odd", "text"), [(7, "7"), (0, "0"), (["c"], '["c"]')], ids=repr)
def test_an_id_or_a_name_that_is_no_text_is_shown(odd: Any, text: str) -> None:
    """A call that can't be made is for the caller to see."""
    assert [(0, text, "f", "{}")] == called(piece(0, odd, "f", "{}"))
    assert [(0, "c", text, "{}")] == called(piece(0, "c", odd, "{}"))


def test_a_null_among_the_calls_is_none() -> None:
    """What is beside it counts."""
    assert called_in({"tool_calls": [None, piece(0, "c", "f", "{}")]}) == [(0, "c", "f", "{}")]


@pytest.mark.parametrize("nothing", [{}, piece(0), piece(0, "", "", "")], ids=repr)
def test_a_piece_that_says_nothing_is_none(nothing: dict[str, Any]) -> None:
    """And begins no call."""
    calls = ToolCalls()
    assert calls.take(Piece(tool_calls=msgspec.convert(nothing, ToolPiece))) == []
    assert not calls


def test_id_and_name_are_told_once() -> None:
    """As the contract has it."""
    calls = ToolCalls()
    part = Piece(tool_calls=[ToolPiece(index=0, id="c", function=FunctionPiece("f", "{"))])
    assert [ToolCallDelta(0, id="c", name="f", arguments="{")] == calls.take(part)
    assert [ToolCallDelta(0, arguments="{")] == calls.take(part)
    part = Piece(tool_calls=[ToolPiece(index=0, id="c", function=FunctionPiece("f"))])
    assert calls.take(part) == []
    assert calls


@pytest.mark.parametrize(
    "spelling",
    [
        {"tool_calls": [piece(0, name="f")]},
        {"tool_calls": piece(0, name="f")},
        {"function_call": {"name": "f"}},
        {"tool_calls": [], "function_call": {"name": "f"}},
    ],
    ids=["list", "object", "old", "both"],
)
def test_every_spelling_has_its_calls(spelling: dict[str, Any]) -> None:
    """A list, one object, and OpenAI's old one, also beside an empty list."""
    assert called_in(spelling) == [(0, None, "f", "")]


@given(
    st.lists(
        st.lists(st.text('{}ab\\"', max_size=3), min_size=1, max_size=4), min_size=1, max_size=4
    ),
    st.randoms(use_true_random=False),
)
def test_interleaved_pieces_find_their_call(calls: list[list[str]], random: Any) -> None:
    """By index, in whatever order of calls, as long as each one's pieces are in theirs."""
    queues = [
        [
            piece(number, f"c{number}" * (not at), f"f{number}" * (not at), text)
            for at, text in enumerate(texts)
        ]
        for number, texts in enumerate(calls)
    ]
    pieces = []
    while any(queues):
        pieces.append(random.choice([queue for queue in queues if queue]).pop(0))
    expected = [(n, f"c{n}", f"f{n}", "".join(texts)) for n, texts in enumerate(calls)]
    assert expected == sorted(called(*pieces))
