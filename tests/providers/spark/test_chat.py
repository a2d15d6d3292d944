"""The parameters of a request: ranges, thinking, web search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from modelplug import Call, ModelRequest, UnsupportedOptionError
from modelplug_spark.chat import chat
from modelplug_spark.models import find, hosted
from modelplug_spark.options import SparkOptions

HOSTED = hosted("xdeepseekv3", url="wss://maas.example/v1.1/chat", domain="service-id")


def sent(model: str, options: Mapping[str, object] | None = None, /, **fields: Any) -> Any:
    """``parameter.chat`` of a request as it goes out, but for the domain."""
    request = ModelRequest(messages="hi", **fields)
    asked = HOSTED if model == HOSTED.name else find(model)
    made = chat(
        request,
        asked,
        options=SparkOptions.model_validate(options or {}),
        call=Call(),
    )
    told = json.loads(msgspec.json.encode(made))
    assert told.pop("domain") == asked.domain
    return told


@pytest.mark.row(
    "3.2 temperature",
    "3.2 top_k",
    "3.2 top_p",
    "3.2 max_tokens",
    "3.2 presence_penalty",
    "3.2 frequency_penalty",
)
def test_the_x_family_takes_every_parameter() -> None:
    """Each under the service's name."""
    fields: dict[str, Any] = {"temperature": 2, "top_k": 6, "top_p": 0.95}
    fields |= {"presence_penalty": 3, "frequency_penalty": 0}
    expected = {**fields, "max_tokens": 65535}
    assert expected == sent("spark-x", max_new_tokens=65535, **fields)


@pytest.mark.row(
    "3.2 temperature",
    "3.2 top_p",
    "3.2 max_tokens",
    "3.2 presence_penalty",
    "3.2 frequency_penalty",
)
@pytest.mark.parametrize(
    ("model", "name", "value", "allowed"),
    [
        ("spark-x", "temperature", 2.1, "(0,2]"),
        ("spark-x", "top_p", 0, "(0,1]"),
        ("spark-x", "presence_penalty", -0.1, "[0,3]"),
        ("x2", "frequency_penalty", 1.1, "[0,1]"),
        ("x1", "max_new_tokens", 32769, "[1,32768]"),
        ("max", "temperature", 1.1, "(0,1]"),
    ],
)
def test_a_range_is_the_models_own(model: str, name: str, value: float, allowed: str) -> None:
    """The error names it."""
    fields: dict[str, Any] = {name: value}
    with pytest.raises(UnsupportedOptionError) as caught:
        sent(model, **fields)
    assert f"{name} {value} is outside {allowed}, the range of" in str(caught.value)


@pytest.mark.parametrize(
    ("model", "name", "value", "told"),
    [
        ("spark-x", "top_k", True, "top_k True is outside"),
        ("max", "presence_penalty", 0, "has no presence_penalty"),
    ],
    ids=["no number", "none"],
)
def test_a_value_that_is_none_of_the_models_is_refused(
    model: str, name: str, value: float, told: str
) -> None:
    """Or left out, where that is wanted."""
    request = ModelRequest(messages="hi").copy(**{name: value})
    asked, options = find(model), SparkOptions()
    with pytest.raises(UnsupportedOptionError, match=told):
        chat(request, asked, options=options, call=Call())
    call, dropping = Call(), request.copy(on_unsupported="warn")
    made = json.loads(msgspec.json.encode(chat(dropping, asked, options=options, call=call)))
    assert (made, len(call.answer.warnings)) == ({"domain": asked.domain}, 1)


@pytest.mark.row("3.2 thinking")
@pytest.mark.parametrize(
    ("option", "reasoning", "thinking"),
    [
        (None, None, None),
        ("auto", None, "auto"),
        ("disabled", None, "disabled"),
        (None, "none", "disabled"),
        (None, "low", "enabled"),
        (None, {"effort": "none"}, "disabled"),
        (None, {"effort": "high"}, "enabled"),
        (None, {"summary": "auto"}, "enabled"),
        ("disabled", "high", "enabled"),
        ("auto", "none", "disabled"),
    ],
    ids=str,
)
def test_thinking_is_on_or_off(option: str | None, reasoning: Any, thinking: str | None) -> None:
    """No effort is off, any other is on; the contract's field goes before the option."""
    told = sent("spark-x", {"thinking": option}, reasoning=reasoning)
    assert ({"thinking": {"type": thinking}} if thinking else {}) == told


@pytest.mark.row("3.2 thinking")
@pytest.mark.parametrize("model", ["lite", "max", "ultra", "image"])
def test_what_does_not_think_cannot_be_told_to(model: str) -> None:
    """Nor not to."""
    with pytest.raises(UnsupportedOptionError, match="whether to think"):
        sent(model, {"thinking": "disabled"})
    assert sent(model, {"thinking": "disabled"}, on_unsupported="drop") == {}


@pytest.mark.row("1.1 search", "3.2 tools")
@pytest.mark.parametrize(
    ("model", "options", "search"),
    [
        (
            "max",
            {"search": True},
            {"enable": True, "show_ref_label": False, "search_mode": "normal"},
        ),
        (
            "ultra",
            {"search": "deep", "show_sources": True},
            {"enable": True, "show_ref_label": True, "search_mode": "deep"},
        ),
        (
            "pro",
            {"search": "normal"},
            {"enable": True, "show_ref_label": False, "search_mode": "normal"},
        ),
        ("spark-x", {"search": False, "show_sources": True}, {"enable": False}),
    ],
)
def test_a_search_is_a_tool_of_the_services_own(
    model: str, options: dict[str, object], search: object
) -> None:
    """In the form of section 3.2."""
    assert sent(model, options) == {"tools": [{"type": "web_search", "web_search": search}]}


@pytest.mark.row("1.1 search", "1.1 source list")
@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("lite", {"search": True}, "lite has no web search"),
        ("max-32k", {"search": "deep"}, "max-32k has no web search"),
        ("pro", {"search": True, "show_sources": True}, "doesn't name the sources"),
    ],
)
def test_a_search_that_is_not_there_is_refused(
    model: str, options: dict[str, object], told: str
) -> None:
    """Before the wire."""
    with pytest.raises(UnsupportedOptionError, match=told):
        sent(model, options)


def test_what_is_refused_may_be_left_out() -> None:
    """A search that can't name its sources is one without them."""
    options: dict[str, object] = {"search": True, "show_sources": True}
    told = sent("pro", options, on_unsupported="drop")
    assert told["tools"][0]["web_search"]["show_ref_label"] is False
    assert sent("lite", options, on_unsupported="drop") == {}


@pytest.mark.parametrize("options", [{}, {"search": False}, {"show_sources": True}], ids=str)
def test_no_search_needs_no_word(options: dict[str, object]) -> None:
    """Where there is none, there is nothing to switch off."""
    assert sent("lite", options) == {}


@pytest.mark.row("3.2 chat_id", "3.2 auditing")
def test_sessions_and_auditing_are_passed_on() -> None:
    """As they are."""
    options: dict[str, object] = {"chat_id": "c-1", "auditing": "default"}
    assert options == sent("lite", options)


@pytest.mark.row("3.2 search_disable")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, {}),
        ({"search": True}, {"search_disable": False}),
        ({"search": "normal"}, {"search_disable": False}),
        ({"search": False, "show_sources": True}, {"search_disable": True}),
    ],
    ids=str,
)
def test_a_hosted_models_search_is_on_or_off(
    options: dict[str, object], told: dict[str, object]
) -> None:
    """By a field of its own, and no tool; the service's default is off."""
    assert told == sent(HOSTED.name, options)


@pytest.mark.parametrize("options", [{"search": "deep"}, {"search": True, "show_sources": True}])
def test_a_hosted_models_search_has_no_more(options: dict[str, object]) -> None:
    """What else is asked for is refused, or left out where that is wanted."""
    with pytest.raises(UnsupportedOptionError, match="no other search than a plain one"):
        sent(HOSTED.name, options)
    left = sent(HOSTED.name, options, on_unsupported="drop")
    assert left == {"search_disable": False}
