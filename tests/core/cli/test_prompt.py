from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import click
import pytest

from modelplug.cli import prompt
from modelplug.cli.prompt import (
    encodable,
    note_profile,
    read_prompt,
    text_of_file,
    text_of_standard_input,
)


class Input(io.TextIOWrapper):
    """Standard input that holds ``content``."""

    def __init__(self, content: bytes = b"", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content))
        self._terminal = terminal

    def isatty(self) -> bool:
        """Whether somebody sits there."""
        return self._terminal


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two files; standard input is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", Input())
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\n")
    (tmp_path / "b.txt").write_bytes("\ufeffthree\r\n".encode())
    return tmp_path


def test_the_argument_alone_is_the_prompt() -> None:
    """Nothing is added to it."""
    assert read_prompt("What?", ()) == "What?"


def test_a_file_alone_is_the_prompt() -> None:
    """It has no heading, and no newline at its end."""
    assert read_prompt(None, ["a.txt"]) == "one\ntwo"


def test_standard_input_alone_is_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is piped is asked."""
    monkeypatch.setattr(sys, "stdin", Input("Was läuft?\n".encode()))
    assert read_prompt(None, ()) == "Was läuft?"


def test_the_question_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files under their names, then standard input, then the argument, with blank lines between."""
    monkeypatch.setattr(sys, "stdin", Input(b"piped\n"))
    expected = "File: a.txt\none\ntwo\n\nFile: b.txt\nthree\n\npiped\n\nWhat?"
    assert read_prompt("What?", ["a.txt", "b.txt"]) == expected


def test_an_empty_standard_input_is_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks and line feeds alone don't count either."""
    monkeypatch.setattr(sys, "stdin", Input(b" \n\n"))
    assert read_prompt("What?", ["a.txt"]) == "File: a.txt\none\ntwo\n\nWhat?"


def test_a_terminal_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who sits there isn't waited for."""
    monkeypatch.setattr(sys, "stdin", Input(b"typed", terminal=True))
    assert read_prompt("What?", ()) == "What?"


def test_an_open_pipe_is_said_to_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing comes, nobody wonders for long; what comes in the end is read."""
    ours, theirs = os.pipe()
    told = []

    def tell(text: str, *, err: bool) -> None:
        told.append((text, err))
        os.write(theirs, b"at last")
        os.close(theirs)

    monkeypatch.setattr(click, "echo", tell)
    monkeypatch.setattr(prompt, "_PATIENCE", 0)
    with open(ours, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert read_prompt("What?", ()) == "at last\n\nWhat?"
    assert told == [("waiting for the end of standard input; < /dev/null is none", True)]


def test_a_closed_standard_input_is_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started without one, the program asks all the same."""
    monkeypatch.setattr(sys, "stdin", None)
    assert read_prompt("What?", ()) == "What?"


@pytest.mark.parametrize("question", [None, "", " \n"], ids=repr)
def test_nothing_to_ask_is_wrong_usage(question: str | None) -> None:
    """The error names the three ways to ask."""
    with pytest.raises(click.UsageError, match="give a PROMPT, a FILE, or text on standard"):
        read_prompt(question, ())


def test_an_empty_file_beside_a_question_is_named(folder: Path) -> None:
    """That it is empty may be what the answer hangs on."""
    (folder / "empty.txt").touch()
    assert read_prompt("What?", ["empty.txt"]) == "File: empty.txt\n\nWhat?"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.txt", "No such file or directory"),
        (".", "Is a directory"),
        ("bad.txt", "it is not text in UTF-8"),
        ("a\0b", "embedded null byte"),
    ],
    ids=["missing", "directory", "binary", "impossible"],
)
def test_a_file_that_cannot_be_read_is_wrong_usage(name: str, reason: str, folder: Path) -> None:
    """The error names it, and why."""
    (folder / "bad.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(click.UsageError) as caught:
        read_prompt("What?", [name])
    assert caught.value.message == f"{name} can't be read: {reason}"


def test_a_name_that_is_no_text_is_told_with_marks(folder: Path) -> None:
    """File systems take any bytes; the prompt has to be UTF-8."""
    name = os.fsdecode(b"caf\xe9.txt")
    (folder / name).write_text("au lait", encoding="utf-8")
    assert read_prompt("What?", [name]) == "File: caf\ufffd.txt\nau lait\n\nWhat?"


def test_bytes_that_are_no_text_are_wrong_usage() -> None:
    """An argument that isn't UTF-8 comes as surrogates, which no service takes."""
    parameter = click.Argument(["prompt"])
    context = click.Context(click.Command("ask"))
    with pytest.raises(click.UsageError, match="PROMPT is not text in UTF-8"):
        encodable(context, parameter, "a\udcff")
    assert encodable(context, parameter, "中") == "中"
    assert encodable(context, parameter, None) is None


def test_a_text_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newlines at its end are left, but for the mark that Windows' editors begin a file with."""
    monkeypatch.setattr(sys, "stdin", Input(b"\npiped\n"))
    assert [text_of_file("b.txt"), text_of_standard_input()] == ["three\r\n", "\npiped\n"]


@pytest.mark.parametrize("stdin", [None, Input(b"typed", terminal=True)], ids=["none", "terminal"])
def test_a_terminal_has_no_text(stdin: Input | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for somebody to type."""
    monkeypatch.setattr(sys, "stdin", stdin)
    assert text_of_standard_input() is None


@pytest.mark.parametrize(
    ("prompt", "chosen", "told"),
    [
        ("@prod", None, True),
        ("@prod", "echo", False),
        ("@prod, hello", None, False),
        (None, None, False),
    ],
)
def test_a_prompt_that_names_a_profile_is_told_of(
    prompt: str | None, chosen: str | None, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is asked all the same: somebody may be called so."""
    note_profile(prompt, chosen)
    assert told == ("-b @prod" in capsys.readouterr().err)
