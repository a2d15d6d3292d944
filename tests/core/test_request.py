"""What is asked of a model."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, asdict, fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from modelplug import ModelMessage, ModelRequest, ModelRequestContext, Timeouts, ToolCall
from modelplug.request import REQUEST_DEFAULTS, OnUnsupported

UNTIMED = run_with(deadline=None, suppress_health_check=[HealthCheck.too_slow])

QUESTION = ModelMessage("human", "hi")
CALLING = ModelMessage("ai", "", tool_calls=[ToolCall(name="clock")])
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
FULL = ModelRequest(
    model="m",
    messages=[QUESTION],
    temperature=0.5,
    stop=["a", "b"],
    timeout=Timeouts(total=1),
    options={"acme": {"safe": True}},
    context=ModelRequestContext(stream=True, user_name="u", extra={"a": 1}),
)

OPTIONAL = [
    field.name
    for field in fields(ModelRequest)
    if field.name not in ("messages", "options", "context")
]

UNCHECKED = [name for name in OPTIONAL if name not in ("timeout", "on_unsupported")]

SHAPED: Mapping[str, Sequence[object]] = {
    "stop": ("", "x", ("x", "y")),
    "stop_token_ids": ([], [0], (1, 2)),
    "tools": ([], [{"type": "function"}]),
    "tool_choice": ("auto", {"type": "function"}),
    "response_format": ({}, {"type": "json_object"}),
    "reasoning": ("low", {"effort": "low"}),
}
"""What fields take that are no numbers; all others are checked for no more than that."""

settings = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([None, *SHAPED.get(name, (0, 1, 7))]) for name in sorted(UNCHECKED)
    },
)


def request(parameters: Mapping[str, object]) -> ModelRequest:
    """A request of values that only matter by being there."""
    return ModelRequest(**parameters)  # type: ignore[arg-type]  # any value does


def test_a_request_asks_for_nothing_by_itself() -> None:
    """Every parameter is unset by default, so nothing is sent that nobody chose."""
    expected = {"messages": (), "options": {}, "context": ModelRequestContext()}
    assert expected == ModelRequest().to_dict()


def test_the_context_has_db_gpt_s_defaults() -> None:
    """Nobody asks, for nobody, without a stream."""
    set_fields = {name: value for name, value in asdict(ModelRequestContext()).items() if value}
    assert set_fields == {}
    assert ModelRequestContext().stream is False
    assert ModelRequestContext().extra == {}


@pytest.mark.parametrize("name", [field.name for field in fields(ModelRequest)])
def test_requests_are_frozen(name: str) -> None:
    """No field of a request can be set."""
    with pytest.raises(FrozenInstanceError):
        setattr(ModelRequest(), name, None)


@pytest.mark.parametrize("name", [field.name for field in fields(ModelRequestContext)])
def test_contexts_are_frozen(name: str) -> None:
    """No field of a context can be set."""
    with pytest.raises(FrozenInstanceError):
        setattr(ModelRequestContext(), name, None)


def test_all_is_given_by_keyword() -> None:
    """No two parameters can be swapped by their order."""
    with pytest.raises(TypeError):
        ModelRequest("m", [QUESTION])  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(TypeError):
        ModelRequestContext(True)  # type: ignore[call-arg]  # the same


@pytest.mark.parametrize(
    "messages",
    ["hi", [QUESTION], (QUESTION,), [{"role": "user", "content": "hi"}], iter([QUESTION])],
    ids=["text", "list", "tuple", "mappings", "iterator"],
)
def test_messages_are_kept_as_values(messages: object) -> None:
    """A question, messages or mappings: the request has a tuple of messages."""
    assert request({"messages": messages}).messages == (QUESTION,)


def test_messages_that_can_t_be_read_are_refused() -> None:
    """A request that exists has messages that can be read."""
    with pytest.raises(ValueError, match="unknown role 'bot'"):
        request({"messages": [{"role": "bot", "content": "hi"}]})


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "soon"])
def test_a_timeout_that_can_t_be_is_refused(timeout: object) -> None:
    """A request that exists can be carried out: the fault shows where it was made."""
    with pytest.raises(ValueError, match=r"Timeouts\.total|a timeout is seconds"):
        request({"timeout": timeout})


@pytest.mark.parametrize("timeout", [None, 1, 0.5, Timeouts(idle=1)])
def test_a_timeout_is_kept_as_given(timeout: float | Timeouts | None) -> None:
    """Seconds for the whole call, or clocks."""
    assert timeout == ModelRequest(timeout=timeout).timeout


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": "hot"},
        {"max_new_tokens": "3"},
        {"max_new_tokens": -1},
        {"top_k": 2.5},
        {"options": []},
        {"options": {"echo": None}},
        {"context": 7},
        {"reasoning": True},
        {"reasoning": ["x"]},
        {"stop": 5},
        {"stop": ["a", 5]},
        {"stop_token_ids": 5},
        {"stop_token_ids": ["a"]},
        {"tool_choice": 5},
        {"response_format": "json"},
        {"messages": 5},
        {"messages": {"role": "user"}},
    ],
    ids=str,
)
def test_values_of_the_wrong_kind_are_refused(parameters: dict[str, object]) -> None:
    """What no backend could read is refused where the request is made."""
    with pytest.raises(ValueError, match=r" is | are "):
        request(parameters)


def test_a_context_may_be_left_out_or_be_a_mapping() -> None:
    """None is an empty context; a mapping has its fields."""
    assert ModelRequestContext() == request({"context": None}).context
    assert request({"context": {"user_name": "ann"}}).context.user_name == "ann"


@pytest.mark.parametrize("word", ["ignore", "Error", "", False])
def test_a_policy_that_there_isn_t_is_refused(word: object) -> None:
    """A misspelt word never turns an error into silence."""
    with pytest.raises(ValueError, match="one of error, warn, drop"):
        request({"on_unsupported": word})


@pytest.mark.parametrize("word", [None, "error", "warn", "drop"])
def test_a_policy_is_kept_as_given(word: OnUnsupported | None) -> None:
    """What happens to a parameter that the model can't honour."""
    assert word == ModelRequest(on_unsupported=word).on_unsupported


def test_a_list_of_messages_stays_the_caller_s() -> None:
    """A list that grows later doesn't change the request."""
    messages = [QUESTION]
    asked = ModelRequest(messages=messages)
    messages.append(QUESTION)
    assert asked == ModelRequest(messages=[QUESTION])


def test_requests_are_values() -> None:
    """Copies and what comes out of a pickle equal the original."""
    pickled = pickle.loads(pickle.dumps(FULL))  # noqa: S301  # our own
    assert [copy.copy(FULL), copy.deepcopy(FULL), pickled, FULL.copy()] == [FULL] * 4


@UNTIMED
@given(parameters=settings)
def test_none_is_not_set_and_zero_is(parameters: dict[str, object]) -> None:
    """Only None means *not set*; 0, False and an empty text are told like any value."""
    told = request(parameters).to_dict()
    expected = {name: value for name, value in parameters.items() if value is not None}
    assert expected == {name: told[name] for name in told if name in OPTIONAL}


@UNTIMED
@given(parameters=settings, changes=settings)
def test_a_copy_changes_nothing(parameters: dict[str, object], changes: dict[str, object]) -> None:
    """A copy has the changes, also to None, and the original has none of them."""
    original = request(parameters)
    changed = original.copy(**changes)
    assert (request(parameters), request(parameters | changes)) == (original, changed)


def test_a_copy_s_messages_are_read_like_a_request_s() -> None:
    """A copy accepts messages in the forms that a request does."""
    assert ModelRequest(messages=[QUESTION]) == ModelRequest().copy(messages="hi")


def test_a_copy_with_an_unknown_field_is_refused() -> None:
    """A misspelt parameter is an error and no silence."""
    with pytest.raises(TypeError, match="temprature"):
        ModelRequest().copy(temprature=1)


@UNTIMED
@given(parameters=settings, defaults=settings)
def test_a_request_wins_over_defaults(
    parameters: dict[str, object], defaults: dict[str, object]
) -> None:
    """Defaults fill what is unset: 0 is set, and None isn't."""
    chosen = {name: value for name, value in parameters.items() if value is not None}
    original = request(parameters)
    assert request(defaults | chosen) == original.with_defaults(defaults)
    assert request(parameters) == original


def test_defaults_are_for_fields_of_a_request() -> None:
    """What a client may give defaults for are optional fields, and never the question."""
    assert set(REQUEST_DEFAULTS) <= set(OPTIONAL) - {"model"}


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        pytest.param(None, (), id="none"),
        pytest.param("a", ("a",), id="one"),
        pytest.param("", ("",), id="empty"),
        pytest.param(["a", "b"], ("a", "b"), id="several"),
        pytest.param([], (), id="no-items"),
    ],
)
def test_stop_sequences_are_a_tuple(
    stop: str | list[str] | None, expected: tuple[str, ...]
) -> None:
    """A provider reads one form, however ``stop`` was given."""
    assert expected == ModelRequest(stop=stop).stop_sequences


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"temperature": 0, "seed": 0}, ("temperature", "seed"), id="zero"),
        pytest.param({"echo": False}, (), id="false"),
        pytest.param({"echo": True}, ("echo",), id="true"),
        pytest.param({"stop": "a", "tools": ()}, ("stop",), id="collections"),
        pytest.param({"model": "m", "timeout": 1, "context_len": 5}, (), id="no-capability"),
        pytest.param({"options": {"acme": {"seed": 1}}}, (), id="options"),
        pytest.param({"messages": [ModelMessage("view", "hi")]}, (), id="view"),
        pytest.param({"messages": [ModelMessage("system", "hi")]}, ("system_role",), id="system"),
        pytest.param({"messages": [ModelMessage("tool", "hi")]}, ("tool_role",), id="tool"),
        pytest.param({"messages": [CALLING]}, ("tool_role",), id="call"),
        pytest.param({"messages": [ModelMessage("human", [IMAGE])]}, ("images",), id="image"),
    ],
)
def test_a_request_tells_what_it_needs(
    parameters: dict[str, object], expected: tuple[str, ...]
) -> None:
    """Set parameters, roles and images are what a model must be able to do."""
    assert expected == request(parameters).asked_for()


def test_common_messages_have_the_common_names() -> None:
    """The roles are called as most services call them, and the order stays."""
    roles = ["system", "human", "ai", "tool", "human"]
    asked = ModelRequest(messages=[ModelMessage(role, role) for role in roles])
    assert asked.to_common_messages() == [
        {"role": "system", "content": "system"},
        {"role": "user", "content": "human"},
        {"role": "assistant", "content": "ai"},
        {"role": "tool", "content": "tool"},
        {"role": "user", "content": "human"},
    ]


@pytest.mark.parametrize("support", [True, False])
def test_a_view_message_is_refused_and_not_dropped(support: bool) -> None:
    """Whether a message should be seen by the model is not for a service's format to decide."""
    asked = ModelRequest(messages=[QUESTION, ModelMessage("view", "a chart")])
    with pytest.raises(ValueError, match="role 'view' can't be sent"):
        asked.to_common_messages(support)


def test_a_system_message_is_refused_where_it_can_t_be_sent() -> None:
    """A model without the role is never asked without the instructions."""
    asked = ModelRequest(messages=[ModelMessage("system", "be brief"), QUESTION])
    assert len(asked.to_common_messages()) == 2
    with pytest.raises(ValueError, match="role 'system' can't be sent"):
        asked.to_common_messages(support_system_role=False)


def test_messages_without_a_system_role_need_none() -> None:
    """A model without the role can be asked what doesn't need it."""
    common = ModelRequest(messages=[QUESTION]).to_common_messages(support_system_role=False)
    assert common == [{"role": "user", "content": "hi"}]


def test_a_request_is_built_from_loose_parts() -> None:
    """DB-GPT's way: model and messages first, and anything that a request has."""
    expected = ModelRequest(
        model="m",
        messages=[QUESTION],
        temperature=0,
        context=ModelRequestContext(stream=True),
    )
    assert expected == ModelRequest.build_request("m", "hi", stream=True, temperature=0)
    assert ModelRequest() == ModelRequest.build_request()


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        pytest.param(None, ModelRequestContext(stream=True), id="none"),
        pytest.param(
            {"user_name": "u"}, ModelRequestContext(stream=True, user_name="u"), id="mapping"
        ),
        pytest.param({"stream": False}, ModelRequestContext(), id="mapping-with-stream"),
        pytest.param(ModelRequestContext(), ModelRequestContext(), id="context"),
    ],
)
def test_a_context_s_own_word_on_streaming_wins(
    context: ModelRequestContext | dict[str, object] | None, expected: ModelRequestContext
) -> None:
    """The loose ``stream`` counts where the context says nothing about it."""
    assert expected == ModelRequest.build_request("m", "hi", context, stream=True).context


def test_a_loose_part_that_requests_don_t_have_is_refused() -> None:
    """A misspelt parameter is an error and no silence."""
    with pytest.raises(TypeError, match="temprature"):
        ModelRequest.build_request("m", "hi", temprature=1)


@pytest.mark.parametrize("stream", [True, False])
def test_a_request_streams_as_its_context_says(stream: bool) -> None:
    """Whether a stream is wanted is read from the context."""
    assert stream is ModelRequest(context=ModelRequestContext(stream=stream)).stream


def test_a_detached_request_shares_nothing_that_can_change() -> None:
    """It is equal to the first, whose lists and mappings stay as they are."""
    tools = ({"type": "function", "function": {"name": "f", "parameters": {"required": ["a"]}}},)
    request = ModelRequest(
        messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        tools=tools,
        stop=["a"],
        options={"acme": {"beam": [1, (2, [3])]}},
        context={"extra": {"who": ["me"]}},  # type: ignore[arg-type]  # as it may be given
    )
    before = pickle.dumps(request)
    detached = request.detached()
    assert detached == request
    mine: Any = detached
    mine.tools[0]["function"]["parameters"]["required"].append("b")
    mine.stop.append("b")
    mine.options["acme"]["beam"][1][1].append(4)
    mine.options["other"] = {}
    mine.context.extra["who"].clear()
    mine.messages[0].content[0]["text"] = "ho"
    assert pickle.dumps(request) == before


def test_a_detached_request_has_no_more_set() -> None:
    """What isn't set stays so, and what can't change is the same."""
    request = ModelRequest(messages="hi", temperature=0)
    assert request.detached() == request
    assert request.detached().messages[0] is request.messages[0]
