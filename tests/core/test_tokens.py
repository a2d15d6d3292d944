"""Counting tokens: the values and the interface."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
from collections.abc import Sequence
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelplug import ProxyTokenizer, TiktokenProxyTokenizer, TokenCount, TokenCounter
from modelplug import vocabulary as module
from modelplug.tokens import counted

COUNT = TokenCount(n=3, exact=False, method="words")


class Words:
    """A tokenizer of a caller's own."""

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Words of each prompt."""
        return [len(prompt.split()) for prompt in prompts]


@pytest.mark.parametrize("missing", ["n", "exact", "method"])
def test_a_count_says_how_far_it_can_be_trusted(missing: str) -> None:
    """A number without its origin can't be made."""
    told: dict[str, object] = {"n": 3, "exact": True, "method": "words"}
    del told[missing]
    with pytest.raises(TypeError, match=f"'{missing}'"):
        TokenCount(**told)  # type: ignore[arg-type]  # the point of the test


def test_a_count_is_given_by_keyword() -> None:
    """What is a number and what is a claim about it can't be swapped."""
    with pytest.raises(TypeError):
        TokenCount(3, True, "words")  # type: ignore[call-arg]  # the point


@pytest.mark.parametrize("name", ["n", "exact", "method"])
def test_counts_are_frozen(name: str) -> None:
    """A count stays what was counted."""
    with pytest.raises(FrozenInstanceError):
        setattr(COUNT, name, 0)


def test_counts_are_values() -> None:
    """They compare, hash, copy and pickle by what they say."""
    pickled = pickle.loads(pickle.dumps(COUNT))  # noqa: S301  # our own
    assert {COUNT} == {copy.copy(COUNT), copy.deepcopy(COUNT), pickled}
    assert TokenCount(n=3, exact=True, method="words") != COUNT


def test_any_object_that_counts_is_a_tokenizer() -> None:
    """DB-GPT's tokenizers fit, and a caller's own needs no base class."""
    tokenizer: ProxyTokenizer = Words()
    assert isinstance(tokenizer, ProxyTokenizer)
    assert not isinstance(object(), ProxyTokenizer)
    assert tokenizer.count_token("m", ["a b", ""]) == [2, 0]


TIKTOKEN = TiktokenProxyTokenizer()

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)

MODELS = st.sampled_from(["gpt-4", "gpt-4o", "acme"])


class Panic(BaseException):
    """What a tokenizer in Rust raises when it gives up."""


class Faulty:
    """A tokenizer that fails, or gives what it may not."""

    def __init__(self, outcome: BaseException | Sequence[int]) -> None:
        self.outcome = outcome

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """The outcome."""
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


class Sure(Words):
    """A tokenizer that says how good it is."""

    def count_tokens(self, model_name: str, prompts: Sequence[str]) -> TokenCount:
        """Words, for certain."""
        n = sum(self.count_token(model_name, prompts))
        return TokenCount(n=n, exact=True, method="words")


def test_the_default_is_a_tokenizer_that_says_how_good_it_is() -> None:
    """It fits both interfaces; one method alone fits the first."""
    assert isinstance(TIKTOKEN, ProxyTokenizer)
    assert isinstance(TIKTOKEN, TokenCounter)
    assert not isinstance(Words(), TokenCounter)


@settings(max_examples=50, deadline=None)
@given(model=MODELS, texts=st.lists(ANY_TEXT, max_size=4))
def test_a_sum_is_that_of_its_parts(model: str, texts: list[str]) -> None:
    """Whatever the texts, and the same each time."""
    singles = [TIKTOKEN.count_token(model, [text])[0] for text in texts]
    assert singles == TIKTOKEN.count_token(model, texts)
    assert sum(singles) == TIKTOKEN.count_tokens(model, texts).n
    assert all(count >= bool(text) for count, text in zip(singles, texts, strict=True))


@pytest.mark.parametrize("model", ["gpt-4", "gpt-4o", "acme"])
def test_an_empty_text_has_no_tokens(model: str) -> None:
    """Nor has no text at all."""
    assert TIKTOKEN.count_token(model, [""]) == [0]
    assert TIKTOKEN.count_tokens(model, []).n == 0


@pytest.mark.parametrize(
    ("model", "text", "expected"),
    [
        ("gpt-4o", "中文", TokenCount(n=1, exact=True, method="tiktoken o200k_base")),
        ("gpt-4", "中文", TokenCount(n=2, exact=True, method="tiktoken cl100k_base")),
        (
            "acme",
            "中文",
            TokenCount(
                n=2, exact=False, method="tiktoken cl100k_base, not known to be the model's own"
            ),
        ),
        (
            "gpt-4o",
            "a" * 16_400,
            TokenCount(n=2050, exact=False, method="tiktoken o200k_base, in pieces"),
        ),
    ],
    ids=["o200k", "cl100k", "unknown", "endless"],
)
def test_a_count_says_what_counted(model: str, text: str, expected: TokenCount) -> None:
    """The same text differs by model, and an unknown one's number is no certain one."""
    assert expected == TIKTOKEN.count_tokens(model, [text])


def test_without_the_extra_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each prompt, and all together, are -1."""
    monkeypatch.setattr(module, "_shelf", module._Shelf())
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert TIKTOKEN.count_token("gpt-4", ["a", ""]) == [-1, -1]
    assert TIKTOKEN.count_tokens("gpt-4", ["a"]) == TokenCount(n=-1, exact=False, method="none")


def test_a_tokenizer_with_one_method_estimates() -> None:
    """It is called by its name, and isn't trusted further than it says."""
    assert counted(Words(), "m", ["a b", "c"]) == TokenCount(n=3, exact=False, method="Words")


def test_a_tokenizer_that_says_how_good_it_is_is_believed() -> None:
    """Its own words are handed on."""
    assert counted(Sure(), "m", ["a b", "c"]) == TokenCount(n=3, exact=True, method="words")


@pytest.mark.parametrize(
    "tokenizer",
    [
        None,
        Faulty(ConnectionError("no network")),
        Faulty(Panic("stack overflow")),
        Faulty(SystemExit(1)),
        Faulty([-1, 3]),
        Faulty([3]),
    ],
    ids=["none", "failing", "panicking", "exiting", "in-part", "too-few"],
)
def test_what_cannot_be_counted_is_minus_one(tokenizer: ProxyTokenizer | None) -> None:
    """A count is never worth an exception, and a part of one is none."""
    assert counted(tokenizer, "m", ["a", "b"]).n == -1


def test_a_failure_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    """They might repeat the prompt."""
    caplog.set_level(logging.INFO, "modelplug")
    counted(Faulty(ValueError("my prompt")), "m", ["my prompt"])
    assert caplog.messages == ["tokens can't be counted: ValueError"]


def test_ctrl_c_is_not_swallowed() -> None:
    """Whoever wants to end the program ends it."""
    with pytest.raises(KeyboardInterrupt):
        counted(Faulty(KeyboardInterrupt()), "m", ["a", "b"])
