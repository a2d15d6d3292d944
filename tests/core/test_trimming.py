"""Cutting a conversation to the context: what stays, and what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    CallConverter,
    Capabilities,
    DefaultMessageConverter,
    Delta,
    Finish,
    MessageConverter,
    ModelMessage,
    ModelMetadata,
    ModelRequest,
    ProxyModelParameters,
    ProxyTokenizer,
    TokenCount,
    TrimmingConverter,
)
from modelplug import trimming as module
from tests.support.scripted import DIRECTIONS, Ask, AsyncScripted

SYSTEM = ModelMessage("system", "be brief")
"""Two tokens."""


class Words:
    """One token a word; remembers how many characters it was given."""

    def __init__(self) -> None:
        self.characters = 0

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Words of each prompt."""
        self.characters += sum(map(len, prompts))
        return [len(prompt.split()) for prompt in prompts]


class Exactly(Words):
    """One that is sure."""

    def count_tokens(self, model_name: str, prompts: Sequence[str]) -> TokenCount:
        """Words, for certain."""
        n = sum(self.count_token(model_name, prompts))
        return TokenCount(n=n, exact=True, method="words")


class Failing(Words):
    """One that can't count."""

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Nothing."""
        raise ConnectionError("no network")


def talk(*texts: str) -> list[ModelMessage]:
    """Human and ai in turn, a human first."""
    return [ModelMessage(("human", "ai")[at % 2], text) for at, text in enumerate(texts)]


def trimmed(
    messages: Sequence[ModelMessage],
    *,
    converter: TrimmingConverter | None = None,
    context: int = 4096,
    tokenizer: ProxyTokenizer | None = None,
    request: ModelRequest | None = None,
) -> tuple[list[ModelMessage], list[str]]:
    """What is left of messages for a request, and the warnings."""
    warnings: list[str] = []
    bound = (converter or TrimmingConverter()).for_request(
        request or ModelRequest(),
        tokenizer=tokenizer or Words(),
        warn=warnings.append,
    )
    left = bound.convert(messages, ModelMetadata(model="m", context_length=context))
    return list(left), warnings


def total(messages: Sequence[ModelMessage]) -> int:
    """Words of all messages."""
    return sum(Words().count_token("m", [message.text for message in messages]))


def test_what_fits_is_left_alone() -> None:
    """And nothing is said."""
    asked = [SYSTEM, *talk("a b", "c", "d e f")]
    assert trimmed(asked, converter=TrimmingConverter(limit=8)) == (asked, [])


def test_the_oldest_rounds_go_as_a_whole() -> None:
    """A question and its answer; the first that stays is a question again."""
    asked = [SYSTEM, *talk("a b", "c", "d e", "f", "g")]
    left, (warning,) = trimmed(asked, converter=TrimmingConverter(limit=7))
    assert left == [SYSTEM, *asked[3:]]
    assert warning == "left out the oldest 2 of 6 messages: there is room for 7 tokens (Words)"


def test_a_gap_is_never_left() -> None:
    """An older round that would fit doesn't follow a newer one that doesn't."""
    asked = talk("a", "b", "c " * 50, "d", "e")
    assert trimmed(asked, converter=TrimmingConverter(limit=10))[0] == asked[4:]


def test_a_round_ends_with_the_next_question() -> None:
    """Calls of functions and their results belong to the question that they serve."""
    first = [ModelMessage("human", "a"), ModelMessage("tool", "b"), ModelMessage("ai", "c")]
    last = [ModelMessage("human", "d"), ModelMessage("ai", "e"), ModelMessage("tool", "f f f")]
    assert trimmed([*first, *last], converter=TrimmingConverter(limit=6))[0] == last


def test_system_messages_stay_in_their_places() -> None:
    """Also those in the midst of what goes."""
    later = ModelMessage("system", "in French")
    asked = [SYSTEM, *talk("a", "b"), later, *talk("c")]
    assert trimmed(asked, converter=TrimmingConverter(limit=5))[0] == [SYSTEM, later, asked[-1]]


def test_a_question_that_is_too_long_is_left_whole() -> None:
    """The service is to refuse it, and the warning says so; the history is gone all the same."""
    asked = [SYSTEM, *talk("a", "b", "c " * 9)]
    left, warnings = trimmed(asked, converter=TrimmingConverter(limit=7))
    assert left == [SYSTEM, asked[-1]]
    assert warnings == [
        "the system message and the last question have about 11 tokens, and there is room for 7:"
        " they are sent whole, and the service may refuse them",
        "left out the oldest 2 of 4 messages: there is room for 7 tokens (Words)",
    ]


def test_an_exact_count_is_told_as_one() -> None:
    """Without the word about."""
    _, (warning,) = trimmed(
        talk("a " * 9), converter=TrimmingConverter(limit=7), tokenizer=Exactly()
    )
    assert "have 9 tokens" in warning


@pytest.mark.parametrize(
    ("context", "asking", "limit", "room"),
    [
        (100, ModelRequest(max_new_tokens=30), None, 70),
        (100, ModelRequest(), None, 75),
        (8192, ModelRequest(), None, 7168),
        (100, ModelRequest(max_new_tokens=30, context_len=20), None, 20),
        (100, ModelRequest(max_new_tokens=30, context_len=90), None, 70),
        (100, ModelRequest(context_len=50), 40, 40),
        (100, ModelRequest(max_new_tokens=0), None, 100),
        (100, ModelRequest(max_new_tokens=200), None, 0),
    ],
)
def test_there_is_room_for_what_the_answer_leaves(
    context: int, asking: ModelRequest, limit: int | None, room: int
) -> None:
    """And for no more than the request and the converter allow."""
    asked = talk(*["a "] * 9999)
    converter = TrimmingConverter(limit=limit)
    left, _ = trimmed(asked, converter=converter, context=context, request=asking)
    assert max(1, (room + 1) // 2 * 2 - 1) == len(left)


@pytest.mark.parametrize(
    ("context", "asking", "limit", "told"),
    [
        (4096, ModelRequest(), None, True),
        (4096, ModelRequest(), 9999, True),
        (4096, ModelRequest(context_len=10), None, False),
        (4096, ModelRequest(), 10, False),
        (4095, ModelRequest(), None, False),
    ],
)
def test_a_context_that_nobody_knows_is_told_as_one(
    context: int, asking: ModelRequest, limit: int | None, *, told: bool
) -> None:
    """Where it decides what goes; and with the option that sets it."""
    asked = talk(*["a "] * 9999)
    converter = TrimmingConverter(limit=limit)
    _, warnings = trimmed(asked, converter=converter, context=context, request=asking)
    assert told is any(
        "4096 tokens" in warning and "max_context_size" in warning for warning in warnings
    )
    assert trimmed(talk("a"), context=context)[1] == []


messages = st.lists(
    st.builds(
        ModelMessage,
        st.sampled_from(["system", "human", "ai", "tool", "view"]),
        st.lists(st.sampled_from("abc"), max_size=6).map(" ".join),
    ),
    max_size=12,
)


@given(asked=messages, limit=st.integers(0, 40))
def test_the_laws(asked: list[ModelMessage], limit: int) -> None:
    """Order is kept, the last round and the system messages stay, and else the limit holds."""
    left, warnings = trimmed(asked, converter=TrimmingConverter(limit=limit))
    before = [message for message in asked if message.pass_to_model]
    places = [id(message) for message in before]
    kept = [places.index(id(message)) for message in left]
    humans = [at for at, message in enumerate(before) if message.role == "human"]
    systems = [at for at, message in enumerate(before) if message.role == "system"]
    minimum = {*systems, *range(humans[-1] if humans else 0, len(before))}
    assert sorted(kept) == kept
    assert minimum <= set(kept)
    assert total(left) <= limit or set(kept) == minimum
    assert bool(before) == bool(left)
    assert bool(warnings) == (total(before) > limit)


@given(asked=messages, limit=st.integers(0, 40))
def test_nothing_goes_that_had_room(asked: list[ModelMessage], limit: int) -> None:
    """One round more would be too much; what is left stays as it is when it is cut again."""
    converter = TrimmingConverter(limit=limit)
    left, _ = trimmed(asked, converter=converter)
    assert trimmed(left, converter=converter)[0] == left


def test_what_cannot_be_counted_is_not_cut() -> None:
    """The caller learns it."""
    asked = [SYSTEM, *talk("a " * 5000, "b", "c")]
    warning = "the conversation was not cut to the context: its tokens can't be counted"
    assert trimmed(asked, tokenizer=Failing()) == (asked, [warning])


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done on the event loop: what goes beyond counts as a token for each byte."""
    monkeypatch.setattr(module, "_MOST", 100)
    tokenizer = Words()
    asked = talk("é " * 70, "b", "c " * 40)
    left, (warning,) = trimmed(
        asked, tokenizer=tokenizer, context=150, request=ModelRequest(max_new_tokens=0)
    )
    assert (left, tokenizer.characters) == (asked[2:], 100)
    assert "left out the oldest 2 of 3 messages" in warning


def test_a_tokenizer_of_ones_own_goes_before_the_client_s() -> None:
    """And so does a converter that runs first."""

    class Shouting:
        def convert(
            self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
        ) -> Sequence[ModelMessage]:
            return [ModelMessage(each.role, each.text.upper()) for each in messages]

    own = Words()
    converter = TrimmingConverter(tokenizer=own, before=Shouting())
    assert trimmed(talk("a"), converter=converter, tokenizer=Failing()) == (talk("A"), [])
    assert own.characters == 1


def test_what_is_counted_is_what_is_sent() -> None:
    """Where the plugin emulates the system role the instructions are part of the question."""
    bound = TrimmingConverter(limit=3).for_request(
        ModelRequest(), tokenizer=Words(), warn=lambda told: None
    )
    folding = ModelMetadata(model="m", capabilities=Capabilities(emulated=["system_role"]))
    left = bound.convert([SYSTEM, *talk("a", "b", "c")], folding)
    assert left == [ModelMessage("human", "be brief\nc")]


def test_by_itself_it_counts_with_the_default_and_tells_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A converter is called without a client, too; it knows no model then."""
    caplog.set_level(logging.WARNING, "modelplug")
    asked = talk("a", "b", "c")
    assert TrimmingConverter(limit=1).convert(asked) == asked[2:]
    assert "left out the oldest 2 of 3 messages" in caplog.text


def test_it_is_a_converter_that_asks_for_the_request() -> None:
    """What the client binds is a plain one, which isn't bound again."""
    assert isinstance(TrimmingConverter(), CallConverter)
    assert not isinstance(DefaultMessageConverter(), CallConverter)
    bound = TrimmingConverter().for_request(ModelRequest(), tokenizer=None, warn=print)
    assert isinstance(bound, MessageConverter)
    assert not isinstance(bound, CallConverter)


directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


class Conversing(AsyncScripted):
    """A client whose every question comes with a history, and is cut."""

    def __init__(self, *, params: ProxyModelParameters | None = None) -> None:
        super().__init__(Delta("yes"), Finish(), params=params)
        self.proxy_tokenizer = Words()

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """A provider's own: what it does to converters, it does to bound ones, too."""
        return super().local_convert_message(request, message_converter)


def asked_for(text: str) -> ModelRequest:
    """A history of two rounds, and a question."""
    return ModelRequest(messages=[SYSTEM, *talk("a b", "c", "d", "e", text)], max_new_tokens=4)


def test_a_call_is_cut_and_says_so() -> None:
    """The warning is in the outputs, the request that the provider gets is the shorter one."""
    client = Conversing(params=ProxyModelParameters(max_context_size=10))
    output = client.sync_generate(asked_for("f"), TrimmingConverter())
    assert [message.text for message in client.requests[0].messages] == ["be brief", "d", "e", "f"]
    assert output.warnings == (
        "left out the oldest 2 of 6 messages: there is room for 6 tokens (Words)",
    )


@directions
def test_without_a_converter_nothing_is_cut(ask: Ask) -> None:
    """It is off unless it is asked for."""
    client = AsyncScripted(Delta("yes"), Finish(), params=ProxyModelParameters(max_context_size=10))
    assert ask(client, "a " * 50)[-1].warnings == ()
    assert client.requests[0].messages == tuple(talk("a " * 50))


def test_a_request_alone_is_converted_as_in_a_call(caplog: pytest.LogCaptureFixture) -> None:
    """Its own limits hold; the warning goes to the log, as there is no output."""
    client = Conversing(params=ProxyModelParameters(max_context_size=10))
    converted = client.local_convert_message(asked_for("f"), TrimmingConverter())
    assert [message.text for message in converted.messages] == ["be brief", "d", "e", "f"]
    assert "left out the oldest 2 of 6 messages" in caplog.text


Warn = Callable[[str], None]


class Recording:
    """A converter of a caller's own that wants to know the request."""

    def __init__(self) -> None:
        self.seen: list[tuple[ModelRequest, ProxyTokenizer | None]] = []

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        """Never called: the bound one is."""
        raise AssertionError

    def for_request(
        self, request: ModelRequest, *, tokenizer: ProxyTokenizer | None, warn: Warn
    ) -> MessageConverter:
        """The default one, and a word about it."""
        self.seen.append((request, tokenizer))
        warn("recorded")
        return DefaultMessageConverter()


def test_a_converter_of_ones_own_may_ask_for_the_request() -> None:
    """It is bound once a call, to a request with its model and defaults."""
    converter = Recording()
    client = Conversing(params=ProxyModelParameters(defaults={"max_new_tokens": 7}))
    output = client.sync_generate("hi", converter)
    ((request, tokenizer),) = converter.seen
    assert (request.model, request.max_new_tokens) == ("scripted", 7)
    assert tokenizer is client.proxy_tokenizer
    assert output.warnings == ("recorded",)
