"""Thinking in the text of an answer, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_openai.thinktags import ThinkTags


def split(*pieces: str) -> tuple[str, str]:
    """The thinking and the text of some pieces."""
    tags = ThinkTags()
    parts = [*map(tags.split, pieces), tags.end()]
    return "".join(thinking for thinking, _ in parts), "".join(text for _, text in parts)


@pytest.mark.parametrize(
    ("text", "thinking", "rest"),
    [
        ("<think>hm</think>so", "hm", "so"),
        ("\n <think>\nhm\n</think>\n\nso", "\nhm\n", "\n\nso"),
        ("<think></think>", "", ""),
        ("<think>hm", "hm", ""),
        ("<think>hm</thi", "hm</thi", ""),
        ("<think>a < b</think>so</think>", "a < b", "so</think>"),
        ("so <think>hm</think>", "", "so <think>hm</think>"),
        ("<thinking>", "", "<thinking>"),
        ("<thi", "", "<thi"),
        (" ", "", " "),
        ("", "", ""),
    ],
)
def test_thinking_is_parted_wherever_it_is_cut(text: str, thinking: str, rest: str) -> None:
    """At the start alone; half a tag at the end is no tag."""
    assert (thinking, rest) == split(text)
    assert (thinking, rest) == split(*text)


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "thi", "nk>", "</", "a", " ", "\n"])))
def test_the_cuts_make_no_difference(pieces: list[str]) -> None:
    """A tag may come in any number of pieces."""
    assert split("".join(pieces)) == split(*pieces) == split(*"".join(pieces))


class Counted(str):
    """Text that counts what is put before it, which has to be copied."""

    __slots__ = ()
    copied = 0

    def __radd__(self, before: str) -> str:
        type(self).copied += len(before)
        return before + str(self)


def test_blanks_are_copied_once_however_many_there_are() -> None:
    """Else they would cost the square of their number."""
    tags = ThinkTags()
    for _ in range(1000):
        assert tags.split(Counted(" ")) == ("", "")
    assert Counted.copied == 0
    assert tags.split("so") == ("", " " * 1000 + "so")


def test_text_without_a_tag_is_passed_on_at_once() -> None:
    """Only what may yet be a tag is kept back."""
    tags = ThinkTags()
    assert tags.split("<th") == ("", "")
    assert tags.split("e") == ("", "<the")
    assert tags.split("<think>") == ("", "<think>")
