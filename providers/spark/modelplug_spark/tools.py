"""Tools of a request, in OpenAI's shape, as the functions that Spark may call.

The service takes the bare schema ``{name, description, parameters}`` and has neither a choice
among functions nor more than one call an answer (D-Android 13.1, S-Java; sections 3.3, 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, UnsetType

from modelplug import BadRequestError, Call, ModelRequest
from modelplug_spark.frames import Functions
from modelplug_spark.sparkmodel import SparkModel

__all__ = ["functions"]

_SHAPE = '{"type": "function", "function": {"name": ..., "description": ..., "parameters": {...}}}'

_DEPTH = 64
"""Levels of a schema: far more than any has, and fewer than an encoder can bear."""


def functions(request: ModelRequest, model: SparkModel, call: Call) -> Functions | UnsetType:
    """What the model may call; nothing where ``tool_choice`` is ``"none"``.

    Raises:
        BadRequestError: a tool has another shape than OpenAI's; it says which and where.
        UnsupportedOptionError: the model calls no functions, or is to be made to call one.
    """
    if not request.tools:
        return UNSET
    if model.functions != "native":
        hint = "leave the tools out, or ask generalv3.5, 4.0Ultra or spark-x"
        call.leave_out(request, f"{model.name} calls no functions", hint=hint)
        return UNSET
    schemas = _schemas(request.tools)
    if request.tool_choice == "none":
        return UNSET
    if request.tool_choice not in (None, "auto"):
        call.leave_out(
            request,
            "Spark decides by itself whether it calls a function",
            hint="tool_choice is 'auto' or 'none' here",
        )
    return Functions(text=schemas)


def _schemas(tools: object) -> list[dict[str, object]]:
    if isinstance(tools, str) or not isinstance(tools, Sequence):
        raise _misshapen("tools", "is no list")
    schemas = [_schema(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    names = [schema["name"] for schema in schemas]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _misshapen("tools", f"has two functions called {twice!r}")
    return schemas


def _schema(tool: object, where: str) -> dict[str, object]:
    """One bare schema. The service wants all of its parts; what was left out says nothing."""
    function, where = _function(tool, where), f"{where}.function"
    name, description = function.get("name"), function.get("description")
    if not isinstance(name, str) or not name:
        raise _misshapen(f"{where}.name", "is no text, or empty")
    if not isinstance(description, str | None):
        raise _misshapen(f"{where}.description", "is no text")
    parameters = _parameters(function.get("parameters"), f"{where}.parameters")
    return {"name": name, "description": description or "", "parameters": parameters}


def _function(tool: object, where: str) -> Mapping[str, object]:
    """What is in OpenAI's wrapper."""
    if not isinstance(tool, Mapping):
        raise _misshapen(where, "is no mapping")
    if tool.get("type") != "function":
        raise _misshapen(f"{where}.type", f"is {tool.get('type')!r}, not 'function'")
    function = tool.get("function")
    if not isinstance(function, Mapping):
        raise _misshapen(f"{where}.function", "is no mapping")
    return function


def _parameters(given: object, where: str) -> dict[str, object]:
    """A JSON schema of an object, with the parts that are marked required (section 3.3)."""
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise _misshapen(where, "is no mapping")
    kind = given.get("type", "object")
    if kind != "object":
        raise _misshapen(f"{where}.type", f"is {kind!r}, not 'object'")
    if not isinstance(given.get("properties", {}), Mapping):
        raise _misshapen(f"{where}.properties", "is no mapping")
    required = given.get("required", ())
    if not isinstance(required, list | tuple) or not all(isinstance(x, str) for x in required):
        raise _misshapen(f"{where}.required", "is no list of names")
    schema = {"type": "object", "properties": {}, "required": [], **given}
    return {str(name): _plain(value, f"{where}.{name}") for name, value in schema.items()}


def _plain(value: object, where: str, depth: int = 0) -> object:
    """A value as JSON knows it, whatever mapping or list it was given in."""
    if depth > _DEPTH:
        raise _misshapen(where, "is nested too deeply")
    if isinstance(value, Mapping):
        return {str(name): _plain(value[name], f"{where}.{name}", depth + 1) for name in value}
    if isinstance(value, list | tuple):
        return [_plain(item, where, depth + 1) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise _misshapen(where, f"is a {type(value).__name__}, which is no JSON")


def _misshapen(where: str, how: str) -> BadRequestError:
    return BadRequestError(f"{where} {how}", sent="no", hint=f"a tool is {_SHAPE}")
