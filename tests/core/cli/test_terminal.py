from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest

from modelplug.cli import terminal
from modelplug.cli.terminal import (
    Answer,
    OutputError,
    one_line,
    shown,
    to_json,
    write,
    write_anything,
)

CONTROL = [chr(code) for code in range(256) if unicodedata.category(chr(code)) == "Cc"]


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output says that it is a terminal."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)


def written(*pieces: str, failure: BaseException | None = None) -> None:
    """An answer that came in ``pieces``, and perhaps failed then."""
    with Answer() as answer:
        for piece in pieces:
            answer.write(piece)
        if failure is not None:
            raise failure


def test_every_control_character_is_shown_as_an_escape() -> None:
    """Of all of them only tab and line feed are left as they are."""
    text = shown("".join(CONTROL))
    assert {char for char in text if not char.isprintable()} == {"\t", "\n"}
    assert shown("\x1b[31m\r\x9b\x7f") == r"\x1b[31m\r\x9b\x7f"


def test_what_is_no_control_character_stays() -> None:
    """Text of any language, emoji and backslashes are written as they are."""
    text = "naïve 中文 😀 \\n \u00a0 العربية"
    assert shown(text) == text


def test_a_message_is_one_line() -> None:
    """Line feeds are escaped, too."""
    assert one_line("a\nb\x07") == r"a\nb\x07"


def test_json_is_safe_on_a_terminal_and_says_the_same() -> None:
    """Control characters are escaped in it, Chinese is not, and it reads back."""
    text = to_json({"text": f"中{''.join(CONTROL)}"})
    assert text.isprintable()
    assert "中" in text
    assert json.loads(text) == {"text": f"中{''.join(CONTROL)}"}


def test_json_is_ascii_where_output_is_not_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoding that lacks characters still gets JSON that says them."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert to_json("中😀") == r'"\u4e2d\ud83d\ude00"'


def test_unknown_values_become_text_in_json() -> None:
    """What a plugin puts into its usage can't break the output."""
    assert to_json({"raw": {1}}) == '{"raw": "{1}"}'


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["a", "b"], "ab\n"),
        (["a\n"], "a\n"),
        (["a", "\n", "\n"], "a\n"),
        (["a\n", "\n", "b\n\n"], "a\n\nb\n"),
        (["\n", "a"], "\na\n"),
        ([""], "\n"),
        ([], "\n"),
    ],
    ids=repr,
)
def test_an_answer_ends_in_one_newline(
    pieces: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly one, whatever the model ends with; those inside stay."""
    written(*pieces)
    assert capsys.readouterr().out == expected


def test_a_pipe_gets_the_answer_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even click's habit of removing colours changes it."""
    written("\x1b[31mred\x1b[0m\r")
    assert capsys.readouterr().out == "\x1b[31mred\x1b[0m\r\n"


@pytest.mark.usefixtures("on_a_terminal")
def test_a_terminal_gets_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """A model can't move the cursor or set the window's title."""
    written("\x1b]0;owned\x07", "\tb\n", "c")
    assert capsys.readouterr().out == "\\x1b]0;owned\\x07\tb\nc\n"


def test_an_answer_that_failed_before_it_began_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a piece there is no line to end."""
    with pytest.raises(ValueError, match="no"):
        written(failure=ValueError("no"))
    assert capsys.readouterr() == ("", "")


def test_a_partial_answer_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """What had come is ended with a newline, so that the error begins one."""
    with pytest.raises(ValueError, match="no"):
        written("a\n", "b", failure=ValueError("no"))
    assert capsys.readouterr() == ("a\nb\n", "")


def test_ctrl_c_before_the_answer_ends_the_line_of_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The terminal has written ^C there; standard output stays empty."""
    with pytest.raises(KeyboardInterrupt):
        written(failure=KeyboardInterrupt())
    assert capsys.readouterr() == ("", "\n")


def test_what_an_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lone surrogates, and Chinese where there is none, don't end the program."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    write_anything()
    written("é中\ud800")
    assert raw.getvalue() == b"\xe9\\u4e2d\\ud800\n"


def test_a_program_without_standard_output_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started with standard output closed, an answer isn't lost in silence."""
    monkeypatch.setattr(sys, "stdout", None)
    write_anything()
    assert not terminal.is_terminal()
    with pytest.raises(OutputError):
        write("lost")
