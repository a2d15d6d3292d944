"""Words that audits look for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.audits import has_word, output_of, passed
from modelplug_spark.frames import Choices, ChoicesText, FunctionCall, ResponsePayload


def payload(text: str = "", *, thinking: str = "", call: str = "") -> ResponsePayload:
    """One piece of an answer."""
    piece = ChoicesText(content=text, reasoning_content=thinking)
    if call:
        piece.function_call = FunctionCall("f", call)
    return ResponsePayload(choices=Choices(seq=0, text=[piece]))


def test_a_word_is_found_in_any_case() -> None:
    """In any of the texts, within words as well."""
    assert has_word(["", "The STRASSE"], ["straße"])
    assert not has_word(["street"], ["straße"])


def test_no_word_is_found_where_none_is_sought() -> None:
    """However long the text."""
    assert not has_word(["anything"], [])


@pytest.mark.parametrize(
    ("pieces", "number"),
    [
        (["no", "thing", "here"], 3),
        (["forbidden"], 0),
        (["is for", "bid", "den", "."], 2),
        (["FOR", "BID", "DEN"], 2),
        (["for", "bad", "den"], 3),
    ],
)
def test_an_answer_passes_until_a_word_is_complete(pieces: list[str], number: int) -> None:
    """Spread over pieces or not; the piece that completes it doesn't pass."""
    assert number == passed([payload(piece) for piece in pieces], ["forbidden"])


def test_thinking_text_and_call_are_apart() -> None:
    """A word in any of them counts, one across their border doesn't."""
    assert passed([payload(thinking="for"), payload("bidden")], ["forbidden"]) == 2
    assert passed([payload(), payload(thinking="forbidden")], ["forbidden"]) == 1
    assert passed([payload(call='{"x":"forbidden"}')], ["forbidden"]) == 0


def test_a_frame_without_choices_says_nothing() -> None:
    """Such as one with sources alone."""
    bare = ResponsePayload()
    assert passed([bare, payload("x")], ["x"]) == 1
    assert output_of([bare]) == {"thinking": "", "text": "", "call": ""}


@given(st.text("abAB", max_size=30), st.text("ab", min_size=1, max_size=4), st.integers(1, 5))
def test_the_pieces_do_not_matter(text: str, word: str, size: int) -> None:
    """What passes is the most that hasn't the word, for every way of cutting."""
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    number = passed([payload(piece) for piece in pieces], [word])
    assert word not in "".join(pieces[:number]).casefold()
    assert number == len(pieces) or word in "".join(pieces[: number + 1]).casefold()
