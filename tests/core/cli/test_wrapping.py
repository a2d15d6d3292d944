from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from modelplug.cli.wrapping import Wrapped, breaks, broken


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("one two three", 7, "one two\nthree"),
        ("one two", 7, "one two"),
        ("", 7, ""),
        ("你好世界再见", 7, "你好世\n界再见"),
        ("see 你好世界", 7, "see 你\n好世界"),
        ("一二三，四", 6, "一二\n三，四"),
        ("一二（三）", 6, "一二\n（三）"),
        ("a\nbb cc", 5, "a\nbb cc"),
        ("abcdefghij", 4, "abcd\nefgh\nij"),
        ("ab cdefghij", 4, "ab\ncdef\nghij"),
        ("한국어 문장", 6, "한국어\n문장"),
    ],
)
def test_lines_break_where_they_may(text: str, width: int, expected: str) -> None:
    """At blanks, between Chinese signs, never before a sign's full stop."""
    assert expected == broken(text, width)


@pytest.mark.parametrize("width", [2, 3, 10, 40])
def test_no_line_is_wider_than_it_may_be(width: int) -> None:
    """And nothing but blanks at line ends is lost."""
    text = "使用 Python 的中文很长很长，真的（很长）。 And English words, and averyveryverylongone"
    lines = broken(text, width).split("\n")
    assert max(map(cell_len, lines)) <= max(width, 4)  # a sign stays with its full stop
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_breaks_are_places_in_the_text() -> None:
    """Characters, not cells."""
    assert breaks("你好世界", 4) == [2]


def test_styles_stay_with_their_words() -> None:
    """Rich gets the text line by line."""
    console = Console(width=4, force_terminal=True, color_system="standard")
    with console.capture() as shown:
        console.print(Wrapped(Text.assemble("一", ("二三", "bold"))))
    assert shown.get() == "一\x1b[1m二\x1b[0m\n\x1b[1m三\x1b[0m\n"
