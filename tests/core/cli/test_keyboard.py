from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelplug.cli import keyboard
from modelplug.cli.inputhistory import InputHistory
from modelplug.cli.keyboard import Input, InputError, Keyboard, Pipe


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], list[Input | str]]:
    """All that comes of these bytes on standard input; an error is its message."""

    def read(data: bytes) -> list[Input | str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "ascii"))
        pipe, found = Pipe(), list[Input | str]()
        while True:
            try:
                found.append(pipe.read())
            except InputError as error:
                found.append(str(error))
            except EOFError:
                return found

    return read


class TestPipe:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ("", []),
            ("one\ntwo", [Input("one"), Input("two")]),
            ("\ufeff你好\r\n\n", [Input("你好"), Input("")]),
            ('"""\none\n\ntwo\n"""\n', [Input("one\n\ntwo", fenced=True)]),
            ('"""one\ntwo"""\nthree\n', [Input("one\ntwo", fenced=True), Input("three")]),
            ('  """one""" \n', [Input("one", fenced=True)]),
            ('""""""\n', [Input("", fenced=True)]),
            ('say """\n', [Input('say """')]),
        ],
    )
    def test_a_line_is_an_input(
        self, data: str, expected: list[Input], piped: Callable[[bytes], list[Input | str]]
    ) -> None:
        """And so is what stands between fences."""
        assert expected == piped(data.encode())

    def test_a_text_that_is_cut_off_is_not_asked(
        self, piped: Callable[[bytes], list[Input | str]]
    ) -> None:
        """Half of it may say the opposite."""
        assert piped(b'one\n"""\ntwo\n') == [
            Input("one"),
            'the text after """ has no end, and isn\'t asked',
        ]

    def test_what_is_no_text_is_told(self, piped: Callable[[bytes], list[Input | str]]) -> None:
        """What follows is read."""
        assert piped(b"\xff\ntwo\n") == ["a line is not text in UTF-8", Input("two")]

    def test_an_endless_line_ends(
        self, piped: Callable[[bytes], list[Input | str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It isn't asked in pieces without a word."""
        monkeypatch.setattr(keyboard, "_MOST", 4)
        assert piped(b"abc\nabcdef\n")[:2] == [
            Input("abc"),
            "a line is longer than any model takes",
        ]

    def test_no_standard_input_is_an_empty_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As where a program was started without."""
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(EOFError):
            Pipe().read()


class TestKeyboard:
    @pytest.fixture
    def history(self, tmp_path: Path) -> Path:
        """Where inputs are remembered."""
        return tmp_path / "history.jsonl"

    @pytest.fixture
    def typing(self, history: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Keyboard]:
        """A terminal without readline, at which this is typed; an exception is a key."""
        monkeypatch.setattr(keyboard, "_module", lambda name: None)

        def sit(*typed: str | BaseException) -> Keyboard:
            lines = iter(typed)

            def line(_prompt: str) -> str:
                given = next(lines)
                if isinstance(given, BaseException):
                    raise given
                return given

            monkeypatch.setattr("builtins.input", line)
            return Keyboard(InputHistory(history), lambda text: [])

        return sit

    def test_what_is_typed_is_remembered(
        self, typing: Callable[..., Keyboard], history: Path
    ) -> None:
        """A fenced text with its fences; nothing isn't."""
        sitting = typing("one", " ", '"""two', 'three"""')
        assert [sitting.read() for _ in range(3)][2] == Input("two\nthree", fenced=True)
        remembered = [json.loads(line) for line in history.read_text("ascii").splitlines()]
        assert remembered == ["one", '"""\ntwo\nthree\n"""']

    def test_ctrl_c_drops_the_input(
        self, typing: Callable[..., Keyboard], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Its lines before, too; once is not yet the end."""
        sitting = typing('"""one', KeyboardInterrupt(), "two", KeyboardInterrupt(), "three")
        assert [sitting.read(), sitting.read()] == [Input("two"), Input("three")]
        assert capsys.readouterr().err.count("(Ctrl-C again") == 2

    def test_ctrl_c_twice_is_the_end(self, typing: Callable[..., Keyboard]) -> None:
        """With nothing between."""
        with pytest.raises(KeyboardInterrupt):
            typing(KeyboardInterrupt(), KeyboardInterrupt()).read()

    def test_ctrl_d_is_the_end(
        self, typing: Callable[..., Keyboard], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The shell's prompt begins a line of its own."""
        with pytest.raises(EOFError):
            typing(EOFError()).read()
        assert capsys.readouterr().err == "\n"

    def test_what_is_no_text_is_told(self, typing: Callable[..., Keyboard]) -> None:
        """It comes so from a terminal with another encoding."""
        with pytest.raises(InputError, match="not text in UTF-8"):
            typing("a\udcff").read()

    def test_a_pause_without_a_terminal_changes_nothing(
        self, typing: Callable[..., Keyboard]
    ) -> None:
        """As on Windows."""
        with typing("one").paused():
            pass
