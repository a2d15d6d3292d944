"""A service's own list of its models."""

from __future__ import annotations

import json

import pytest

from modelplug import DecodeError, SchemaError
from modelplug_openai.catalogue import models_in

OPENAI = {
    "object": "list",
    "data": [
        {"id": "b", "object": "model", "created": 1686935002, "owned_by": "openai"},
        {"id": "a", "object": "model", "created": 1686935002, "owned_by": "openai"},
    ],
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(OPENAI, {"b": None, "a": None}, id="openai"),
        pytest.param([{"id": "a", "context_length": 32768}], {"a": 32768}, id="together"),
        pytest.param({"data": [{"id": "a", "max_model_len": 7}]}, {"a": 7}, id="vllm"),
        pytest.param({"data": [{"id": "a", "context_length": None}]}, {"a": None}, id="null"),
        pytest.param({"data": [{"id": "a", "context_window": True}]}, {"a": None}, id="odd"),
        pytest.param({"data": [{"id": "a"}, {"id": 5}, "x", {}]}, {"a": None}, id="odd-entries"),
        pytest.param({"data": []}, {}, id="none"),
    ],
)
def test_a_list_of_models_is_read(body: object, expected: dict[str, int | None]) -> None:
    """Names in the service's order; entries that have none are left out."""
    found = models_in(json.dumps(body).encode(), str)
    assert isinstance(found, dict)
    assert list(expected.items()) == list(found.items())


@pytest.mark.parametrize("name", ["hunter2", "a\x1b[31m", " a", "a\nb", "x" * 257, "", None])
def test_a_name_that_is_none_is_left_out(name: object) -> None:
    """It may repeat the key, or steer a terminal; nobody could ask for it."""
    body = {"data": [{"id": name}, {"id": "模型/a b"}]}
    found = models_in(json.dumps(body).encode(), lambda said: said.replace("hunter2", "***"))
    assert found == {"模型/a b": None}


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff", b"[" * 5000])
def test_what_is_no_json_is_told(body: bytes) -> None:
    """A page instead of a list is an error that carries nothing of the page."""
    found = models_in(body, str)
    assert isinstance(found, DecodeError)
    assert (found.__cause__, found.__context__, found.__traceback__) == (None, None, None)


@pytest.mark.parametrize("body", [b"{}", b'{"data": {}}', b"5", b"null"])
def test_what_is_no_list_is_told(body: bytes) -> None:
    """JSON of another shape is an error, and no empty list."""
    assert isinstance(models_in(body, str), SchemaError)
