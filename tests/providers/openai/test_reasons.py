"""Why an answer ended, in the words of all services."""

from __future__ import annotations

from typing import get_args

import pytest

from modelplug import FinishReason
from modelplug_openai.kinds import KINDS
from modelplug_openai.reasons import FAILURES, REASONS, reason_of


def test_every_word_means_one_of_the_contracts() -> None:
    """And is looked up in lower case."""
    assert set(REASONS.values()) <= set(get_args(FinishReason))
    assert all(word == word.lower() for word in REASONS)


def test_a_failure_is_no_reason() -> None:
    """And is one of the kinds."""
    assert not FAILURES.keys() & REASONS.keys()
    assert {*FAILURES.values()} <= {*KINDS}


@pytest.mark.parametrize(
    ("word", "reason"), [("stop", "stop"), ("MAX_TOKENS", "length"), ("", "other"), ("x", "other")]
)
def test_a_word_is_looked_up(word: str, reason: str) -> None:
    """What nobody knows is ``other``."""
    assert reason == reason_of(word)
