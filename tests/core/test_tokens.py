"""Counting tokens: the values and the interface."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from dataclasses import FrozenInstanceError

import pytest

from modelplug import ProxyTokenizer, TokenCount

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
