"""Tools in OpenAI's shape as Spark's functions."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from msgspec import UNSET

from modelplug import BadRequestError, Call, ModelRequest, UnsupportedOptionError
from modelplug_spark.models import find
from modelplug_spark.tools import functions

PARAMETERS = {
    "type": "object",
    "properties": {"location": {"type": "string", "enum": ["a", "b"]}},
    "required": ["location"],
}
WEATHER = {"name": "weather", "description": "tells it", "parameters": PARAMETERS}


def tool(**changes: object) -> dict[str, object]:
    """A good tool with changes made to its function."""
    return {"type": "function", "function": {**WEATHER, **changes}}


def made(tools: Any, *, model: str = "max", **fields: Any) -> Any:
    """The functions of a request."""
    request = ModelRequest(messages="hi", tools=tools, **fields)
    return functions(request, find(model), Call())


@pytest.mark.row("1.1 functions", "3.3 functions.text")
@pytest.mark.parametrize("model", ["max", "ultra", "spark-x"])
@pytest.mark.parametrize("choice", [None, "auto"])
def test_a_tool_is_sent_as_its_bare_schema(model: str, choice: str | None) -> None:
    """Without OpenAI's wrapper, which the service would ignore."""
    assert made([tool()], model=model, tool_choice=choice).text == [WEATHER]


@pytest.mark.row("3.3 functions required")
def test_what_a_tool_leaves_out_is_sent_empty() -> None:
    """The documentation marks all of it as required."""
    bare = {"type": "function", "function": {"name": "f"}}
    parameters = {"type": "object", "properties": {}, "required": []}
    assert made([bare]).text == [{"name": "f", "description": "", "parameters": parameters}]


def test_any_mapping_will_do() -> None:
    """A frozen one, tuples for lists."""
    frozen = MappingProxyType({**PARAMETERS, "required": ("location",)})
    assert made((tool(parameters=frozen),)).text == [WEATHER]


@pytest.mark.parametrize("tools", [None, [], [tool()]], ids=["none", "empty", "tools"])
def test_no_functions_are_no_field(tools: object) -> None:
    """Whether there are none, or none is to be called."""
    assert made(tools, tool_choice="none") is UNSET


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_a_call_cannot_be_forced(choice: object) -> None:
    """The service has no such field; where that is wanted the choice is left to it."""
    with pytest.raises(UnsupportedOptionError, match="decides by itself"):
        made([tool()], tool_choice=choice)
    assert made([tool()], tool_choice=choice, on_unsupported="drop").text == [WEATHER]


@pytest.mark.parametrize("model", ["lite", "pro", "image"])
def test_a_model_without_functions_takes_no_tools(model: str) -> None:
    """Disputed ones included."""
    with pytest.raises(UnsupportedOptionError, match="calls no functions"):
        made([tool()], model=model)
    assert made([tool()], model=model, on_unsupported="drop") is UNSET


def nested(depth: int) -> dict[str, object]:
    """A schema of so many levels."""
    schema: dict[str, object] = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


MISSHAPEN: dict[str, tuple[object, str]] = {
    "text": ("tools", "tools is no list"),
    "mapping": ({"a": 1}, "tools is no list"),
    "no mapping": (["f"], "tools[0] is no mapping"),
    "bare": ([tool(), WEATHER], "tools[1].type is None, not 'function'"),
    "other type": ([{**tool(), "type": "web_search"}], "tools[0].type is 'web_search'"),
    "no function": ([{"type": "function"}], "tools[0].function is no mapping"),
    "no name": ([tool(name=None)], "tools[0].function.name is no text"),
    "empty name": ([tool(name="")], "tools[0].function.name is no text, or empty"),
    "description": ([tool(description=1)], "tools[0].function.description is no text"),
    "parameters": ([tool(parameters=[])], "tools[0].function.parameters is no mapping"),
    "kind": (
        [tool(parameters={"type": "array"})],
        "tools[0].function.parameters.type is 'array', not 'object'",
    ),
    "properties": (
        [tool(parameters={"properties": []})],
        "tools[0].function.parameters.properties is no mapping",
    ),
    "required": (
        [tool(parameters={"required": "location"})],
        "tools[0].function.parameters.required is no list of names",
    ),
    "twice": ([tool(), tool()], "tools has two functions called 'weather'"),
    "no json": (
        [tool(parameters={"properties": {"a": {"default": {1}}}})],
        "tools[0].function.parameters.properties.a.default is a set, which is no JSON",
    ),
    "deep": ([tool(parameters=nested(100))], "is nested too deeply"),
}


@pytest.mark.parametrize(("tools", "told"), MISSHAPEN.values(), ids=MISSHAPEN)
def test_a_misshapen_tool_is_named(tools: object, told: str) -> None:
    """Before the wire: where it is, and what is wrong with it."""
    with pytest.raises(BadRequestError) as caught:
        made(tools)
    assert told in str(caught.value)
    assert caught.value.sent == "no"
