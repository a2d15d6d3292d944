"""Fields that no documentation has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelplug_spark.emulation.surplus import surplus
from modelplug_spark.frames import Request, decode_request
from tests.providers.spark.wire import encoded, golden


def found(message: bytes) -> list[str]:
    """Their paths."""
    request = decode_request(message)
    assert isinstance(request, Request)
    return [*surplus(message, request)]


def full(**chat: object) -> Any:
    """The documentation's request, and what else stands in ``parameter.chat``."""
    message: Any = json.loads(encoded(golden("request_full")[0]))
    message["parameter"]["chat"].update(chat)
    return message


@pytest.mark.parametrize("name", ["request_minimal", "request_full"])
def test_the_documentations_request_has_none(name: str) -> None:
    """Whatever is documented is known."""
    assert found(encoded(golden(name)[0])) == []


@pytest.mark.parametrize(
    "chat",
    [
        {"random_threshold": 0.5, "show_ref_label": True, "search_disable": True},
        {"chat_id": None, "tools": None},
        {"tools": [{"type": "web_search", "web_search": {"enable": True}}]},
    ],
    ids=["once documented", "nulls", "search"],
)
def test_what_clients_send_by_the_book_is_none(chat: dict[str, object]) -> None:
    """Old books included."""
    assert found(encoded(full(**chat))) == []


def test_a_function_may_have_any_field() -> None:
    """Its schema is its own."""
    message = full()
    message["payload"]["functions"] = {"text": [{"name": "f", "x": {"y": 1}}]}
    assert found(encoded(message)) == []


def test_a_field_is_found_wherever_it_is() -> None:
    """By its path."""
    message = full(user="me")
    message["extra"] = {}
    message["payload"]["message"]["text"][1]["name"] = "me"
    expected = {"$.parameter.chat.user", "$.extra", "$.payload.message.text[1].name"}
    assert expected == set(found(encoded(message)))


def test_what_cannot_be_read_is_no_known_field() -> None:
    """Decoding the known ones skipped it."""
    message = encoded(full())[:-1] + b',"x":1e999}'
    assert found(message) == ["$"]


def test_what_is_nested_too_deeply_is_surplus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it could be decoded, but not looked into: no message brings the service down."""

    def too_deep(*_: object) -> object:
        raise RecursionError

    monkeypatch.setattr("msgspec.to_builtins", too_deep)
    assert found(encoded(full())) == ["$"]
