"""What a service says, made fit to be kept and shown."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from modelplug_openai.remarks import cleaned, plain


def scrub(text: str) -> str:
    """Without the one secret."""
    return text.replace("hunter2", "***")


def test_a_secret_is_taken_out_before_the_text_is_cut() -> None:
    """Half of one would be shown else."""
    assert plain("is hunter2", scrub, limit=6) == "is ***"
    assert plain("\x1b[31mred\n", scrub, limit=20) == "\\x1b[31mred"


def test_texts_and_names_are_cleaned_wherever_they_stand() -> None:
    """Numbers and the like stay as they are."""
    said = {"hunter2": ["a hunter2", {"b\n": "\x1b"}], "n": [1, 0.5, True, None]}
    assert cleaned(said, scrub) == {"***": ["a ***", {"b": "\\x1b"}], "n": [1, 0.5, True, None]}


def test_size_and_depth_are_limited() -> None:
    """Whatever the service sends."""
    said: object = "x" * 1000
    assert cleaned(said, scrub) == "x" * 256
    assert cleaned(list(range(100)), scrub) == list(range(64))
    assert cleaned({str(n): n for n in range(100)}, scrub) == {str(n): n for n in range(64)}
    for _ in range(10):
        said = [said]
    assert json.dumps(cleaned(said, scrub)) == "[[[[[[null]]]]]]"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("hunter2\x1b\n", max_size=12),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("hunter2", max_size=9), inner),
    max_leaves=20,
)


@given(VALUES)
def test_no_secret_is_in_what_is_kept(value: object) -> None:
    """And what is clean already stays."""
    kept = cleaned(value, scrub)
    assert "hunter2" not in json.dumps(kept)
    assert kept == cleaned(kept, scrub)
