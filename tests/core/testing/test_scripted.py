"""A model that says what a test says."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from modelplug import (
    BackendError,
    ConnectError,
    ConnectionLostError,
    ContentFilterError,
    Delta,
    Finish,
    FirstDeltaTimeoutError,
    HandshakeError,
    IdleTimeoutError,
    ProxyLLMError,
    ProxyModelParameters,
    SchemaError,
    Timeouts,
    TruncatedStreamError,
    Usage,
)
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Drip,
    Fail,
    FailKind,
    Garbage,
    Gate,
    Hang,
    HangUp,
    KeepAlive,
    Refuse,
    Reset,
    ScriptedClient,
    Silence,
    Split,
    Status,
    Step,
)
from modelplug.testing.scripted import failure
from tests.support.scripted import DIRECTIONS, Ask

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


@directions
def test_it_says_its_answers_and_then_echoes(ask: Ask) -> None:
    """One answer a call."""
    model = ScriptedClient("Paris.", "In  1889, they say.\n")
    texts = [ask(model, "Who is there?")[-1].text for _ in range(3)]
    assert texts == ["Paris.", "In  1889, they say.\n", "Who is there?"]


def test_it_remembers_what_it_was_asked() -> None:
    """With the defaults that a provider would see."""
    model = ScriptedClient(params=ProxyModelParameters(defaults={"temperature": 0.5}))
    model.sync_generate("Who is there?")
    asked = model.requests[0]
    assert (asked.question, asked.temperature) == ("Who is there?", 0.5)


def test_an_answer_may_be_for_some_questions_alone() -> None:
    """By whatever the request says."""
    model = ScriptedClient()
    model.say("42", when=lambda request: "answer" in request.question, times=None)
    assert [model.sync_generate(text).text for text in ("hi", "the answer?")] == ["hi", "42"]


def test_an_answer_is_played_as_it_is() -> None:
    """Every value of the contract, with what it cost."""
    model = ScriptedClient()
    usage = Usage(prompt_tokens=1, completion_tokens=2)
    model.play(Delta(reasoning="Hm."), "Yes", Split(1), Finish("length", usage=usage))
    output = model.sync_generate("?")
    assert (output.reasoning, output.text, output.finish_reason) == ("Hm.", "Yes", "length")
    assert output.usage == usage


def test_an_echo_has_a_bill_and_what_is_said_has_none() -> None:
    """The words of the question, and of the answer; nothing is made up."""
    model = ScriptedClient("42.")
    assert model.sync_generate("What is it?").usage is None
    assert model.sync_generate("What is it?").usage == Usage(prompt_tokens=3, completion_tokens=3)


async def test_a_gate_holds_an_answer_back() -> None:
    """So a test can look at an app while it waits."""
    model = ScriptedClient()
    model.play("Par", Gate("more"), Drip(0.001), "is", Finish())
    async with model.generate_stream("?") as stream:
        assert (await anext(stream)).text == "Par"
        waiting = asyncio.ensure_future(anext(stream))
        assert await asyncio.to_thread(model.wait_reached, "more")
        assert not waiting.done()
        model.release("more")
        assert (await waiting).text == "Paris"


@directions
@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Reset(), ConnectionLostError),
        (CutFrame(), ConnectionLostError),
        (CloseCode(1011), ConnectionLostError),
        (Garbage(), SchemaError),
        (HangUp(), TruncatedStreamError),
        (Split(), TruncatedStreamError),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type) else None,
)
def test_a_fault_is_the_error_that_a_wire_would_make_of_it(
    ask: Ask, step: Step, kind: type[ProxyLLMError]
) -> None:
    """With what had come before it."""
    model = ScriptedClient()
    model.play("Par", step)
    with pytest.raises(kind) as caught:
        ask(model, "?")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Par"


@directions
@pytest.mark.parametrize(
    ("step", "kind"),
    [(Refuse(), ConnectError), (Status(502), HandshakeError), (Hang(), FirstDeltaTimeoutError)],
    ids=["refuse", "status", "hang"],
)
def test_a_fault_may_come_before_any_answer(
    ask: Ask, step: Step, kind: type[ProxyLLMError]
) -> None:
    """Where a wire would have its handshake."""
    model = ScriptedClient(params=ProxyModelParameters(timeouts=Timeouts(first_delta=0.02)))
    model.play(step)
    with pytest.raises(kind):
        ask(model, "?")


@directions
@pytest.mark.parametrize("step", [Silence(), KeepAlive()], ids=str)
def test_silence_lasts_until_a_clock_ends_it(ask: Ask, step: Step) -> None:
    """Pings are no progress."""
    params = ProxyModelParameters(timeouts=Timeouts(idle=0.02))
    model = ScriptedClient(params=params)
    model.play("Par", step)
    with pytest.raises(IdleTimeoutError):
        ask(model, "?")


@pytest.mark.parametrize("kind", get_args(FailKind))
def test_every_failure_is_a_backends(kind: FailKind) -> None:
    """Typed, with the words and the waiting time of the script."""
    error = failure(Fail(kind, message="so it is", retry_after=7))
    assert isinstance(error, BackendError)
    assert (error.message, error.retry_after) == ("so it is", 7)


@pytest.mark.parametrize("stage", ["input", "output"])
def test_a_filter_says_what_it_caught(stage: str) -> None:
    """The question or the answer."""
    kind: FailKind = "content_filter_input" if stage == "input" else "content_filter_output"
    error = failure(Fail(kind))
    assert isinstance(error, ContentFilterError)
    assert error.stage == stage


def test_it_is_made_like_any_client() -> None:
    """From params, under the name that they give."""
    model = ScriptedClient.new_client(ProxyModelParameters(proxyllm_backend="scripted:tiny"))
    assert (model.default_model, model.sync_generate("hi").model) == ("tiny", "tiny")
