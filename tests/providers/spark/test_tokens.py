"""Counting by iFlytek's ratio."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import ModelMessage, ProxyModelParameters, ProxyTokenizer, TokenCount, TokenCounter
from modelplug_spark.client import SparkLLMClient
from modelplug_spark.emulation import answers
from modelplug_spark.tokens import SparkTokenizer, tokens

TOKENIZER = SparkTokenizer()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("长", 1),
        ("长" * 15, 10),
        ("word", 2),
        ("four words of English", 5),
        ("两个字 and two words", 6),
        ("\ud800", 0),
        ("长" * 1_000_000, 666_667),
        ("a" * 1_000_000, 2),
    ],
    ids=["empty", "1", "15", "word", "words", "mixed", "surrogate", "chinese-mb", "letter-mb"],
)
def test_tokens_are_the_published_ratio(text: str, expected: int) -> None:
    """1 token is 1.5 Chinese characters or 0.8 English words (D-Web), rounded up."""
    assert expected == tokens(text)


def test_the_emulator_counts_by_the_same() -> None:
    """One estimate, whichever side makes it."""
    assert answers.tokens is tokens


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=50), max_size=4))
def test_a_sum_is_that_of_its_parts(texts: list[str]) -> None:
    """Whatever the texts; each is rounded up."""
    singles = list(TOKENIZER.count_token("lite", texts))
    assert [tokens(text) for text in texts] == singles
    assert sum(singles) == TOKENIZER.count_tokens("lite", texts).n


def test_it_says_that_it_estimates() -> None:
    """Spark's own tokenizer isn't public."""
    assert isinstance(TOKENIZER, ProxyTokenizer)
    assert isinstance(TOKENIZER, TokenCounter)
    expected = TokenCount(n=2, exact=False, method="iFlytek's published ratios")
    assert expected == TOKENIZER.count_tokens("4.0Ultra", ["长长长"])


def test_a_client_counts_by_it() -> None:
    """Without the extra of core, and whatever model is asked for."""
    client = SparkLLMClient.new_client(ProxyModelParameters())
    messages = [ModelMessage("system", "word"), ModelMessage("human", "长长长")]
    count = asyncio.run(client.count_tokens(messages, model="lite"))
    assert count == TokenCount(n=4, exact=False, method="iFlytek's published ratios")
    assert asyncio.run(client.count_token("generalv3.5", "长长长")) == 2
