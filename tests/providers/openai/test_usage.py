"""What an answer cost, in the spellings of the services."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import Usage
from modelplug_openai.usage import usage_of

COUNTS: dict[str, Any] = {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


@pytest.mark.parametrize(
    ("more", "thought", "cached"),
    [
        ({}, None, None),
        ({"completion_tokens_details": {"reasoning_tokens": 2}}, 2, None),
        ({"reasoning_tokens": 2}, 2, None),
        ({"prompt_tokens_details": {"cached_tokens": 3}}, None, 3),
        ({"cached_tokens": 3}, None, 3),
        ({"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 1}, None, 3),
        ({"prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 3}, None, 0),
        ({"prompt_tokens_details": None, "completion_tokens_details": []}, None, None),
        ({"completion_tokens_details": {"reasoning_tokens": -2}}, None, None),
    ],
    ids=str,
)
def test_the_finer_counts_are_found(
    more: dict[str, Any], thought: int | None, cached: int | None
) -> None:
    """In the details or beside them; one that is wrong isn't there."""
    usage = usage_of({**COUNTS, **more}, str)
    assert usage is not None
    assert (thought, cached) == (usage.reasoning_tokens, usage.cached_tokens)


def test_a_total_that_is_missing_is_the_sum() -> None:
    """As the contract has it."""
    usage = usage_of({"prompt_tokens": 4, "completion_tokens": 6}, str)
    assert usage is not None
    assert usage.total_tokens == 10


def test_only_numbers_of_the_record_are_kept() -> None:
    """A text could repeat what was sent."""
    record = {**COUNTS, "cost": 0.5, "tier": "hunter2", "is_byok": True, "d": {"a": 1, "b": "x"}}
    usage = usage_of({**record, "odd": float("inf"), "deep": {"a": {"b": {"c": 1}}}}, str)
    kept = {**COUNTS, "cost": 0.5, "d": {"a": 1}, "deep": {"a": {}}}
    expected = Usage(prompt_tokens=4, completion_tokens=6, total_tokens=10, raw=kept)
    assert expected == usage


def test_names_are_cleaned() -> None:
    """They may repeat what was sent, too, and be of any number and length."""
    record = {**COUNTS, "hunter2": 1, "d": {"a hunter2\x1b": 2}, "x" * 100: 3}
    usage = usage_of({**record, **dict.fromkeys(map(str, range(100)), 0)}, hidden)
    assert usage is not None
    assert usage.raw is not None
    assert len(usage.raw) == 64
    assert list(usage.raw.items())[3:7] == [
        ("***", 1),
        ("d", {"a ***\\x1b": 2}),
        ("x" * 64, 3),
        ("0", 0),
    ]


def hidden(text: str) -> str:
    """Without the one secret."""
    return text.replace("hunter2", "***")


NUMBERS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text()


@given(st.dictionaries(st.sampled_from([*COUNTS, "reasoning_tokens", "cached_tokens"]), NUMBERS))
def test_counts_are_counts_or_nothing(record: dict[str, object]) -> None:
    """Never below 0, never another type."""
    usage = usage_of(record, str)
    if usage is not None:
        counts = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        assert all(type(count) is int and count >= 0 for count in counts)
