"""How a request is made fit for a provider."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from modelplug import (
    BadRequestError,
    Capabilities,
    Finish,
    ModelMessage,
    ModelMetadata,
    ModelOutput,
    ModelRequest,
    ProxyModelParameters,
    UnsupportedOptionError,
)
from tests.support.scripted import DIRECTIONS, Ask, AsyncScripted, ScriptedClient

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


@directions
@pytest.mark.parametrize(
    "question",
    [
        "hi",
        [{"role": "user", "content": "hi"}],
        [ModelMessage("human", "hi")],
        ModelRequest(messages="hi"),
    ],
    ids=["text", "mappings", "messages", "request"],
)
def test_a_question_may_have_many_forms(ask: Ask, question: object) -> None:
    """A text, messages in either form, and a request all ask the same."""
    client = AsyncScripted(Finish())
    ask(client, question)  # type: ignore[arg-type]  # any of its forms
    (seen,) = client.requests
    assert ("scripted", (ModelMessage("human", "hi"),)) == (seen.model, seen.messages)


@directions
@pytest.mark.parametrize("question", [[], [{"role": "user"}], [{"role": "x", "content": ""}], [7]])
def test_a_bad_question_never_reaches_the_provider(ask: Ask, question: object) -> None:
    """No messages, or what are none, is a typed error before anything is sent."""
    client = AsyncScripted(Finish())
    with pytest.raises(BadRequestError):
        ask(client, question)  # type: ignore[arg-type]  # that is the point
    assert client.requests == []


def test_the_request_wins_over_defaults_and_none_is_not_set() -> None:
    """Defaults fill what a request leaves unset; 0 counts as set."""
    params = ProxyModelParameters(defaults={"temperature": 0.7, "max_new_tokens": 9})
    client = AsyncScripted(Finish(), params=params)
    client.sync_generate(ModelRequest(messages="hi", temperature=0.0))
    assert (
        client.requests[0].temperature,
        client.requests[0].max_new_tokens,
        client.requests[0].stop,
    ) == (0.0, 9, None)


def test_a_request_is_never_changed() -> None:
    """What a caller passes in is the same afterwards, converted messages or not."""
    request = ModelRequest(messages=[ModelMessage("view", "x"), ModelMessage("human", "hi")])
    before = request.copy()
    client = AsyncScripted(Finish())
    for _ in range(2):
        client.sync_generate(request)
    assert before == request
    assert client.requests[0] == client.requests[1]
    assert [tuple(m.text for m in seen.messages) for seen in client.requests] == [("hi",)] * 2


def test_the_apps_own_name_for_the_model_means_the_default() -> None:
    """A request for ``model_name`` of the params gets the client's default model."""
    params = ProxyModelParameters(model_name="chat", proxyllm_backend="scripted")
    client = AsyncScripted(Finish(), params=params)
    outputs = [
        client.sync_generate(ModelRequest(model=name, messages="q")) for name in ("chat", "other")
    ]
    assert [output.model for output in outputs] == ["scripted", "other"]


class Recording:
    """A converter that takes note and answers for all."""

    def __init__(self) -> None:
        self.seen: list[ModelMetadata | None] = []

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        """One message, whatever came."""
        self.seen.append(metadata)
        return [ModelMessage("human", "converted")]


@pytest.mark.parametrize("way", ["generate", "sync_generate"])
def test_a_converter_is_called_once_and_obeyed(way: str) -> None:
    """The messages that a converter gives are sent; it is told which model they are for."""
    client, converter = AsyncScripted(Finish()), Recording()
    if way == "generate":
        asyncio.run(client.generate("hi", converter))
    else:
        client.sync_generate("hi", converter)
    assert [tuple(m.text for m in seen.messages) for seen in client.requests] == [("converted",)]
    assert [client.metadata("scripted")] == converter.seen


def test_what_a_converter_raises_reaches_the_caller() -> None:
    """A converter's own exception passes unchanged; nothing is sent."""

    class Failing(Recording):
        def convert(self, messages, metadata=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            """Fail."""
            raise ZeroDivisionError

    client = AsyncScripted(Finish())
    with pytest.raises(ZeroDivisionError):
        client.sync_generate("hi", Failing())
    assert client.requests == []


def ask_for(policy: str | None, able: Capabilities) -> tuple[ModelOutput, ScriptedClient]:
    """A call for a seed and a temperature under a policy."""
    client = AsyncScripted(Finish(), able=able)
    request = ModelRequest(messages="hi", seed=3, temperature=0.0, on_unsupported=policy)  # type: ignore[arg-type]
    return client.sync_generate(request), client


def test_what_a_model_cant_do_is_refused() -> None:
    """A parameter that isn't claimed is a typed error that names it, and nothing is sent."""
    with pytest.raises(UnsupportedOptionError, match="seed"):
        ask_for(None, Capabilities(native=["temperature"]))


@pytest.mark.parametrize(("policy", "warned"), [("warn", 1), ("drop", 0)])
def test_what_a_model_cant_do_is_left_out_when_asked(policy: str, warned: int) -> None:
    """By request the parameter is left out, with a warning on the output or without."""
    output, client = ask_for(policy, Capabilities(emulated=["temperature"]))
    assert (None, 0.0, warned) == (
        client.requests[0].seed,
        client.requests[0].temperature,
        len(output.warnings),
    )


@pytest.mark.parametrize("role", ["system", "tool"])
def test_a_role_that_cant_be_sent_is_never_dropped(role: str) -> None:
    """A message of an unclaimed role is an error even where parameters would be dropped."""
    client = AsyncScripted(Finish(), able=Capabilities())
    messages = [{"role": role, "content": "x"}, {"role": "user", "content": "hi"}]
    request = ModelRequest(messages=messages, on_unsupported="drop")
    with pytest.raises(UnsupportedOptionError, match=f"{role}_role"):
        client.sync_generate(request)


def test_an_emulated_system_role_is_folded() -> None:
    """Where the plugin emulates the system role, its text goes in front of the question."""
    client = AsyncScripted(Finish(), able=Capabilities(emulated=["system_role"]))
    client.sync_generate(
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    )
    assert [(m.role, m.text) for m in client.requests[0].messages] == [("human", "be brief\nhi")]


def test_a_conversation_without_anything_for_the_model_is_refused() -> None:
    """When conversion leaves no message there is nothing to ask."""
    client = AsyncScripted(Finish())
    with pytest.raises(BadRequestError):
        client.sync_generate([ModelMessage("view", "for people")])
    assert client.requests == []
