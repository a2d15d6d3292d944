"""What the service says to a question."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelplug import Delta, Finish, Usage
from modelplug_openai.emulation.inquiry import tokens
from modelplug_openai.emulation.replies import reply
from tests.providers.openai.emulation.test_inquiry import CALLING, HI, RESULT, asked, inquired
from tests.providers.openai.wire import calls_of, text_of, thinking_of

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["C", "F"]},
        "days": {"type": "integer"},
        "hours": {"type": "array"},
        "exact": {"type": "boolean"},
        "at": {"type": "object", "properties": {"x": {"type": "number"}}},
        "note": {"type": "null"},
        "not wanted": {"type": "string"},
    },
    "required": ["city", "unit", "days", "hours", "exact", "at", "note", "unheard of"],
}
FITS = {
    "city": "weather?",
    "unit": "C",
    "days": 1,
    "hours": [],
    "exact": True,
    "at": {"x": 1},
    "note": None,
    "unheard of": "weather?",
}
ODD: dict[str, Any] = {"required": [[], {}, None, 7, "a"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA}}
    for name in ("time", "weather")
]


def replied(
    *messages: object, forbidden: tuple[str, ...] = (), **fields: Any
) -> list[Delta | Finish]:
    """The pieces of an answer."""
    return reply(inquired(asked(*messages, **fields)), forbidden=forbidden)


def end_of(pieces: list[Delta | Finish]) -> Finish:
    """The last of them, and the only one of its kind."""
    (end,) = (piece for piece in pieces if isinstance(piece, Finish))
    assert pieces[-1] is end
    return end


def test_an_answer_shows_what_was_asked() -> None:
    """The model, the instructions, how many messages, and the question."""
    text = text_of(replied({"role": "system", "content": "Be brief."}, HI))
    for part in ("stand-in of m", "“Be brief.”", "received: 2", "“hi”"):
        assert part in text


def test_an_answer_is_in_words() -> None:
    """Of which none is empty, and as many as are billed."""
    *deltas, end = replied()
    assert all(isinstance(delta, Delta) and delta.text.strip() for delta in deltas)
    assert isinstance(end, Finish)
    assert (end.reason, end.usage) == (
        "stop",
        Usage(prompt_tokens=tokens("hi"), completion_tokens=len(deltas)),
    )


@pytest.mark.parametrize(("limit", "reason"), [(3, "length"), (10_000, "stop")])
def test_an_answer_has_so_many_words_at_the_most(limit: int, reason: str) -> None:
    """Those that were asked for."""
    pieces = replied(max_tokens=limit)
    assert (reason, len(pieces) - 1 <= limit) == (end_of(pieces).reason, True)


def test_an_answer_stops_where_it_shall() -> None:
    """Before the first of the texts, also where that is within a word."""
    pieces = replied(stop=["thinks", "ocal"])
    assert (text_of(pieces), end_of(pieces).reason) == ("This is the l", "stop")


def test_a_forbidden_word_ends_an_answer() -> None:
    """With the reason for that."""
    pieces = replied(forbidden=("model",))
    assert (text_of(pieces), end_of(pieces).reason) == (
        "This is the local stand-in of m; no ",
        "content_filter",
    )


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({}, False),
        ({"model": "a-thinker"}, True),
        ({"model": "o-reasoner"}, True),
        ({"reasoning_effort": "low"}, True),
        ({"model": "a-thinker", "reasoning_effort": "none"}, False),
    ],
    ids=str,
)
def test_some_think_first(fields: dict[str, Any], thinks: bool) -> None:
    """Those with such a name, and whoever is asked to."""
    pieces = replied(**fields)
    usage = end_of(pieces).usage
    assert usage is not None
    assert (thinks, thinks) == (bool(thinking_of(pieces)), bool(usage.reasoning_tokens))
    if thinks:
        assert isinstance(pieces[0], Delta)
        assert pieces[0].reasoning
        assert (usage.completion_tokens or 0) > (usage.reasoning_tokens or 0)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({}, ["weather"]),
        ({"tool_choice": "auto"}, ["weather"]),
        ({"tool_choice": "required"}, ["weather"]),
        ({"tool_choice": "none"}, []),
        ({"tool_choice": {"type": "function", "function": {"name": "time"}}}, ["time"]),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}}, []),
        ({"tool_choice": {"type": "function"}}, []),
    ],
    ids=str,
)
def test_a_function_that_is_named_is_called(choice: dict[str, Any], names: list[str]) -> None:
    """By the question, or by the choice."""
    pieces = replied({"role": "user", "content": "weather?"}, tools=TOOLS, **choice)
    assert names == [name for _, _, name, _ in calls_of(pieces)]
    assert end_of(pieces).reason == ("tool_calls" if names else "stop")


@pytest.mark.parametrize(("choice", "names"), [("auto", []), ("required", ["time"])])
def test_a_call_can_be_wanted_in_any_case(choice: str, names: list[str]) -> None:
    """Then it is the first, where the question names none."""
    pieces = replied(tools=TOOLS, tool_choice=choice)
    assert names == [name for _, _, name, _ in calls_of(pieces)]


def test_a_call_comes_in_pieces() -> None:
    """Its id and name first; together the arguments are the least that fits."""
    pieces = replied({"role": "user", "content": "weather?"}, tools=TOOLS)
    assert len(pieces) > 3
    ((_, id_, _, arguments),) = calls_of(pieces)
    assert json.loads(arguments) == FITS
    assert (id_ or "").startswith("call_")


def test_a_result_is_answered() -> None:
    """In text, without another call."""
    pieces = replied(HI, CALLING, RESULT, tools=TOOLS, tool_choice="required")
    assert calls_of(pieces) == []
    assert "The tool said: “rain”" in text_of(pieces)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"type": "json_object"}, {"answer": "weather?"}),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}, FITS),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}, {}),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": ODD}}, {"a": "weather?"}),
    ],
    ids=["object", "schema", "any", "odd"],
)
def test_an_answer_may_be_json(wanted: object, expected: object) -> None:
    """The least that fits."""
    pieces = replied({"role": "user", "content": "weather?"}, response_format=wanted)
    assert expected == json.loads(text_of(pieces))


def test_text_may_be_wanted_in_so_many_words() -> None:
    """Which changes nothing."""
    assert text_of(replied()) == text_of(replied(response_format={"type": "text"}))
