"""A request of the contract as Spark's message."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from modelplug import Call, ModelRequest, ModelRequestContext, UnsupportedOptionError
from modelplug_spark.frames import Request, encode_request
from modelplug_spark.models import find
from modelplug_spark.options import SparkOptions
from modelplug_spark.question import question, user_id
from tests.providers.spark.wire import golden

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def asked(
    request: ModelRequest,
    *,
    model: str = "max",
    call: Call | None = None,
    **options: object,
) -> Request:
    """The message of a request for a model."""
    return question(
        request,
        find(model),
        app_id="12345678",
        options=SparkOptions.model_validate(options),
        call=call or Call(),
    )


def roles(request: ModelRequest) -> list[tuple[str, str | None]]:
    """The conversation that goes out."""
    return [(turn.role, turn.content) for turn in asked(request).payload.message.text]


@pytest.mark.row("3.1 app_id", "3.5 smallest")
def test_the_smallest_request_is_the_documentations() -> None:
    """A plain question sends four fields and no null."""
    request = ModelRequest(messages="hi")
    assert golden("request_minimal")[0] == json.loads(encode_request(asked(request)))


@pytest.mark.row(
    "3.1 uid", "3.2 temperature", "3.2 top_k", "3.2 max_tokens", "3.3 message.text", "3.3 roles"
)
def test_a_full_request_is_the_documentations() -> None:
    """Every parameter finds its place under the service's name."""
    request = ModelRequest(
        messages=[
            {
                "role": "system",
                "content": "你现在扮演李白，你豪情万丈，狂放不羁；接下来请用李白的口吻和用户对话。",
            },
            {"role": "user", "content": "你是谁"},
            {"role": "assistant", "content": "....."},
            {"role": "user", "content": "你会做什么"},
        ],
        temperature=0.5,
        top_k=4,
        max_new_tokens=1024,
        context=ModelRequestContext(user_name="39769795890"),
    )
    assert golden("request_full")[0] == json.loads(encode_request(asked(request)))


PARAMETERS: list[tuple[str, float, str]] = [
    ("temperature", 0, "(0,1]"),
    ("temperature", 1.01, "(0,1]"),
    ("temperature", float("nan"), "(0,1]"),
    ("top_k", 0, "[1,6]"),
    ("top_k", 7, "[1,6]"),
    ("top_k", True, "[1,6]"),
    ("max_new_tokens", 0, "[1,8192]"),
    ("max_new_tokens", 8193, "[1,8192]"),
]


@pytest.mark.row("3.2 temperature", "3.2 top_k", "3.2 max_tokens")
@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    PARAMETERS,
    ids=[f"{name} {value}" for name, value, _ in PARAMETERS],
)
def test_a_value_out_of_range_is_refused_by_its_range(
    name: str, value: float, allowed: str
) -> None:
    """Before the wire, with what would be taken."""
    request = ModelRequest(messages="hi", **{name: value})  # type: ignore[arg-type]  # by name
    with pytest.raises(UnsupportedOptionError) as caught:
        asked(request)
    assert allowed in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "warnings"),
    [
        ("warn", ("left out: temperature 0 is outside (0,1], the range of generalv3.5",)),
        ("drop", ()),
    ],
)
def test_a_value_out_of_range_is_left_out_where_that_is_wanted(
    policy: Literal["warn", "drop"], warnings: tuple[str, ...]
) -> None:
    """As with any parameter that a model can't honour."""
    call = Call()
    request = ModelRequest(messages="hi", temperature=0, on_unsupported=policy)
    chat = asked(request, call=call).parameter.chat
    assert (warnings, UNSET) == (call.answer.warnings, chat.temperature)


@pytest.mark.row("3.2 max_tokens")
def test_the_limit_of_tokens_is_the_models_own() -> None:
    """What Max takes is too much for Lite."""
    request = ModelRequest(messages="hi", max_new_tokens=8192)
    assert asked(request).parameter.chat.max_tokens == 8192
    with pytest.raises(UnsupportedOptionError, match=r"\[1,4096\]"):
        asked(request, model="lite")


@pytest.mark.row("3.3 system first")
def test_several_system_messages_at_the_start_become_one() -> None:
    """The service takes one, and it takes it first."""
    request = ModelRequest(
        messages=[
            {"role": "system", "content": "a"},
            {"role": "system", "content": "b"},
            {"role": "human", "content": "c"},
        ]
    )
    assert roles(request) == [("system", "a\nb"), ("user", "c")]


@pytest.mark.parametrize(
    "role",
    [
        pytest.param("system", marks=pytest.mark.row("3.3 system first")),
        pytest.param("tool", marks=pytest.mark.row("3.3 tool role")),
    ],
)
def test_a_role_that_cannot_be_sent_is_refused(role: str) -> None:
    """Not dropped: a system message in the middle, a tool's result."""
    messages = [{"role": "user", "content": "a"}, {"role": role, "content": "b"}]
    with pytest.raises(UnsupportedOptionError):
        asked(ModelRequest(messages=messages))


def test_text_parts_are_joined() -> None:
    """Content in parts is text like any other."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    request = ModelRequest(messages=[{"role": "user", "content": parts}])
    assert roles(request) == [("user", "a\nb")]


@pytest.mark.parametrize(
    "part", [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text"}]
)
def test_a_part_that_is_no_text_is_refused(part: dict[str, object]) -> None:
    """Nothing of a question is left out in silence."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "a"}, part]}]
    with pytest.raises(UnsupportedOptionError):
        asked(ModelRequest(messages=messages))


@pytest.mark.row("3.1 patch_id")
def test_a_fine_tuned_model_is_named_in_the_header() -> None:
    """By its resources; nothing is there where there are none."""
    request = ModelRequest(messages="hi")
    assert asked(request, patch_id=["0", "lora"]).header.patch_id == ["0", "lora"]
    assert asked(request).header.patch_id is UNSET


@pytest.mark.row("3.4 first item", "3.4 turns")
def test_an_image_stands_in_front_of_the_conversation() -> None:
    """Whichever message it came with; its text stays where it was."""
    parts = [{"type": "text", "text": "a"}, PICTURE]
    request = ModelRequest(
        messages=[
            {"role": "user", "content": parts},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ]
    )
    turns = asked(request, model="image").payload.message.text
    assert [(turn.role, turn.content, turn.content_type) for turn in turns] == [
        ("user", "aGk=", "image"),
        ("user", "a", UNSET),
        ("assistant", "b", UNSET),
        ("user", "c", UNSET),
    ]


@pytest.mark.row("3.3 functions.text")
def test_functions_go_beside_the_conversation() -> None:
    """As bare schemas."""
    tool = {"type": "function", "function": {"name": "f"}}
    payload = asked(ModelRequest(messages="hi", tools=[tool])).payload
    assert payload.functions
    assert payload.functions.text[0]["name"] == "f"


@pytest.mark.row("3.1 uid")
@pytest.mark.parametrize(
    ("name", "uid"),
    [
        (None, None),
        ("", None),
        ("ada", "ada"),
        ("x" * 32, "x" * 32),
        ("张" * 32, "张" * 32),
        ("x" * 33, "11ba55a3a7c1ee0f8eb8867dc40a62c6"),
    ],
    ids=["none", "empty", "short", "limit", "chinese", "long"],
)
def test_a_user_has_an_id_of_32_characters_at_the_most(name: str | None, uid: str | None) -> None:
    """As it is while it fits, else a digest, else nothing."""
    assert uid == user_id(name)


@pytest.mark.row("3.1 uid")
@given(st.text(st.characters(), min_size=33), st.text(st.characters(), min_size=1))
def test_two_users_with_long_names_stay_two(name: str, more: str) -> None:
    """A common beginning doesn't make them one."""
    first, second = user_id(name), user_id(name + more)
    assert first is not None
    assert (len(first), first != second) == (32, True)
