from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.cli.distributions import Site
from tests.core.cli.processes import started
from tests.core.cli.speakers import Speaker, speaking
from tests.core.cli.terminals import ALT_ENTER, CTRL_C, CTRL_D, UP, Terminal, at_terminal

PROMPT = "> "
ECHO = ("chat", "-b", "echo", "--history", "none")


@pytest.fixture
def speaker(site: Site) -> Iterator[Speaker]:
    """A service, and the parrot that repeats what it says."""
    site.install("parrot")
    with speaking() as speaker:
        yield speaker


def answer(terminal: Terminal, question: str) -> str:
    """Ask; all that stands between the question and the next prompt, without sequences."""
    terminal.type(f"{question}\r")
    told = terminal.read_until(PROMPT)
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", told).replace("\r", "")


def test_a_chat_at_a_terminal() -> None:
    """A greeting, a prompt, an answer, and an end."""
    with at_terminal(*ECHO) as terminal:
        assert "echo, model echo. /help" in terminal.read_until(PROMPT)
        assert "hello\n\n> " in answer(terminal, "hello")
        terminal.type(CTRL_D)
        assert terminal.end() == 0


def test_markdown_is_rendered() -> None:
    """Its marks are gone, its styles are there."""
    with at_terminal(*ECHO) as terminal:
        terminal.read_until(PROMPT)
        terminal.type("**bold** word\r")
        assert "\x1b[1mbold\x1b[0m word" in terminal.read_until(PROMPT)


@pytest.mark.parametrize(("options", "term"), [(("--plain",), "xterm"), ((), "dumb")])
def test_markdown_is_left_as_it_is(options: tuple[str, ...], term: str) -> None:
    """Where that is asked for, or nothing else is possible; nothing is drawn over."""
    with at_terminal(*ECHO, *options, TERM=term) as terminal:
        terminal.read_until(PROMPT)
        terminal.type("**bold** word\r")
        told = terminal.read_until(PROMPT)
        assert told.count("**bold** word\r\n") == 2  # as it was typed, and as it came back
        assert "\x1b[1m" not in told


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    """Bold is none."""
    with at_terminal(*ECHO, NO_COLOR="1") as terminal:
        terminal.read_until(PROMPT)
        terminal.type("`code` and **bold**\r")
        told = terminal.read_until(PROMPT)
        assert "\x1b[1mbold" in told
        assert "\x1b[36m" not in told


def test_no_control_character_acts_on_the_terminal() -> None:
    """Not even one that is spelled as an entity."""
    with at_terminal(*ECHO) as terminal:
        terminal.read_until(PROMPT)
        terminal.type("a&#x202e;b\r")
        assert "a\\u202eb" in terminal.read_until(PROMPT)


def test_alt_enter_breaks_the_line() -> None:
    """Both lines are one question."""
    with at_terminal(*ECHO) as terminal:
        terminal.read_until(PROMPT)
        assert "one\ntwo\n\n> " in answer(terminal, f"one{ALT_ENTER}two")


def test_fences_make_one_question() -> None:
    """A continued line has another prompt."""
    with at_terminal(*ECHO) as terminal:
        terminal.read_until(PROMPT)
        terminal.type('"""\r')
        terminal.read_until(". ")
        terminal.type("/one\r")
        terminal.read_until(". ")
        assert "/one\ntwo\n\n> " in answer(terminal, 'two"""')


def test_what_was_typed_comes_back(tmp_path: Path) -> None:
    """In the next chat, too; and it is asked again by Enter."""
    history = str(tmp_path / "history")
    for keys in ("你好 there", UP):
        with at_terminal("chat", "-b", "echo", "--history", history) as terminal:
            terminal.read_until(PROMPT)
            assert "你好 there\n\n> " in answer(terminal, keys)
            terminal.type(CTRL_D)
            assert terminal.end() == 0
    assert json.loads(Path(history).read_text("ascii").splitlines()[0]) == "你好 there"


def test_history_can_be_switched_off_by_a_variable(tmp_path: Path) -> None:
    """For good."""
    home = str(tmp_path)
    with at_terminal(
        "chat", "-b", "echo", MODELPLUG_CHAT_HISTORY="none", HOME=home, XDG_STATE_HOME=""
    ) as terminal:
        terminal.read_until(PROMPT)
        answer(terminal, "hello")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_stops_the_answer_and_not_the_program(speaker: Speaker) -> None:
    """The connection is closed, what had come is kept, and the next question is served."""
    with at_terminal("chat", "-b", speaker.config, "--history", "none") as terminal:
        terminal.read_until(PROMPT)
        terminal.type("Count.\r")
        speaker.say("one\n")
        terminal.read_until("one")
        assert not terminal.echoes()
        terminal.type(CTRL_C)
        assert speaker.hears_the_end()
        terminal.read_until("stopped: it is kept")
        terminal.read_until(PROMPT)
        terminal.type("And on?\r")
        speaker.say("two\n")
        speaker.hang_up()
        terminal.read_until("two")
        terminal.read_until(PROMPT)
        terminal.type("/undo\r")
        terminal.read_until("(1 left)")
        terminal.read_until(PROMPT)
        assert terminal.echoes() is False  # readline shows what is typed
        terminal.type(CTRL_D)
        assert terminal.end() == 0
        assert terminal.echoes()


def test_ctrl_c_before_an_answer_begins(speaker: Speaker) -> None:
    """The question can be asked again."""
    with at_terminal("chat", "-b", speaker.config, "--history", "none") as terminal:
        terminal.read_until(PROMPT)
        terminal.type("Count.\r")
        speaker.await_question()
        terminal.type(CTRL_C)
        assert speaker.hears_the_end()
        terminal.read_until("stopped before")
        terminal.read_until(PROMPT)
        terminal.type("/retry\r")
        speaker.say("one\n")
        terminal.read_until("one")


def test_ctrl_c_at_the_prompt_clears_the_line() -> None:
    """On an empty one it ends the chat, the second time."""
    with at_terminal(*ECHO) as terminal:
        terminal.read_until(PROMPT)
        for _ in range(2):
            terminal.type("half a line")
            terminal.read_until("half a line")
            terminal.interrupt(PROMPT)
        assert "half" not in answer(terminal, "whole")
        terminal.interrupt("(Ctrl-C again")
        terminal.read_until(PROMPT)
        assert terminal.end_by_ctrl_c() == 130


@pytest.mark.parametrize("is_answering", [True, False])
def test_sigterm_ends_cleanly(is_answering: bool, speaker: Speaker) -> None:
    """The connection is closed, and the terminal is as it was."""
    with at_terminal("chat", "-b", speaker.config, "--history", "none") as terminal:
        terminal.read_until(PROMPT)
        if is_answering:
            terminal.type("Count.\r")
            speaker.say("one\n")
            terminal.read_until("one")
        assert terminal.end_by_sigterm() == 143
        assert not is_answering or speaker.hears_the_end()
        assert terminal.echoes()
        assert "Traceback" not in terminal.seen


def test_ctrl_c_in_a_pipe_ends_the_program(speaker: Speaker, tmp_path: Path) -> None:
    """Nobody sits there who could go on."""
    questions = tmp_path / "questions.txt"
    questions.write_text("Count.\nAnd on?\n", encoding="utf-8")
    with (
        questions.open("rb") as stdin,
        started("chat", "-b", speaker.config, stdin=stdin.fileno()) as program,
    ):
        speaker.say("one\n")
        program.read_until("one")
        program.press_ctrl_c()
        assert speaker.hears_the_end()
        assert program.end() == (130, "one\n", "the parrot has hung up\n")


def test_a_narrow_terminal_has_no_line_that_is_too_long() -> None:
    """Remarks are broken at blanks."""
    with at_terminal(*ECHO, columns=40) as terminal:
        terminal.read_until(PROMPT)
        lines = answer(terminal, "/modle x").splitlines()
    assert max(map(len, lines)) <= 40
    assert "hint: did you mean /model? a text that" in lines
