"""The contract's ``reasoning`` in every service's spelling."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, get_args

import pytest

from modelplug import BadRequestError, Call, ModelRequest, UnsupportedOptionError
from modelplug_openai.preset import REASONING_FIELDS, Preset, Reasoning
from modelplug_openai.presets import PRESETS
from modelplug_openai.reasoning import reasoning_of


def spelt(
    asked: Any, reasoning: Reasoning | None, *, call: Call | None = None
) -> dict[str, object]:
    """The fields that go out; with a call to tell of it, what can't be said is left out."""
    row = Preset(name="x", summary="", source="https://a.example", base=None, reasoning=reasoning)
    request = ModelRequest(
        messages="hi", reasoning=asked, on_unsupported="error" if call is None else "warn"
    )
    return reasoning_of(request, row, call or Call())


ON, OFF = {"type": "enabled"}, {"type": "disabled"}


@pytest.mark.parametrize(
    ("reasoning", "asked", "fields"),
    [
        ("effort", "high", {"reasoning_effort": "high"}),
        ("effort", "none", {"reasoning_effort": "none"}),
        ("effort", {"effort": "low"}, {"reasoning_effort": "low"}),
        ("effort", {"type": "disabled"}, {"reasoning_effort": "none"}),
        ("effort", {"type": "enabled"}, {}),
        ("thinking", {"type": "enabled"}, {"thinking": ON}),
        ("thinking", "none", {"thinking": OFF}),
        ("thinking", {"type": "auto"}, {"thinking": {"type": "auto"}}),
        ("thinking_effort", "high", {"thinking": ON, "reasoning_effort": "high"}),
        ("thinking_effort", "none", {"thinking": OFF}),
        ("thinking_effort", {"type": "enabled"}, {"thinking": ON}),
        ("enable_thinking", {"type": "enabled"}, {"enable_thinking": True}),
        ("enable_thinking", "none", {"enable_thinking": False}),
        (
            "enable_thinking",
            {"budget_tokens": 50},
            {"enable_thinking": True, "thinking_budget": 50},
        ),
        ("template", {"type": "enabled"}, {"chat_template_kwargs": {"enable_thinking": True}}),
        ("template", {"effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ("object", "high", {"reasoning": {"effort": "high"}}),
        (
            "object",
            {"max_tokens": 9, "exclude": True},
            {"reasoning": {"max_tokens": 9, "exclude": True}},
        ),
    ],
    ids=str,
)
def test_reasoning_is_spelt_as_the_service_wants_it(
    reasoning: Reasoning, asked: object, fields: dict[str, object]
) -> None:
    """A word, or a mapping with what the service knows of."""
    assert fields == spelt(asked, reasoning)


@pytest.mark.parametrize("reasoning", ["effort", None])
@pytest.mark.parametrize("asked", [None, "", {}], ids=repr)
def test_nothing_asked_is_nothing_said(asked: object, reasoning: Reasoning | None) -> None:
    """Also where there is no field for it."""
    assert spelt(asked, reasoning) == {}


@pytest.mark.parametrize(
    ("reasoning", "asked", "left"),
    [
        (None, "high", {}),
        ("effort", {"effort": "low", "max_tokens": 9}, {"reasoning_effort": "low"}),
        ("effort", {"effort": "low", "summary": "auto"}, {"reasoning_effort": "low"}),
        ("thinking", "low", {"thinking": ON}),
        ("thinking", {"max_tokens": 9}, {"thinking": ON}),
        ("thinking_effort", {"max_tokens": 9}, {"thinking": ON}),
        ("enable_thinking", "high", {"enable_thinking": True}),
        (
            "enable_thinking",
            {"effort": "low", "max_tokens": 9},
            {"enable_thinking": True, "thinking_budget": 9},
        ),
        ("template", "medium", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("template", {"budget_tokens": 9}, {"chat_template_kwargs": {"enable_thinking": True}}),
    ],
    ids=str,
)
def test_what_a_service_has_no_field_for_is_refused_or_left_out(
    reasoning: Reasoning | None, asked: object, left: dict[str, object]
) -> None:
    """As the request wants it."""
    with pytest.raises(UnsupportedOptionError):
        spelt(asked, reasoning)
    call = Call()
    assert (left, 1) == (spelt(asked, reasoning, call=call), len(call.answer.warnings))


@pytest.mark.parametrize(
    "asked",
    [{"effort": 7}, {"type": True}, {"max_tokens": -1}, {"max_tokens": True}, {"max_tokens": "9"}],
    ids=str,
)
def test_what_is_of_the_wrong_type_is_refused(asked: object) -> None:
    """Before anything is sent."""
    with pytest.raises(BadRequestError, match="reasoning"):
        spelt(asked, "thinking")


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_two_degrees_are_never_one_question(row: Preset) -> None:
    """They differ in what is sent, or nothing is."""
    sent: list[dict[str, object]] = []
    for degree in ("low", "high"):
        request = ModelRequest(messages="hi", reasoning=degree)
        with suppress(UnsupportedOptionError):
            sent.append(reasoning_of(request, row, Call()))
    assert not sent or sent[:1] != sent[1:]


@pytest.mark.parametrize("reasoning", get_args(Reasoning))
@pytest.mark.parametrize("asked", ["high", "none", {"max_tokens": 9}], ids=str)
def test_its_fields_are_known(reasoning: Reasoning, asked: object) -> None:
    """To whoever hears a question of any row's."""
    assert {*spelt(asked, reasoning, call=Call())} <= {*REASONING_FIELDS}
