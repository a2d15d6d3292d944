from __future__ import annotations

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from modelplug.cli.markdown import THEME, Harmless, Rendered, blocks


def drawn(renderable: RenderableType, *, width: int = 40, **options: object) -> str:
    """What a terminal of this width gets."""
    console = Console(width=width, theme=THEME, force_terminal=True, **options)  # type: ignore[arg-type]  # loose
    with console.capture() as shown:
        console.print(renderable)
    return shown.get()


def plain(text: str, width: int = 40) -> str:
    """Markdown without colours, and without blanks at line ends."""
    told = drawn(Harmless(Rendered(text)), width=width, color_system=None)
    return "\n".join(line.rstrip() for line in told.splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title", "Title"),
        ("one **two** `three`", "one two three"),
        ("- one\n- two", " • one\n • two"),
        ("```python\nx = 1\n\ny = 2\n```", "```python\nx = 1\n\ny = 2\n```"),
        ("```\n  x\n", "```\n  x\n```"),
        ("one\ntwo", "one\ntwo"),
        ("[here](https://a.example)", "here (https://a.example)"),
        ("Vec<T> and <b>bold</b></kbd>", "Vec<T> and <b>bold</b></kbd>"),
        ("<div>\nraw\n</div>", "```\n<div>\nraw\n</div>\n```"),
    ],
)
def test_markdown_is_shown_with_all_that_is_in_it(text: str, expected: str) -> None:
    """Line breaks, addresses and HTML stay visible; code can be copied as it stands."""
    assert expected == plain(text)


def test_chinese_breaks_between_signs() -> None:
    """Also behind a word in other letters."""
    assert plain("使用 Python 的中文很长", 16) == "使用 Python 的中\n文很长"


def test_a_table_has_its_columns() -> None:
    """Signs of two cells among them."""
    head, _, row = plain("| 甲 | b |\n|---|---|\n| c | 丁 |").splitlines()
    assert (head.split(), row.split()) == (["甲", "b"], ["c", "丁"])
    assert head.index("b") == row.index("丁") - 1


@pytest.mark.parametrize(
    "text", ["a\x1b[31mb", "a&#x202e;b", "```\na\x9bb\n```", "`a\x07b`", "| a\x08b |\n|---|\n| c |"]
)
def test_nothing_in_it_acts_on_the_terminal(text: str) -> None:
    """Neither control characters nor entities that stand for them."""
    told = drawn(Harmless(Rendered(text)), color_system=None)
    assert not set(told) & set("\x1b\x9b\x07\x08\u202e")
    assert "\\x" in told or "\\u202e" in told


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    """Bold and underlined words are none."""
    told = drawn(Harmless(Rendered("# Title\n\n`code`")), no_color=True, color_system="standard")
    assert "\x1b[1;4mTitle" in told
    assert "\x1b[36m" not in told


def test_the_last_rows_can_be_had_alone() -> None:
    """For a screen that has no room for more."""
    assert drawn(Harmless(Text("a\nb\nc"), rows=2)) == "b\nc\n"


def test_blank_lines_around_it_are_one_before_it() -> None:
    """If something stands above it."""
    assert drawn(Harmless(Text("\n\na\n\n"), after=True)) == "\na\n"
    assert drawn(Harmless(Text("\n\na\n\n"))) == "a\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("one", ["one"]),
        ("one\n\ntwo", ["one\n\n", "two"]),
        ("# one\ntwo\n", ["# one\n", "two\n"]),
        ("- one\n- two\n\n  three", ["- one\n- two\n\n  three"]),
        ("```\na\n\nb\n```\nc", ["```\na\n\nb\n```\n", "c"]),
        ("```\na\n\nb", ["```\na\n\nb"]),
        ("\n\none\u2028two\n\nthree", ["\n\none\u2028two\n\n", "three"]),
    ],
)
def test_blocks_are_all_of_the_text(text: str, expected: list[str]) -> None:
    """Only the last may still become something else."""
    assert expected == blocks(text)
    assert text == "".join(blocks(text))


def test_what_rich_trips_over_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer isn't lost to a fault of the display."""
    rendered = Rendered("**text**")
    monkeypatch.setattr(rendered, "parsed", [None])
    assert drawn(rendered) == "**text**\n"
