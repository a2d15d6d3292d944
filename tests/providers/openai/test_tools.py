"""Tools of a request, and the choice among them."""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType

import pytest

from modelplug import BadRequestError
from modelplug_openai.tools import choice_of, tools_of

SCHEMA = {"type": "object", "properties": {"place": {"enum": ["Köln", None]}}, "$defs": {}}
BARE = {"name": "weather", "description": "d", "parameters": SCHEMA, "strict": True}
WRAPPED = {"type": "function", "function": BARE}


@pytest.mark.parametrize(
    "tool",
    [BARE, WRAPPED, {"function": BARE}, MappingProxyType(WRAPPED), OrderedDict(BARE)],
    ids=["bare", "wrapped", "without type", "read-only", "ordered"],
)
def test_a_function_goes_out_in_its_wrapper(tool: object) -> None:
    """Its schema as it is, in whatever mapping it came."""
    assert tools_of([tool]) == [WRAPPED]


def test_a_tool_of_the_services_own_goes_out_as_it_is() -> None:
    """Zhipu's web search, say."""
    search = {"type": "web_search", "web_search": {"enable": True}}
    assert [search, WRAPPED] == tools_of((search, BARE))


@pytest.mark.parametrize(
    ("tools", "where"),
    [
        ("weather", "tools is no list"),
        (7, "tools is no list"),
        ([7], r"tools\[0\] is no mapping"),
        ([BARE, {"type": 7}], r"tools\[1\].type"),
        ([{"type": "function"}], r"tools\[0\].function is no mapping"),
        ([{"type": "function", "function": "f"}], r"tools\[0\].function is no mapping"),
        ([{"name": ""}], r"tools\[0\].function.name"),
        ([{}], r"tools\[0\].function.name"),
        ([BARE, WRAPPED], "two functions called 'weather'"),
        ([{"name": "f", "parameters": {"x": {1}}}], r"tools\[0\].function.parameters.x is a set"),
        ([{"name": "f", "parameters": {1: 2}}], r"has a int for a name"),
    ],
    ids=str,
)
def test_a_tool_of_another_shape_is_refused_by_its_place(tools: object, where: str) -> None:
    """Before anything is sent, with the shape that it should have."""
    with pytest.raises(BadRequestError, match=where) as caught:
        tools_of(tools)
    assert caught.value.sent == "no"


@pytest.mark.parametrize("word", ["auto", "none", "required", "any"])
def test_a_word_is_a_choice(word: str) -> None:
    """The services' own."""
    assert word == choice_of(word, [])


CHOSEN = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize("choice", ["weather", CHOSEN, {"name": "weather"}], ids=str)
def test_a_tool_is_chosen_by_its_name(choice: object) -> None:
    """Alone, bare, or in OpenAI's wrapper."""
    assert choice_of(choice, [WRAPPED]) == CHOSEN


def test_another_services_choice_goes_out_as_it_is() -> None:
    """OpenAI's list of allowed tools, say."""
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}
    assert choice == choice_of(choice, [])


@pytest.mark.parametrize("choice", ["clock", 7, ["weather"]], ids=repr)
def test_what_is_no_choice_is_refused(choice: object) -> None:
    """A tool that isn't there, too."""
    with pytest.raises(BadRequestError, match="tool_choice"):
        choice_of(choice, [WRAPPED])
