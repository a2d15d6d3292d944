"""What a provider yields."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, fields

import pytest

from modelplug import Delta, Finish, ToolCall, ToolCallDelta, Usage

USAGE = Usage(prompt_tokens=3, completion_tokens=5)

VALUES = [
    Delta("text", reasoning="why", tool_call=ToolCallDelta(0, name="f"), sources=[{"url": "u"}]),
    Finish("length", raw="max_tokens", usage=USAGE, extra={"a": 1}),
    ToolCall(index=1, id="x", name="f", arguments="{}"),
    ToolCallDelta(1, id="x", name="f", arguments="{"),
    USAGE,
]
NAMES = [type(value).__name__ for value in VALUES]


def test_a_delta_is_a_piece_of_text() -> None:
    """The text is the one thing given by position; everything else is empty."""
    expected = {
        "text": "hi",
        "reasoning": "",
        "tool_call": None,
        "sources": (),
        "extra": None,
    }
    assert expected == asdict(Delta("hi"))


def test_a_delta_may_be_without_text() -> None:
    """A piece of thinking or of a tool call comes alone."""
    assert Delta("", reasoning="why") == Delta(reasoning="why")


def test_a_tool_call_is_the_first_unless_it_says_so() -> None:
    """Services that allow one call number none."""
    assert asdict(ToolCall()) == {"index": 0, "id": None, "name": None, "arguments": ""}


def test_a_finish_says_stop_unless_told_otherwise() -> None:
    """An answer that just ends has stopped; what it cost is unknown, which is not 0."""
    expected = {"reason": "stop", "raw": None, "usage": None, "extra": None}
    assert expected == asdict(Finish())


def test_a_piece_of_a_tool_call_needs_an_index() -> None:
    """Which call a piece belongs to is the one thing that it always says."""
    assert asdict(ToolCallDelta(2)) == {"index": 2, "id": None, "name": None, "arguments": ""}


@pytest.mark.parametrize(
    ("total", "expected"),
    [pytest.param(None, 8, id="not-given"), pytest.param(0, 0, id="zero"), (9, 9)],
)
def test_a_total_is_the_sum_unless_it_is_given(total: int | None, expected: int) -> None:
    """The service's own total stands, 0 too; without one it is what went in and came out."""
    usage = Usage(prompt_tokens=3, completion_tokens=5, total_tokens=total)
    assert expected == usage.total_tokens


def test_usage_knows_no_more_than_it_is_told() -> None:
    """What a service doesn't report is None and not 0, and the numbers are the service's."""
    assert (USAGE.reasoning_tokens, USAGE.cached_tokens, USAGE.raw) == (None, None, None)
    assert USAGE.source == "reported"


@pytest.mark.parametrize("value", VALUES[1:], ids=NAMES[1:])
def test_values_are_frozen(value: object) -> None:
    """All but the delta, which is on the hot path, refuse to be changed."""
    for name in (field.name for field in fields(value)):  # type: ignore[arg-type]  # a dataclass
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)


@pytest.mark.parametrize("value", VALUES, ids=NAMES)
def test_values_have_slots(value: object) -> None:
    """A misspelt field can't be added by accident, and none costs a dictionary."""
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("value", VALUES, ids=NAMES)
def test_values_are_values(value: object) -> None:
    """Copies and what comes out of a pickle equal the original."""
    pickled = pickle.loads(pickle.dumps(value))  # noqa: S301  # our own
    assert [copy.copy(value), copy.deepcopy(value), pickled] == [value] * 3


def test_options_are_given_by_keyword() -> None:
    """Beside the one obvious thing nothing is given by position."""
    with pytest.raises(TypeError):
        Delta("hi", "why")  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(TypeError):
        Finish("stop", "raw")  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(TypeError):
        ToolCallDelta(0, "x")  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(TypeError):
        Usage(3, 5)  # type: ignore[call-arg]  # the point of the test
