"""The JSON Schema of ``modelplug.toml``: what it knows is what the file may say."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from modelplug import Backend, ProxyModelParameters, profile_schema
from modelplug.params import RequestDefaults
from modelplug.registry import registry
from modelplug.settings import CLOCKS


def profile(*backends: Backend) -> dict[str, Any]:
    """The part that is of one profile."""
    schema: dict[str, Any] = profile_schema(backends)
    found: dict[str, Any] = schema["$defs"]["profile"]
    return found


class Nested(BaseModel):
    title: str
    more: Nested | None = None


class Options(BaseModel):
    """The options of a made-up backend."""

    title: str = "x"
    nested: Nested | None = None


ACME = Backend(name="ac.me", summary="", contract=1, client="a:b", options=Options)


def test_every_field_of_the_models_is_there() -> None:
    """Generated, so that a new field can't be forgotten; secrets under their short names."""
    apart = {"proxyllm_backend", "options", "defaults", "timeouts"}
    fields = {
        name.removeprefix("proxy_") for name in set(ProxyModelParameters.model_fields) - apart
    }
    expected = (
        fields | {"backend", "options", "defaults", "timeouts"} | {*RequestDefaults.model_fields}
    )
    properties = profile()["properties"]
    assert expected == set(properties)
    assert set(RequestDefaults.model_fields) == set(properties["defaults"]["properties"])
    assert set(CLOCKS) == set(properties["timeouts"]["properties"])


def test_a_backend_is_needed_and_other_names_may_be_there() -> None:
    """A flat key may be an option of a backend that the schema doesn't know."""
    assert (profile()["required"], profile().get("additionalProperties")) == (["backend"], None)


def test_at_the_top_nothing_else_may_be() -> None:
    """As in the file."""
    schema = profile_schema()
    assert (False, {"$schema", "default", "profiles"}) == (
        schema["additionalProperties"],
        set(schema["properties"]),  # type: ignore[call-overload]  # loose
    )


@pytest.mark.parametrize(
    ("text", "fits"),
    [("env:A", True), ("file:/a b", True), ("sk-123", False), ("env:1", False), ("env:", False)],
)
def test_a_secret_is_a_reference(text: str, fits: bool) -> None:
    """An editor marks one that is written out."""
    for name in ("api_key", "api_secret"):
        assert fits == bool(re.search(profile()["properties"][name]["pattern"], text))


def test_nothing_is_null() -> None:
    """TOML has no such value."""
    told = json.dumps(profile_schema([registry().load("spark")]))
    assert ('"null"' in told, '"$ref": "#/$defs/Timeouts"' in told) == (False, False)


@pytest.mark.parametrize(
    ("config", "its"),
    [
        ("ac.me", True),
        ("ac.me:m?x=1", True),
        ("ac.me@d", True),
        ("acxme", False),
        ("ac.me2", False),
    ],
)
def test_a_backend_s_options_hold_for_its_profiles(config: str, its: bool) -> None:
    """Those whose config string begins with its name."""
    (condition,) = profile(ACME)["allOf"]
    pattern = condition["if"]["properties"]["backend"]["pattern"]
    assert its == bool(re.search(pattern, config))
    then = condition["then"]["properties"]
    assert ({"title", "nested", "options"}, False) == (
        set(then),
        then["options"]["additionalProperties"],
    )


def test_a_model_in_itself_is_told_of_once() -> None:
    """And fields may be called what a schema's own keys are called."""
    nested = profile(ACME)["allOf"][0]["then"]["properties"]["nested"]
    assert nested["properties"]["title"] == {"type": "string"}
    assert nested["properties"]["more"] == {}


def test_a_backend_without_options_has_none() -> None:
    """Nothing but an empty table may stand there."""
    plain = Backend(name="plain", summary="", contract=1, client="a:b")
    (condition,) = profile(plain)["allOf"]
    assert condition["then"]["properties"]["options"]["properties"] == {}
