"""Chunks as typed values: what is kept, what is tolerated, what is refused."""

from __future__ import annotations

import json
from functools import reduce
from operator import getitem
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import DecodeError, ProtocolError, SchemaError
from modelplug_openai.chunks import (
    Choice,
    Chunk,
    FunctionPiece,
    Piece,
    ToolPiece,
    decode_chunk,
    encode_chunk,
)
from modelplug_openai.sse import Events
from tests.providers.openai.wire import encoded, golden

FULL: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "delta": {
                "role": "assistant",
                "content": "hi",
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "c",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


def test_a_chunk_is_read_into_its_fields() -> None:
    """Every place has its attribute."""
    call = ToolPiece(index=0, id="c", type="function", function=FunctionPiece("f", "{}"))
    piece = Piece(content="hi", role="assistant", tool_calls=[call])
    expected = Chunk(
        choices=[Choice(index=0, delta=piece, finish_reason="tool_calls")],
        id="chatcmpl-1",
        kind="chat.completion.chunk",
        model="m",
        usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    )
    assert expected == decode_chunk(encoded(FULL))


def test_a_chunk_is_encoded_as_it_was_read() -> None:
    """Without what is unset."""
    chunk = decode_chunk(encoded(FULL))
    assert chunk == decode_chunk(encode_chunk(chunk))
    assert b"null" not in encode_chunk(chunk)


@pytest.mark.parametrize(
    "name", ["openai_text", "openai_tools", "deepseek_reasoning", "azure_passed", "spark_http"]
)
def test_a_golden_chunk_survives_both_ways(name: str) -> None:
    """What is read of it is written again."""
    events = Events().feed(golden(name)["body"].encode())
    for event in events[:-1]:
        chunk = decode_chunk(event)
        assert chunk == decode_chunk(encode_chunk(chunk))


def test_arguments_may_be_an_object() -> None:
    """Some servers parse what the model wrote."""
    function = {"name": "f", "arguments": {"a": 1}}
    chunk = decode_chunk(
        encoded({"choices": [{"delta": {"tool_calls": [{"function": function}]}}]})
    )
    assert chunk.choices
    assert chunk.choices[0].delta
    assert [ToolPiece(function=FunctionPiece("f", {"a": 1}))] == chunk.choices[0].delta.tool_calls


PLACES = st.sampled_from(
    [
        ("choices",),
        ("choices", 0),
        ("choices", 0, "delta"),
        ("choices", 0, "delta", "content"),
        ("choices", 0, "delta", "tool_calls"),
        ("choices", 0, "delta", "tool_calls", 0, "id"),
        ("choices", 0, "delta", "tool_calls", 0, "index"),
        ("choices", 0, "delta", "tool_calls", 0, "function"),
        ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
        ("choices", 0, "finish_reason"),
        ("choices", 0, "index"),
        ("usage",),
        ("id",),
        ("object",),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(PLACES, VALUES)
def test_any_value_in_any_place_is_read_or_refused(place: tuple[Any, ...], value: object) -> None:
    """A typed error or a chunk; never anything else."""
    message: Any = decode(encoded(FULL))
    *way, last = place
    reduce(getitem, way, message)[last] = value
    assert type(outcome(encoded_loosely(message))) in (Chunk, DecodeError, SchemaError)


def outcome(data: bytes) -> Chunk | ProtocolError:
    """The chunk, or why there is none."""
    try:
        return decode_chunk(data)
    except ProtocolError as error:
        return error


def decode(data: bytes) -> Any:
    """JSON as Python has it."""
    return json.loads(data)


def encoded_loosely(message: object) -> bytes:
    """JSON with whatever Python lets through: NaN, half a surrogate pair."""
    return json.dumps(message).encode()


@given(st.binary(max_size=60))
def test_hostile_bytes_are_refused_by_type(data: bytes) -> None:
    """And nothing of them shows but their length."""
    error = outcome(data)
    if isinstance(error, ProtocolError):
        assert f"({len(data)} bytes, SHA-256 " in str(error)


def test_an_error_says_what_identifies_the_chunk() -> None:
    """Its length and its digest, not its text."""
    with pytest.raises(DecodeError) as caught:
        decode_chunk(b'{"id": "hunter2", }')
    assert "(19 bytes, SHA-256 " in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"id": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "expected `object`"),
        (b'{"id": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"choices": 7}', "expected `array | null`, got `int` - at `$.choices`"),
    ],
    ids=["bytes", "lists", "depth", "type"],
)
def test_an_error_says_what_is_wrong(data: bytes, told: str) -> None:
    """By types and places."""
    with pytest.raises(ProtocolError) as caught:
        decode_chunk(data)
    assert told.lower() in str(caught.value).lower()
