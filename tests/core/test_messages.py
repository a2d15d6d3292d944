"""Messages, their roles, and the default converter."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace
from typing import cast

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from modelplug import (
    Capabilities,
    DefaultMessageConverter,
    MessageConverter,
    ModelMessage,
    ModelMetadata,
    ModelOutput,
    ToolCall,
)
from modelplug.messages import as_messages

UNTIMED = run_with(deadline=None, suppress_health_check=[HealthCheck.too_slow])

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
TEXT = {"type": "text", "text": "what is this?"}

EMULATED = ModelMetadata(model="m", capabilities=Capabilities(emulated=["system_role"]))
NATIVE = ModelMetadata(model="m", capabilities=Capabilities(native=["system_role"]))
UNSUPPORTED = ModelMetadata(model="m", capabilities=Capabilities(unsupported=["system_role"]))
UNKNOWN = ModelMetadata(model="m")

roles = st.sampled_from(["system", "human", "ai", "tool", "view"])
contents = st.text() | st.lists(st.sampled_from([IMAGE, TEXT]))
conversations = st.lists(st.builds(ModelMessage, roles, contents, round_index=st.integers(0, 3)))


def converted(*messages: ModelMessage, metadata: ModelMetadata = EMULATED) -> list[ModelMessage]:
    """What the default converter makes of ``messages``."""
    return list(DefaultMessageConverter().convert(messages, metadata))


@pytest.mark.parametrize(
    ("given_role", "own", "common"),
    [
        ("system", "system", "system"),
        ("developer", "system", "system"),
        ("human", "human", "user"),
        ("user", "human", "user"),
        ("ai", "ai", "assistant"),
        ("assistant", "ai", "assistant"),
        ("tool", "tool", "tool"),
        ("view", "view", "view"),
    ],
)
def test_roles_have_two_names(given_role: str, own: str, common: str) -> None:
    """OpenAI's names are accepted, kept as DB-GPT's, and given out as most services want them."""
    message = ModelMessage(given_role, "hi")
    assert (own, common) == (message.role, message.to_common()["role"])


@pytest.mark.parametrize("role", ["", "User", "bot", "function"])
def test_an_unknown_role_is_refused(role: str) -> None:
    """A role that nobody knows is an error that lists the known ones, never dropped."""
    with pytest.raises(ValueError, match=f"unknown role '{role}'; known are system, .*view"):
        ModelMessage(role, "hi")


@pytest.mark.parametrize(
    "content",
    [None, 5, b"", b"hi", {"type": "text"}, ["hi"], [TEXT, None], iter([TEXT])],
    ids=["none", "number", "no-bytes", "bytes", "mapping", "texts", "hole", "iterator"],
)
def test_content_is_text_or_parts(content: object) -> None:
    """Anything else is refused when the message is made, not when it is sent."""
    with pytest.raises(ValueError, match="content is a string or a list of parts"):
        ModelMessage("human", content)  # type: ignore[arg-type]  # the point of the test


def test_messages_need_a_role_and_content_only() -> None:
    """Both are given by position; the round is by keyword and 0 by default."""
    assert ModelMessage(role="human", content="hi", round_index=0) == ModelMessage("human", "hi")
    with pytest.raises(TypeError):
        ModelMessage("human", "hi", 1)  # type: ignore[call-arg]  # the point of the test


def test_parts_are_kept_apart_from_the_caller_s_list() -> None:
    """A list of parts that grows later doesn't change the message."""
    parts: list[dict[str, object]] = [dict(TEXT)]
    message = ModelMessage("human", parts)
    parts.append(dict(IMAGE))
    assert message == ModelMessage("human", [TEXT])


@pytest.mark.parametrize("name", ["role", "content", "round_index"])
def test_messages_are_frozen(name: str) -> None:
    """A message that exists is right and stays so."""
    with pytest.raises(FrozenInstanceError):
        setattr(ModelMessage("human", "hi"), name, "ai")


@UNTIMED
@given(messages=conversations)
def test_messages_are_values(messages: list[ModelMessage]) -> None:
    """They copy and pickle by value."""
    pickled = pickle.loads(pickle.dumps(messages))  # noqa: S301  # our own
    assert [messages] * 3 == [copy.copy(messages), copy.deepcopy(messages), pickled]


@pytest.mark.parametrize(
    ("role", "expected"),
    [("system", True), ("human", True), ("ai", True), ("tool", True), ("view", False)],
)
def test_view_messages_are_for_people(role: str, expected: bool) -> None:
    """All roles but ``view`` are for the model."""
    assert expected is ModelMessage(role, "hi").pass_to_model


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("hi", "hi", id="text"),
        pytest.param("", "", id="nothing"),
        pytest.param([], "", id="no-parts"),
        pytest.param([TEXT], "what is this?", id="part"),
        pytest.param([IMAGE, TEXT], "what is this?", id="image-and-text"),
        pytest.param([TEXT, TEXT], "what is this?\nwhat is this?", id="two-parts"),
    ],
)
def test_text_is_that_of_all_parts(content: str | list[dict[str, object]], expected: str) -> None:
    """The text of a message is its own, or that of its parts line by line."""
    assert expected == ModelMessage("human", content).text


def test_a_common_message_has_the_content_as_given() -> None:
    """Text stays text and parts stay parts, in the order in which they were given."""
    assert ModelMessage("human", "hi").to_common() == {"role": "user", "content": "hi"}
    expected = {"role": "user", "content": [IMAGE, TEXT]}
    assert expected == ModelMessage("human", (IMAGE, TEXT)).to_common()


def test_a_common_message_may_be_changed() -> None:
    """Whoever writes into a common message's parts doesn't write into the message."""
    message = ModelMessage("human", [TEXT])
    parts = message.to_common()["content"]
    assert isinstance(parts, list)
    parts.pop()["text"] = "something else"
    assert message == ModelMessage("human", [TEXT])


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param("hi", (ModelMessage("human", "hi"),), id="text"),
        pytest.param("", (ModelMessage("human", ""),), id="empty-text"),
        pytest.param((), (), id="none"),
        pytest.param([ModelMessage("ai", "hi")], (ModelMessage("ai", "hi"),), id="message"),
        pytest.param(
            [{"role": "user", "content": "hi"}], (ModelMessage("human", "hi"),), id="mapping"
        ),
        pytest.param(
            [{"role": "ai", "content": [TEXT], "round_index": 2}],
            (ModelMessage("ai", [TEXT], round_index=2),),
            id="mapping-with-round",
        ),
        pytest.param(
            [{"role": "ai", "content": "hi", "round_index": None}],
            (ModelMessage("ai", "hi"),),
            id="mapping-without-round",
        ),
        pytest.param(
            [ModelMessage("ai", "a"), {"role": "user", "content": "b"}],
            (ModelMessage("ai", "a"), ModelMessage("human", "b")),
            id="both",
        ),
    ],
)
def test_messages_come_in_several_forms(
    messages: str | list[ModelMessage], expected: tuple[ModelMessage, ...]
) -> None:
    """A question, messages and mappings, also mixed, are read as messages."""
    assert expected == as_messages(messages)


def test_a_message_stays_the_same_one() -> None:
    """What is a message already isn't made anew."""
    message = ModelMessage("human", "hi")
    assert as_messages([message])[0] is message


@pytest.mark.parametrize(
    ("message", "told"),
    [
        pytest.param({"content": "hi"}, "a message lacks 'role'", id="no-role"),
        pytest.param({"role": "user"}, "a message lacks 'content'", id="no-content"),
        pytest.param({"role": "bot", "content": "hi"}, "unknown role 'bot'", id="role"),
        pytest.param({"role": "user", "content": 5}, "content is a string", id="content"),
        pytest.param(
            {"role": "user", "content": "hi", "name": "x", "id": 1}, "not id, name", id="more"
        ),
        pytest.param("hi", "a message is a ModelMessage or a mapping, not str", id="text"),
        pytest.param(None, "a message is a ModelMessage or a mapping, not NoneType", id="none"),
    ],
)
def test_what_is_no_message_is_refused(message: object, told: str) -> None:
    """A message that can't be read is an error that says what is wrong with it."""
    with pytest.raises(ValueError, match=told):
        as_messages([message])  # type: ignore[list-item]  # the point of the test


@pytest.mark.parametrize(
    "metadata",
    [None, NATIVE, UNSUPPORTED, UNKNOWN],
    ids=["no-metadata", "native", "unsupported", "unknown"],
)
def test_system_messages_stay_unless_they_are_emulated(metadata: ModelMetadata | None) -> None:
    """Only what the plugin makes up for is folded; elsewhere refusing is the client's business."""
    messages = [ModelMessage("system", "be brief"), ModelMessage("human", "hi")]
    assert messages == list(DefaultMessageConverter().convert(messages, metadata))


def test_system_messages_are_put_in_front_of_the_last_question() -> None:
    """Where the plugin emulates the role, instructions precede the last human message."""
    expected = [
        ModelMessage("human", "hi"),
        ModelMessage("ai", "hello"),
        ModelMessage("human", "be brief\nspeak French\nand now?", round_index=1),
        ModelMessage("tool", "42"),
    ]
    assert expected == converted(
        ModelMessage("system", "be brief"),
        ModelMessage("human", "hi"),
        ModelMessage("ai", "hello"),
        ModelMessage("system", "speak French"),
        ModelMessage("human", "and now?", round_index=1),
        ModelMessage("tool", "42"),
    )


def test_system_messages_are_joined_by_the_separator() -> None:
    """The separator stands between instructions, and between them and the question."""
    converter = DefaultMessageConverter(prompt_sep=" / ")
    messages = as_messages("a"), as_messages("b")
    system = [ModelMessage("system", each.text) for (each,) in messages]
    assert list(converter.convert([*system, ModelMessage("human", "c")], EMULATED)) == [
        ModelMessage("human", "a / b / c")
    ]


def test_a_question_in_parts_gets_one_more() -> None:
    """Instructions become a text part before the others, so that images stay."""
    expected = [ModelMessage("human", [{"type": "text", "text": "be brief"}, IMAGE, TEXT])]
    given_messages = ModelMessage("system", "be brief"), ModelMessage("human", [IMAGE, TEXT])
    assert expected == converted(*given_messages)


def test_instructions_without_a_question_are_the_question() -> None:
    """System messages alone are asked rather than dropped."""
    expected = [ModelMessage("ai", "hello"), ModelMessage("human", "a"), ModelMessage("human", "b")]
    assert expected == converted(
        ModelMessage("system", "a"), ModelMessage("ai", "hello"), ModelMessage("system", "b")
    )


@UNTIMED
@given(messages=conversations)
def test_converting_changes_nothing_that_it_is_given(messages: list[ModelMessage]) -> None:
    """Neither the list nor a message in it is another after it has been converted."""
    before = copy.deepcopy(messages)
    converted(*messages)
    DefaultMessageConverter().convert(messages, EMULATED)
    assert before == messages


@UNTIMED
@given(messages=conversations)
def test_what_is_not_for_the_model_is_left_out(messages: list[ModelMessage]) -> None:
    """Without emulation exactly the ``view`` messages go, and the order stays."""
    expected = [message for message in messages if message.role != "view"]
    assert expected == converted(*messages, metadata=NATIVE)


@UNTIMED
@given(messages=conversations)
def test_no_instruction_is_lost(messages: list[ModelMessage]) -> None:
    """However a conversation goes, emulation keeps every word and no system message of text."""
    messages = [
        message
        for message in messages
        if isinstance(message.content, str) or message.role != "system"
    ]
    result = converted(*messages)
    text = "\n".join(message.text for message in result)
    assert all(message.role not in ("system", "view") for message in result)
    assert all(message.text in text for message in messages if message.pass_to_model)


def test_the_default_converter_is_a_converter() -> None:
    """It keeps to the interface that callers' own converters have."""
    assert isinstance(DefaultMessageConverter(), MessageConverter)


def test_the_default_converter_is_a_value() -> None:
    """It is set up once, by keyword, and compares by how."""
    assert DefaultMessageConverter() == DefaultMessageConverter(prompt_sep="\n")
    with pytest.raises(TypeError):
        DefaultMessageConverter(" ")  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(FrozenInstanceError):
        setattr(DefaultMessageConverter(), "prompt_sep", " ")  # noqa: B010  # mypy refuses the other way


def test_any_object_that_converts_is_a_converter() -> None:
    """A caller's converter needs the method and no base class."""

    class Shouting:
        def convert(
            self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
        ) -> Sequence[ModelMessage]:
            return [ModelMessage(each.role, each.text.upper()) for each in messages]

    assert isinstance(Shouting(), MessageConverter)
    assert not isinstance(object(), MessageConverter)


def test_a_system_message_with_an_image_is_not_folded() -> None:
    """What can't be folded without a loss stays as it is, and is refused where it can't be sent."""
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    messages = [ModelMessage("system", [image]), ModelMessage("human", "hi")]
    able = Capabilities(emulated=["system_role"])
    metadata = ModelMetadata(model="m", capabilities=able)
    assert messages == DefaultMessageConverter().convert(messages, metadata)


CALL = ToolCall(id="c1", name="weather", arguments='{"city": "Oslo"}')
COMMON_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}


def test_a_conversation_with_tools_has_the_names_of_most_services() -> None:
    """Calls and their results are given out as OpenAI's chat completions have them."""
    called = ModelMessage("ai", "a moment", tool_calls=[CALL])
    result = ModelMessage("tool", "rain", tool_call_id="c1")
    expected = [
        {"role": "assistant", "content": "a moment", "tool_calls": [COMMON_CALL]},
        {"role": "tool", "content": "rain", "tool_call_id": "c1"},
    ]
    assert expected == [called.to_common(), result.to_common()]


def test_a_call_without_arguments_has_those_of_an_empty_object() -> None:
    """Services want JSON there, and nothing is none."""
    common = ModelMessage("ai", "", tool_calls=[replace(CALL, arguments="")]).to_common()
    (call,) = cast(list[dict[str, dict[str, str]]], common["tool_calls"])
    assert call["function"] == {"name": "weather", "arguments": "{}"}


@pytest.mark.parametrize("content", [{"content": None}, {"content": ""}, {}])
def test_a_call_needs_no_text(content: dict[str, object]) -> None:
    """A message that calls tools may say nothing, in each way that services say nothing."""
    (message,) = as_messages([{"role": "assistant", "tool_calls": [COMMON_CALL], **content}])
    assert ModelMessage("ai", "", tool_calls=[CALL]) == message


def test_the_calls_of_an_output_go_back_as_they_came() -> None:
    """What an output has as ``tool_calls`` is what a message takes, numbered from 0."""
    output = ModelOutput("", tool_calls=[CALL, replace(CALL, id="c2", index=7)])
    message = ModelMessage("ai", output.text, tool_calls=output.tool_calls)
    expected = [(0, "c1"), (1, "c2")]
    assert expected == [(call.index, call.id) for call in message.tool_calls]
    assert (message,) == as_messages([message.to_common()])


def test_what_a_model_thought_goes_with_its_calls() -> None:
    """Thinking is kept for the services that want it back, and isn't given out to all others."""
    message = ModelMessage("ai", "", tool_calls=[CALL], reasoning="hm")
    common = message.to_common()
    assert "hm" not in str(common)
    assert (message,) == as_messages([{**common, "reasoning": "hm"}])


@given(st.lists(st.builds(ToolCall, id=st.none() | st.text(), name=st.text(), arguments=st.text())))
@UNTIMED
def test_calls_survive_the_way_out_and_back(calls: list[ToolCall]) -> None:
    """Whatever a model called, the message that says so can be read again."""
    (read,) = as_messages([ModelMessage("ai", "", tool_calls=calls).to_common()])
    expected = [replace(call, arguments=call.arguments or "{}") for call in calls]
    assert read == ModelMessage("ai", "", tool_calls=expected)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"role": "user", "content": "hi", "tool_calls": [COMMON_CALL]}, "role ai, not human"),
        ({"role": "user", "content": "hi", "reasoning": "hm"}, "role ai, not human"),
        ({"role": "user", "content": "hi", "tool_call_id": "c1"}, "role tool, not human"),
        ({"role": "ai", "content": "", "tool_calls": COMMON_CALL}, "tool_calls are a list"),
        ({"role": "ai", "content": "", "tool_calls": ["c1"]}, "a ToolCall, or a mapping"),
        ({"role": "ai", "content": "", "tool_calls": [{"id": "c1"}]}, "a ToolCall, or a mapping"),
        ({"role": "ai", "tool_calls": [{"function": {"arguments": {}}}]}, "arguments in JSON"),
        ({"role": "ai", "content": None}, "content is a string"),
    ],
)
def test_what_is_no_call_is_refused(message: dict[str, object], told: str) -> None:
    """A call in the wrong place or shape is an error that says what is wrong with it."""
    with pytest.raises(ValueError, match=told):
        as_messages([message])
