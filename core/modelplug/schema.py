"""The JSON Schema of ``modelplug.toml``, for editors: generated from what validates the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from pydantic import BaseModel
from pydantic_core import to_json

from modelplug.backend import Backend
from modelplug.configstring import SECRET_OPTIONS
from modelplug.params import ProxyModelParameters, RequestDefaults
from modelplug.settings import CLOCKS

__all__ = ["SettingTold", "profile_schema", "settings_told"]

Schema: TypeAlias = dict[str, Any]


class SettingTold(NamedTuple):
    """A field of a settings model, for people: name, what may be given, default, what it does."""

    name: str
    values: str
    default: str
    meaning: str


def settings_told(model: type[BaseModel]) -> list[SettingTold]:
    """The fields of a model, for lists on a terminal and in documents."""
    properties = model.model_json_schema()["properties"]
    return [
        SettingTold(
            name,
            _values(properties[name]),
            "required"
            if field.is_required()
            else to_json(field.get_default(call_default_factory=True)).decode(),
            # Without section numbers of notes that its readers don't have.
            re.sub(r" \(\d[\d., ]*\)", "", " ".join((field.description or "").split())),
        )
        for name, field in model.model_fields.items()
    ]


def _values(schema: Mapping[str, Any]) -> str:
    """What a JSON Schema allows, in words."""
    if "anyOf" in schema:
        told = [_values(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(told)
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    bound = "" if least is None else f" from {least + ('exclusiveMinimum' in schema):g}"
    kinds = {
        "boolean": "true, false",
        "integer": f"a whole number{bound}",
        "number": f"a number{bound}",
        "array": "words, with commas",
    }
    return kinds.get(schema.get("type", ""), "a text")


_REFERENCE = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_APART = ("proxyllm_backend", "options", "defaults", "timeouts")

_BACKEND = {
    "type": "string",
    "minLength": 1,
    "description": "BACKEND[@DIST][:MODEL][?NAME=VALUE&...]: which backend answers, and how.",
}
_SECRET = {
    "type": "string",
    "pattern": _REFERENCE,
    "description": "Where the secret is: env:NAME or file:/path, from this file's folder on.",
}
_CLOCK = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": False}],
    "description": "Seconds; false for no limit.",
}


def profile_schema(backends: Iterable[Backend] = ()) -> dict[str, object]:
    """The schema of ``modelplug.toml``.

    Args:
        backends: those whose own options are to be known; of all others any option may be there.
    """
    defaults = _properties(RequestDefaults)
    clocks = dict.fromkeys(CLOCKS, _CLOCK)
    profile: Schema = {
        "type": "object",
        "required": ["backend"],
        "properties": {
            "backend": _BACKEND,
            **_params(),
            **defaults,
            "defaults": _closed(defaults),
            "timeouts": _closed(clocks),
            "options": {"type": "object", "description": "The backend's own options."},
        },
        "allOf": [_of_backend(each) for each in backends],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modelplug.toml",
        **_closed(
            {
                "$schema": {"type": "string"},
                "default": {
                    "type": "string",
                    "pattern": _NAME,
                    "description": "The profile that holds where nothing else is chosen.",
                },
                "profiles": {
                    "type": "object",
                    "propertyNames": {"pattern": _NAME},
                    "additionalProperties": {"$ref": "#/$defs/profile"},
                },
            }
        ),
        "$defs": {"profile": profile},
    }


def _params() -> Schema:
    """The fields of the params by their short names."""
    found = {}
    for name, its in _properties(ProxyModelParameters).items():
        if name not in _APART:
            found[name.removeprefix("proxy_")] = _SECRET if name in SECRET_OPTIONS else its
    return found


def _of_backend(backend: Backend) -> Schema:
    """What holds for a profile whose config string names this backend."""
    own = _properties(backend.options) if backend.options else {}
    name = re.escape(backend.name)
    return {
        "if": {"properties": {"backend": {"pattern": f"^\\s*{name}([@:?\\s]|$)"}}},
        "then": {"properties": {**own, "options": _closed(own)}},
    }


def _closed(properties: Mapping[str, object]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _properties(model: type[BaseModel]) -> Schema:
    """The fields of a model, without references and as TOML can spell them: it has no null."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return {name: _spelled(its, definitions) for name, its in schema["properties"].items()}


def _spelled(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_spelled(each, definitions) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        others = {each: its for each, its in definitions.items() if each != name}
        # A model that holds itself is told of once: below, anything may be there.
        return _spelled(definitions.get(name, {}), others)
    told: Schema = {
        name: (
            {each: _spelled(one, definitions) for each, one in its.items()}
            if name == "properties"
            else _spelled(its, definitions)
        )
        for name, its in schema.items()
        if name not in ("title", "default")
    }
    if "description" in told:
        told["description"] = told["description"].partition("\n\n")[0]
    choices = told.get("anyOf", ())
    if len(choices) == 1:
        return {**choices[0], **{name: its for name, its in told.items() if name != "anyOf"}}
    return told
