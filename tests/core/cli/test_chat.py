from __future__ import annotations

import os
import pty
from contextlib import suppress
from pathlib import Path

import pytest

from tests.core.cli.conftest import Run
from tests.core.cli.processes import ended, started

ECHO = ("chat", "-b", "echo")


def test_a_pipe_gets_answers_alone() -> None:
    """A question a line, or between fences; no prompt, no colour."""
    done = ended(*ECHO, stdin='one  two\n\n"""\nthree\n**four**\n"""\n//help\n', FORCE_COLOR="1")
    assert done == (0, "one  two\nthree\n**four**\n/help\n", "")


def test_a_pipe_is_not_remembered(tmp_path: Path) -> None:
    """It isn't typed, and may be large or secret."""
    assert ended(*ECHO, stdin="one\n", HOME=str(tmp_path), XDG_STATE_HOME="").status == 0
    assert list(tmp_path.iterdir()) == []


def test_a_failed_answer_is_status_1() -> None:
    """Those after it are asked."""
    done = ended("chat", "-b", "echo?fail_after=1", stdin="one two\nthree four\n")
    assert (done.status, done.stdout) == (1, "one\nthree\n")
    assert done.stderr.count("error: echo was told to fail") == 2


def test_options_and_instructions_are_used(run: Run) -> None:
    """-o goes over the config string's own; -s is counted with the first question."""
    done = run("chat", "-b", "echo?fail_after=1", "-o", "fail_after=9", "-s", "Be brief.", "-v",
               input="one two three\n")  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "one two three\n")
    assert done.stderr.startswith("5 + 3 = 8 tokens, ")


def test_a_config_string_that_cannot_be_is_a_failure(run: Run) -> None:
    """Before any question is read."""
    done = run("chat", "-b", "nobody", input="one\n")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no backend 'nobody'")


def test_no_backend_is_wrong_usage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for ask."""
    monkeypatch.setenv("MODELPLUG_CONFIG", "none")
    assert run("chat", input="one\n").exit_code == 2


def test_a_reader_that_leaves_ends_the_chat(tmp_path: Path) -> None:
    """As in ``| head -1``."""
    questions = tmp_path / "questions.txt"
    questions.write_text("one\n" * 3, encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    with (
        os.fdopen(writing, "wb") as pipe,
        questions.open("rb") as stdin,
        started(*ECHO, stdin=stdin.fileno(), stdout=pipe.fileno()) as program,
    ):
        assert program.end() == (141, "", "")


def test_a_terminal_on_one_side_is_none() -> None:
    """Where the answers go to a terminal and questions come from elsewhere there is no prompt."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with started(*ECHO, stdout=theirs) as program:
            os.close(theirs)
            assert program.end() == (0, "", "")
        with suppress(OSError):  # as Linux says that nobody writes any more
            assert screen.read(1000) == b""
