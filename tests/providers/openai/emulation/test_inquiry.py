"""A request as the service reads it, and what it finds wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_openai.codec import Failure
from modelplug_openai.emulation.inquiry import Asked, inquiry, tokens
from tests.providers.openai.wire import encoded, golden

HI = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "rain"}


def asked(*messages: object, **fields: object) -> bytes:
    """A request."""
    return encoded({"model": "m", "messages": [*messages] or [HI], **fields})


def inquired(body: bytes) -> Asked:
    """What it asks."""
    found = inquiry(body)
    assert isinstance(found, Asked), found
    return found


def fault(body: bytes) -> Failure:
    """What is wrong with it."""
    found = inquiry(body)
    assert isinstance(found, Failure)
    return found


ACCEPTED: dict[str, bytes] = {
    "the least": asked(),
    "nulls": asked(temperature=None, tools=None, stop=None, stream_options=None),
    "unknown fields": asked(service_tier="auto", user="me", unheard_of={"x": 1}),
    "bounds": asked(temperature=2, top_p=0, presence_penalty=-2, frequency_penalty=2, n=1),
    "parts": asked(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ],
        }
    ),
    "developer": asked({"role": "developer", "content": "Be brief."}, HI),
    "a tool's result": asked(HI, CALLING, RESULT),
    "stops": asked(stop=["a", "b", "c", "d"]),
    "counts": asked(stream=True, stream_options={"include_usage": True}),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_what_clients_send_is_taken(body: bytes) -> None:
    """By the documents, and beyond them."""
    assert inquired(body).model == "m"


def test_the_documents_own_request_is_taken() -> None:
    """With a call and its result."""
    request = golden("openai_tool_result").get("request")
    assert request
    assert inquired(encoded(request)).messages


REFUSED: dict[str, tuple[bytes, str, str | None]] = {
    "no JSON": (b"{", "could not parse", None),
    "too deep": (b'{"x":' + b"[" * 100_000, "could not parse", None),
    "a list": (b"[]", "object", None),
    "no model": (encoded({"messages": [HI]}), "model", None),
    "no messages": (encoded({"model": "m"}), "messages", None),
    "none of them": (encoded({"model": "m", "messages": []}), "too short", "messages"),
    "role": (asked({"role": "robot", "content": "hi"}), "robot", None),
    "text for a number": (asked(temperature="0.5"), "temperature", None),
    "temperature": (asked(temperature=2.1), "between 0 and 2", "temperature"),
    "top_p": (asked(top_p=-0.1), "between 0 and 1", "top_p"),
    "presence": (asked(presence_penalty=2.1), "between -2 and 2", "presence_penalty"),
    "frequency": (asked(frequency_penalty=-2.1), "between -2 and 2", "frequency_penalty"),
    "no tokens": (asked(max_tokens=0), "minimum of 1", "max_tokens"),
    "fewer": (asked(max_completion_tokens=-1), "minimum of 1", "max_completion_tokens"),
    "several answers": (asked(n=2), "one answer", "n"),
    "stops": (asked(stop=["a", "b", "c", "d", "e"]), "4 at the most", "stop"),
    "options of no stream": (asked(stream_options={}), "for streams", "stream_options"),
    "a result of nothing": (asked(HI, RESULT), "preceding 'tool_calls'", "messages"),
    "no result": (asked(HI, CALLING, HI), "must be followed", "messages"),
    "two results": (asked(HI, CALLING, RESULT, RESULT), "preceding 'tool_calls'", "messages"),
}


@pytest.mark.parametrize(("body", "words", "param"), REFUSED.values(), ids=REFUSED)
def test_a_fault_is_told(body: bytes, words: str, param: str | None) -> None:
    """With the field that it is about, where it is one field's; always as a bad request."""
    found = fault(body)
    assert (400, "invalid_request_error", param) == (found.status, found.type, found.param)
    assert words in found.message


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 3}, 3),
        ({"max_completion_tokens": 4}, 4),
        ({"max_completion_tokens": 4, "max_tokens": 3}, 4),
    ],
)
def test_a_limit_has_two_names(fields: dict[str, int], limit: int | None) -> None:
    """The new one goes before."""
    assert limit == inquired(asked(**fields)).limit


@pytest.mark.parametrize(
    ("stop", "stops"),
    [(None, []), ("x", ["x"]), (["x", "y"], ["x", "y"]), ("", []), (["", "x"], ["x"])],
)
def test_stops_are_a_list(stop: object, stops: list[str]) -> None:
    """Though one may be sent alone; an empty one would leave nothing of any answer."""
    assert stops == inquired(asked(stop=stop)).stops


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hi", "hi"),
        (None, ""),
        (
            [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}],
            "a\nb",
        ),
    ],
    ids=["text", "null", "parts"],
)
def test_a_turn_has_its_text(content: Any, text: str) -> None:
    """That of its parts; what is no text isn't read."""
    assert text == inquired(asked({"role": "user", "content": content})).messages[0].text


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_request_or_a_fault(body: bytes) -> None:
    """Nothing brings the service down."""
    assert isinstance(inquiry(body), Asked | Failure)


@pytest.mark.parametrize(
    ("texts", "count"), [((), 0), (("",), 0), (("a",), 1), (("abcd", "abcde"), 3), (("长",), 1)]
)
def test_tokens_are_estimated(texts: tuple[str, ...], count: int) -> None:
    """By bytes, rounded up."""
    assert count == tokens(*texts)
