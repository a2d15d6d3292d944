from __future__ import annotations

import errno
import io
import threading
from typing import Protocol

import pytest
from rich.console import Console

from modelplug import ModelOutput
from modelplug.cli.live import MarkdownView, console
from modelplug.cli.markdown import THEME
from modelplug.cli.terminal import OutputError


class Screen(io.StringIO):
    """A terminal that tells when something was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Condition()

    def isatty(self) -> bool:
        """It is one."""
        return True

    def flush(self) -> None:
        """Called when all of a drawing was written."""
        with self.drawn:
            self.drawn.notify_all()

    def wait_for(self, text: str) -> None:
        """Until it was drawn."""
        with self.drawn:
            assert self.drawn.wait_for(lambda: text in self.getvalue(), 60)

    def rows(self) -> list[str]:
        """What is on it, row by row, by the few sequences that are used."""
        rows, row = [""], 0
        for piece in self.getvalue().replace("\x1b[2K", "\x00").split("\x1b["):
            if piece.startswith("1A"):
                row -= 1
            for mark in piece.removeprefix("1A").replace("?25l", "").replace("?25h", ""):
                if mark == "\x00":
                    rows[row] = ""
                elif mark == "\n":
                    row += 1
                    rows += [""] * (row == len(rows))
                elif mark != "\r":
                    rows[row] += mark
        return [each.rstrip() for each in rows]


class Looking(Protocol):
    def __call__(self, screen: Screen, *, height: int = 24) -> MarkdownView:
        """A view on this screen."""
        ...


@pytest.fixture
def view_on() -> Looking:
    """Makes a view on a screen without colours."""

    def make(screen: Screen, *, height: int = 24) -> MarkdownView:
        return MarkdownView(
            Console(
                file=screen,
                theme=THEME,
                width=20,
                height=height,
                color_system=None,
                force_terminal=True,
                force_interactive=True,
                _environ={"TERM": "xterm"},
            )
        )

    return make


def test_an_answer_is_there_once(view_on: Looking) -> None:
    """However often its last block was drawn."""
    screen = Screen()
    with view_on(screen) as view:
        view.add(ModelOutput(delta="# Title\n\nfirst"))
        screen.wait_for("first")
        view.add(ModelOutput(delta=" words\n\nsecond"))
        screen.wait_for("second")
    assert screen.rows() == ["Title", "", "first words", "", "second", ""]


def test_what_has_come_is_seen_although_nothing_more_comes(view_on: Looking) -> None:
    """A stream that stalls doesn't hide what it brought."""
    screen = Screen()
    with view_on(screen) as view:
        view.add(ModelOutput(delta="one"))
        screen.wait_for("one")


def test_no_more_is_drawn_than_the_screen_has_room_for(view_on: Looking) -> None:
    """The end of a long block; all of it when it is over."""
    screen = Screen()
    with view_on(screen, height=5) as view:
        view.add(ModelOutput(delta="\n".join(f"- {word}" for word in "abcdefgh")))
        screen.wait_for("h")
        assert screen.rows()[:4] == [" • e", " • f", " • g", " • h"]
    assert screen.rows() == [*(f" • {word}" for word in "abcdefgh"), ""]


def test_thinking_comes_before_the_answer(view_on: Looking) -> None:
    """As it is: no Markdown."""
    screen = Screen()
    with view_on(screen) as view:
        view.add(ModelOutput(reasoning_delta="*hm*\n\n"))
        view.add(ModelOutput(reasoning_delta="well"))
        view.add(ModelOutput(delta="*yes*"))
    assert screen.rows() == ["*hm*", "", "well", "", "yes", ""]


def test_thinking_is_dimmed() -> None:
    """On a terminal that can."""
    screen = Screen()
    shown = Console(file=screen, theme=THEME, force_terminal=True, color_system="standard")
    with MarkdownView(shown) as view:
        view.add(ModelOutput(reasoning_delta="hm"))
    assert "\x1b[2;3mhm\x1b[0m" in screen.getvalue()


def test_nothing_leaves_nothing(view_on: Looking) -> None:
    """An answer that fails before it began takes no room."""
    screen = Screen()
    with view_on(screen):
        pass
    assert screen.rows() == [""]


def test_a_stopped_answer_stays(view_on: Looking) -> None:
    """Whatever ends it, all that came is written."""
    screen = Screen()
    with pytest.raises(KeyboardInterrupt), view_on(screen) as view:  # noqa: PT012  # in its midst
        view.add(ModelOutput(delta="one\n\ntwo"))
        raise KeyboardInterrupt
    assert screen.rows() == ["one", "", "two", ""]


def test_a_terminal_that_is_gone_is_an_error(view_on: Looking) -> None:
    """Of the output, which ends the program in its own way."""

    class Gone(Screen):
        def write(self, text: str) -> int:
            if "one" in text:
                raise OSError(errno.EIO, "gone")
            return super().write(text)

    with pytest.raises(OutputError), view_on(Gone()) as view:
        view.add(ModelOutput(delta="one"))


def test_the_console_is_the_terminal() -> None:
    """With our styles."""
    assert console().get_style("markdown.thinking").dim
