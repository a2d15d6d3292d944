"""A request of the contract as the body of a chat completion."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    BadRequestError,
    Call,
    ModelMessage,
    ModelRequest,
    ModelRequestContext,
    ToolCall,
    UnsupportedOptionError,
)
from modelplug_openai.options import OpenAIOptions
from modelplug_openai.preset import Preset
from modelplug_openai.question import question
from tests.providers.openai.wire import golden, preset

ASKED = {"stream": True, "stream_options": {"include_usage": True}}

BARE = Preset(name="bare", summary="", source="https://a.example", base=None)


def asked(
    request: ModelRequest,
    row: str | Preset = "openai",
    *,
    model: str = "m",
    call: Call | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The body of a request, as it goes out."""
    body = question(
        request,
        preset(row) if isinstance(row, str) else row,
        model=model,
        options=OpenAIOptions.model_validate(options),
        call=call or Call(),
    )
    sent: dict[str, Any] = json.loads(body)
    return sent


def turns(*messages: ModelMessage | dict[str, Any], row: str | Preset = "openai") -> Any:
    """The conversation that goes out."""
    return asked(ModelRequest(messages=messages), row)["messages"]


def test_the_smallest_question_is_openais() -> None:
    """Four fields, and no null."""
    told = golden("openai_text")["request"]
    request = ModelRequest(messages="What is the capital of Mexico?")
    assert told == asked(request, model="gpt-4o")


def test_a_question_with_tools_is_openais() -> None:
    """The schema goes out as it is."""
    told = golden("openai_tools")["request"]
    request = ModelRequest(
        messages="What is the capital of the UK? Use the tool, then answer.",
        tools=told["tools"],
        tool_choice="auto",
    )
    assert told == asked(request, model="gpt-4o-mini")


def test_a_tools_result_is_openais() -> None:
    """But for the content of the call, which is an empty text instead of null."""
    told = golden("openai_tool_result")["request"]
    call = ToolCall(
        id="call_ZR5UUuTt3pf61kjwAJIYdVMj", name="get_capital", arguments='{"country":"UK"}'
    )
    request = ModelRequest(
        messages=[
            ModelMessage("human", "What is the capital of the UK? Use the tool, then answer."),
            ModelMessage("ai", "", tool_calls=[call]),
            ModelMessage("tool", "London", tool_call_id="call_ZR5UUuTt3pf61kjwAJIYdVMj"),
        ],
        tools=told["tools"],
        tool_choice="auto",
    )
    told["messages"][1]["content"] = ""
    assert told == asked(request, model="gpt-4o-mini")
    again = request.copy(messages=golden("openai_tool_result")["request"]["messages"])
    assert told == asked(again, model="gpt-4o-mini")


@pytest.mark.parametrize(
    ("name", "row", "tokens"),
    [("deepseek_reasoning", "deepseek", None), ("openrouter_error", "openrouter", 10)],
)
def test_a_question_is_the_dialects(name: str, row: str, tokens: int | None) -> None:
    """As somebody recorded it."""
    told = golden(name)["request"]
    request = ModelRequest(messages=told["messages"], max_new_tokens=tokens)
    sent = asked(request, row, model=told["model"])
    limit = {preset(row).limit_field: tokens} if tokens else {}
    told.pop("max_completion_tokens", None)
    assert {**told, **limit} == sent


def test_a_question_of_azures_sends_what_is_0() -> None:
    """Under the documented names, with the model, which its path has as well."""
    told = golden("azure_passed")["request"]
    request = ModelRequest(
        messages="What is color?",
        temperature=0,
        frequency_penalty=0,
        presence_penalty=1.0,
        top_p=1.0,
        max_new_tokens=800,
    )
    sent = asked(request, "azure", limit_field="max_tokens", usage="never")
    assert {"model": "m", **told} == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", 0), ("temperature", 0.0), ("temperature", 2), ("top_p", 0.0)),
        *(("seed", 0), ("presence_penalty", -2), ("frequency_penalty", 0)),
    ],
)
def test_a_parameter_goes_out_under_its_name(name: str, value: float) -> None:
    """0 is set and is sent; None isn't."""
    sent = asked(ModelRequest(messages="hi", **{name: value}))  # type: ignore[arg-type]  # by name
    assert {**asked(ModelRequest(messages="hi")), name: value} == sent
    assert name not in asked(ModelRequest(messages="hi"))


def test_a_parameter_may_have_another_name() -> None:
    """The preset's, for what OpenAI calls otherwise or doesn't have."""
    row = Preset(
        name="x",
        summary="",
        source="https://a.example",
        base=None,
        limit_field="max_tokens",
        fields={"seed": "random_seed", "top_k": "top_k", "stop_token_ids": "stop_ids"},
        body={"tool_calls_switch": True, "stream": "x"},
        usage="always",
    )
    request = ModelRequest(messages="hi", seed=7, top_k=0, stop_token_ids=[1], max_new_tokens=0)
    expected = {
        "tool_calls_switch": True,
        "stream": True,
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "random_seed": 7,
        "top_k": 0,
        "stop_ids": [1],
        "max_tokens": 0,
    }
    assert expected == asked(request, row)
    assert asked(request, row, limit_field="max_completion_tokens")["max_completion_tokens"] == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ASKED),
        ({"usage": "always"}, {"stream": True}),
        ({"usage": "never"}, {"stream": True}),
        ({"stream": False}, {"stream": False}),
        ({"stream": "false", "usage": "asked"}, {"stream": False}),
    ],
    ids=repr,
)
def test_a_stream_is_asked_for_with_its_usage(
    options: dict[str, Any], expected: dict[str, object]
) -> None:
    """Unless the options say otherwise; a whole answer has it in any case."""
    sent = asked(ModelRequest(messages="hi"), **options)
    assert expected == {name: sent[name] for name in sent if name.startswith("stream")}


@pytest.mark.parametrize(
    ("stop", "sent"), [("x", ["x"]), (["a", "b"], ["a", "b"]), (("a",), ["a"]), (["", "a"], ["a"])]
)
def test_stop_is_a_list(stop: Any, sent: list[str]) -> None:
    """Whether it was given as one text or several."""
    assert sent == asked(ModelRequest(messages="hi", stop=stop))["stop"]


def test_an_echo_is_asked_for_only_where_it_is_wanted() -> None:
    """Services refuse fields that they don't know, whatever is in them."""
    row = Preset(
        name="x", summary="", source="https://a.example", base=None, fields={"echo": "echo"}
    )
    assert "echo" not in asked(ModelRequest(messages="hi", echo=False), row)
    assert asked(ModelRequest(messages="hi", echo=True), row)["echo"] is True


@pytest.mark.parametrize(
    "name", ["stop", "stop_token_ids", "tools", "response_format", "reasoning"]
)
def test_what_is_empty_asks_for_nothing(name: str) -> None:
    """An empty list isn't sent, nor an empty text."""
    nothings: tuple[Any, ...] = ([], "")
    for nothing in nothings:
        request = ModelRequest(messages="hi", **{name: nothing})
        assert name not in asked(request, BARE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True], ids=repr)
def test_a_number_that_is_none_is_refused(value: float) -> None:
    """An encoder would make it null, or true."""
    with pytest.raises((BadRequestError, UnsupportedOptionError), match="temperature"):
        asked(ModelRequest(messages="hi", temperature=value))


def test_roles_have_the_services_names() -> None:
    """In their order, whatever it is."""
    messages = [
        ModelMessage("system", "s"),
        ModelMessage("human", "h"),
        ModelMessage("ai", "a"),
        ModelMessage("system", "s"),
        ModelMessage("human", "h"),
        ModelMessage("human", "h"),
    ]
    roles = [turn["role"] for turn in turns(*messages)]
    assert roles == ["system", "user", "assistant", "system", "user", "user"]


def test_a_message_that_is_not_for_the_model_is_refused() -> None:
    """Never dropped in silence."""
    with pytest.raises(UnsupportedOptionError, match="'view'"):
        turns(ModelMessage("view", "v"))


def test_a_call_without_arguments_or_id_is_sent() -> None:
    """Its arguments are an empty object: servers parse them."""
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = ModelMessage("ai", "a", tool_calls=[ToolCall(name="f")])
    assert [{"role": "assistant", "content": "a", "tool_calls": [call]}] == turns(message)
    assert turns(ModelMessage("tool", "r")) == [{"role": "tool", "content": "r"}]


def test_parts_go_out_as_they_are() -> None:
    """Images and sound among them."""
    image = {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"},
    }
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    text = {"type": "text", "text": "what is this?"}
    (turn,) = turns(ModelMessage("human", [text, image, sound]))
    assert [text, image, sound] == turn["content"]


def test_an_output_has_its_format() -> None:
    """Unchanged."""
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    request = ModelRequest(messages="hi", response_format=wanted)
    assert wanted == asked(request)["response_format"]


@pytest.mark.parametrize(("choice", "there"), [("none", True), (None, False), ("", False)])
def test_a_choice_among_tools_goes_with_them(choice: str | None, there: bool) -> None:
    """And without them says nothing."""
    tools = [{"name": "f"}]
    request = ModelRequest(messages="hi", tools=tools, tool_choice=choice)
    assert there is ("tool_choice" in asked(request))
    assert "tool_choice" not in asked(request.copy(tools=None))


def test_options_go_out_under_openais_names() -> None:
    """Those that are set, False and 0 among them."""
    options: dict[str, Any] = {
        "user": "u",
        "service_tier": "flex",
        "parallel_tool_calls": False,
        "logprobs": True,
        "top_logprobs": 0,
        "logit_bias": {"50256": -100},
        "verbosity": "low",
    }
    sent = asked(ModelRequest(messages="hi"), **options)
    assert {**asked(ModelRequest(messages="hi")), **options} == sent


def test_who_asks_is_not_sent_unless_an_option_says_so() -> None:
    """The context is the app's own."""
    context = ModelRequestContext(user_name="ann", sys_code="s", request_id="r")
    assert asked(ModelRequest(messages="hi")) == asked(ModelRequest(messages="hi", context=context))


def test_extra_fields_are_added() -> None:
    """Whatever they are, as long as they are JSON."""
    extra = {"top_k": 5, "chat_template_kwargs": {"x": [None]}, "min_p": 0.0}
    sent = asked(ModelRequest(messages="hi"), extra_body=extra)
    assert {**asked(ModelRequest(messages="hi")), **extra} == sent


def test_extra_fields_replace_nothing() -> None:
    """What the request says, or the preset, is said once."""
    row = Preset(name="x", summary="", source="https://a.example", base=None, body={"switch": True})
    with pytest.raises(UnsupportedOptionError, match="reasoning_effort"):
        asked(ModelRequest(messages="hi", reasoning="low"), extra_body={"reasoning_effort": "high"})
    with pytest.raises(UnsupportedOptionError, match="switch"):
        asked(ModelRequest(messages="hi"), row, extra_body={"switch": False})


@pytest.mark.parametrize("extra", [{"x": {1, 2}}, {"x": float("inf")}, {"x": b"y"}], ids=repr)
def test_extra_fields_are_json(extra: dict[str, object]) -> None:
    """Or are refused, by their place."""
    with pytest.raises(BadRequestError, match=r"extra_body\.x"):
        asked(ModelRequest(messages="hi"), extra_body=extra)


@pytest.mark.parametrize("number", [10**400, -(10**5000)], ids=["many", "more"])
def test_a_number_that_no_json_has_is_refused(number: int) -> None:
    """By its name; no encoder would write it."""
    with pytest.raises(BadRequestError, match="seed has a number of too many digits"):
        asked(ModelRequest(messages="hi", seed=number))
    with pytest.raises(BadRequestError, match=r"extra_body\.x has a number of too many digits"):
        asked(ModelRequest(messages="hi"), extra_body={"x": number})


@pytest.mark.parametrize("thought", ["Oslo is in Norway.", ""], ids=["thought", "nothing"])
@pytest.mark.parametrize("row", ["deepseek", "moonshot"])
def test_what_was_thought_goes_back_with_the_calls(row: str, thought: str) -> None:
    """Where the service refuses calls without it; even if it was nothing."""
    call = ToolCall(id="c1", name="weather", arguments="{}")
    message = ModelMessage("ai", "", tool_calls=[call], reasoning=thought)
    assert thought == turns(message, row=row)[0]["reasoning_content"]
    assert "reasoning_content" not in turns(message)[0]
    assert "reasoning_content" not in turns(ModelMessage("ai", "hi"), row=row)[0]


def test_half_a_surrogate_pair_is_refused() -> None:
    """UTF-8 can't express it."""
    with pytest.raises(BadRequestError, match="surrogate") as caught:
        asked(ModelRequest(messages="\ud800"))
    assert (caught.value.sent, caught.value.__context__) == ("no", None)


@pytest.mark.parametrize(("policy", "warnings"), [("warn", 1), ("drop", 0)])
def test_what_only_the_wire_knows_is_left_out_where_that_is_wanted(
    policy: Literal["warn", "drop"], warnings: int
) -> None:
    """By the request's own policy."""
    call = Call()
    row = Preset(name="x", summary="", source="https://a.example", base=None, reasoning=None)
    request = ModelRequest(messages="hi", reasoning="high", on_unsupported=policy)
    assert asked(ModelRequest(messages="hi"), row) == asked(request, row, call=call)
    assert warnings == len(call.answer.warnings)


TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS, st.sampled_from(["human", "ai", "system", "tool"]), st.floats(0, 2))
def test_any_text_arrives_as_it_is(text: str, role: str, temperature: float) -> None:
    """Byte for byte, and the request isn't changed."""
    request = ModelRequest(messages=[ModelMessage(role, text)], temperature=temperature)
    before = repr(request)
    sent = asked(request)
    assert (text, temperature) == (sent["messages"][0]["content"], sent["temperature"])
    assert before == repr(request)
