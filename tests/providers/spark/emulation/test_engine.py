"""What becomes of a question that was let through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.engine import Outcome, failure, outcome
from modelplug_spark.emulation.faults import fault
from modelplug_spark.emulation.inquiry import Inquiry, model_at
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.models import find
from tests.providers.spark.emulation.test_inquiry import inquired
from tests.providers.spark.emulation.test_service import asked

QUESTION = "Does anybody know gunpowder?"


def question(content: str = QUESTION, *, model: str = "max", **settings: Any) -> Inquiry:
    """A question that is let through."""
    found = find(model)
    return inquired(asked(content, domain=found.domain), model=found, **settings)


def hosted(content: str, **chat: Any) -> Inquiry:
    """A question to a hosted model."""
    settings = EmulatorSettings(hosted=("xdeepseekv3",))
    model = model_at("/v1.1/chat", "xdeepseekv3", settings)
    return inquired(asked(content, domain=model.domain, **chat), model=model)


def frames(told: Outcome) -> list[Any]:
    """Its frames as plain JSON."""
    return [json.loads(frame.message) for frame in told.frames]


def codes(inquiry: Inquiry) -> list[int]:
    """The codes of all frames."""
    return [frame["header"]["code"] for frame in frames(outcome(inquiry))]


def said(told: Outcome) -> str:
    """The text of all frames."""
    pieces = (frame["payload"]["choices"]["text"] for frame in frames(told) if "payload" in frame)
    return "".join(piece[0]["content"] for piece in pieces)


WHOLE = outcome(question())


def test_a_failure_comes_when_it_is_time() -> None:
    """In the words that the settings leave it."""
    told = failure(fault(10110, 0), "sid", EmulatorSettings(), after=1.1)
    header = json.loads(told.message)["header"]
    assert (header["code"], header["sid"], told.after, told.paced) == (10110, "sid", 1.1, True)


def test_all_frames_are_of_the_questions_session() -> None:
    """Whoever says them: the engine, or an audit."""
    inquiry = question(suspect=("gunpowder",))
    assert {frame["header"]["sid"] for frame in frames(outcome(inquiry))} == {inquiry.sid}


def test_an_answer_has_no_failure_unasked() -> None:
    """It comes whole and at once, and costs what its usage says."""
    assert {0} == set(codes(question()))
    assert {0.0} == {frame.after for frame in WHOLE.frames}
    assert WHOLE.tokens == frames(WHOLE)[-1]["payload"]["usage"]["text"]["total_tokens"]


@pytest.mark.row("5.1 10013")
@pytest.mark.parametrize(("word", "expected"), [("GunPowder", [10013]), ("gunpowders", None)])
def test_a_forbidden_question_is_refused(word: str, expected: list[int] | None) -> None:
    """10013 before any answer, and nothing is billed; other questions have their answer."""
    inquiry = question(forbidden_input=(word,))
    assert codes(inquiry) == (expected or [0] * len(WHOLE.frames))
    assert outcome(inquiry).tokens == (0 if expected else WHOLE.tokens)


def test_a_notice_of_the_input_is_for_the_user() -> None:
    """Without name and time (D-MaaS-WS)."""
    told = frames(outcome(question(forbidden_input=("gunpowder",))))
    assert told[0]["header"]["message"] == "您的提问可能违反相关规定，请修改后再试。"


@pytest.mark.row("5.1 10014")
def test_a_forbidden_answer_ends_in_its_middle() -> None:
    """10014 in place of the frame that would complete the word; what came before stands."""
    told = outcome(question(forbidden_output=("gunpowder",)))
    listed = [frame["header"]["code"] for frame in frames(told)]
    assert listed == [0] * (len(told.frames) - 1) + [10014]
    assert len(told.frames) > 2
    assert "gunpowder" not in said(told)
    assert WHOLE.frames[: len(told.frames) - 1] == told.frames[:-1]
    assert told.tokens == WHOLE.tokens  # a started answer is billed (D-Android)


def test_a_harmless_answer_is_let_through() -> None:
    """The words must be in it."""
    assert outcome(question(forbidden_output=("dynamite",))) == WHOLE


@pytest.mark.row("5.1 10019")
@pytest.mark.parametrize("words", [("gunpowder",), ("stand-in",)], ids=["question", "answer"])
def test_a_suspect_dialogue_is_told_so_behind_the_answer(words: tuple[str, ...]) -> None:
    """10019 takes nothing back."""
    told = outcome(question(suspect=words))
    assert WHOLE.frames == told.frames[:-1]
    assert (frames(told)[-1]["header"]["code"], "payload" in frames(told)[-1]) == (10019, False)


def test_a_notice_may_have_the_last_of_the_answer() -> None:
    """By a setting: as many frames, the same text, the usage."""
    told = outcome(question(suspect=("gunpowder",), notice_content=True))
    last = frames(told)[-1]
    assert (len(WHOLE.frames), said(WHOLE)) == (len(told.frames), said(told))
    assert (last["header"]["code"], last["header"]["status"]) == (10019, 2)
    assert last["payload"]["usage"] == frames(WHOLE)[-1]["payload"]["usage"]


def test_a_harmless_dialogue_has_no_notice() -> None:
    """Neither question nor answer have the word."""
    assert outcome(question(suspect=("dynamite",))) == WHOLE


def test_a_forbidden_answer_needs_no_notice() -> None:
    """It has its failure."""
    word = ("gunpowder",)
    assert codes(question(forbidden_output=word, suspect=word))[-1] == 10014


@pytest.mark.row("1.1 context", "5.1 10907")
@pytest.mark.parametrize(("length", "expected"), [(12_288, 0), (12_289, 10907)])
def test_a_context_has_its_limit(length: int, expected: int) -> None:
    """8192 tokens of Max are one and a half times as many Chinese characters."""
    inquiry = question("长" * length)
    assert codes(inquiry)[0] == expected


def test_the_input_is_audited_before_it_is_counted() -> None:
    """Section 5.3."""
    assert codes(question("长" * 13_000, forbidden_input=("长",))) == [10013]


@pytest.mark.row("1.1 hosted sum")
@pytest.mark.parametrize(
    ("length", "chat", "expected"),
    [
        (3, {}, 0),
        (3, {"max_tokens": 32_765}, 0),
        (3, {"max_tokens": 32_766}, 10907),
        (12_289, {}, 10907),
    ],
)
def test_a_hosted_model_shares_its_window_with_the_answer(
    length: int, chat: dict[str, Any], expected: int
) -> None:
    """Prompt and max_tokens have 32767 together, and the prompt 8192 (D-MaaS-WS)."""
    assert codes(hosted("长" * length, **chat))[0] == expected


@pytest.mark.row("1.1 sum")
def test_no_other_model_does() -> None:
    """The longest answer may be asked for with any prompt; only MaaS's documentation says so."""
    message = asked("长" * 300, domain="4.0Ultra", max_tokens=32_768)
    assert codes(inquired(message, model=find("ultra")))[0] == 0


@pytest.mark.row("4.4 delays", "5.1 10110")
def test_a_busy_engine_says_so_a_second_later() -> None:
    """10110, not billed."""
    told = outcome(question(busy=True))
    assert (codes(question(busy=True)), told.tokens) == ([10110], 0)
    assert [frame.after for frame in told.frames] == [1.1]


def test_an_engine_has_no_time_for_what_is_too_long() -> None:
    """The platform counts before it asks the engine."""
    assert codes(question("长" * 13_000, busy=True)) == [10907]


@pytest.mark.row("4.4 delays", "5.1 10010")
@given(st.integers(0, 40))
def test_an_engine_may_fall_silent(after: int) -> None:
    """10010 two minutes after so many frames; an answer with no more is complete."""
    told = outcome(question(engine_stuck=after))
    if after >= len(WHOLE.frames):
        assert told == WHOLE
        return
    assert WHOLE.frames[:after] == told.frames[:-1]
    assert (told.frames[-1].after, frames(told)[-1]["header"]["code"]) == (120, 10010)


def test_the_seconds_are_settings() -> None:
    """Nobody has to wait for two minutes to see it."""
    busy = outcome(question(busy=True, busy_seconds=0.5))
    stuck = outcome(question(engine_stuck=0, engine_seconds=2))
    assert [busy.frames[0].after, stuck.frames[0].after] == [0.5, 2]
