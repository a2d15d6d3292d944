from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.core.cli.conftest import Run

ECHO = ("-b", "echo")


def test_the_answer_is_on_standard_output(run: Run) -> None:
    """And nothing else is, there or on standard error."""
    done = run("ask", "hello  there", *ECHO)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "hello  there\n", "")


def test_files_and_standard_input_go_before_the_question(run: Run, tmp_path: Path) -> None:
    """The parts are joined as --help says."""
    file = tmp_path / "a.txt"
    file.write_text("one\n", encoding="utf-8")
    done = run("ask", "What?", "-f", str(file), *ECHO, input="two\n")
    assert done.stdout == f"File: {file}\none\n\ntwo\n\nWhat?\n"


def test_the_environment_chooses_the_backend(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without -b the variable holds."""
    monkeypatch.setenv("MODELPLUG_BACKEND", "echo:parrot")
    assert json.loads(run("ask", "hello", "--json").stdout)["model"] == "parrot"


def test_the_option_wins_over_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """-b is nearer than the variable."""
    monkeypatch.setenv("MODELPLUG_BACKEND", "nobody")
    assert run("ask", "hello", *ECHO).exit_code == 0


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with two profiles, one of them the default."""
    file = tmp_path / "modelplug.toml"
    file.write_text(
        'default = "a"\n[profiles.a]\nbackend = "echo:first"\n[profiles.b]\n'
        'backend = "echo:second?fail_after=1"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))


@pytest.mark.usefixtures("profiles")
def test_the_default_profile_answers_where_nothing_else_is_chosen(run: Run) -> None:
    """The file is enough."""
    assert json.loads(run("ask", "hello", "--json").stdout)["model"] == "first"


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize("chosen", [("--profile", "b"), ("-b", "@b")], ids=" ".join)
def test_a_profile_is_asked_for_by_its_name(run: Run, chosen: tuple[str, str]) -> None:
    """In either way; -o goes over it."""
    assert run("ask", "one two", *chosen).stdout == "one\n"
    told = json.loads(run("ask", "one two", "--json", *chosen, "-o", "fail_after=9").stdout)
    assert (told["model"], told["text"]) == ("second", "one two")


def test_no_backend_is_wrong_usage(run: Run) -> None:
    """The error names both ways to choose one, and how to see what there is."""
    done = run("ask", "hello")
    assert (done.exit_code, done.stdout) == (2, "")
    assert all(part in done.stderr for part in ("-b", "MODELPLUG_BACKEND", "modelplug backends"))


@pytest.mark.parametrize(
    "arguments",
    [(), ("hello", "-f", "none.txt"), ("hello", "-o", "delay"), ("a", "b"), ("hello", "--jsn")],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], run: Run) -> None:
    """It is said on standard error, with where help is."""
    done = run("ask", *arguments, *ECHO)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Try 'modelplug ask --help' for help" in done.stderr
    assert "Error: " in done.stderr


@pytest.mark.parametrize("config", ["nobody", "echo?", "echo?delay=x", "@prod", "echo?api_key=K3Y"])
def test_a_config_string_that_cannot_be_is_a_failure(config: str, run: Run) -> None:
    """It comes from -b or from the environment: what is wrong is its content, not the usage."""
    done = run("ask", "hello", "-b", config)
    assert (done.exit_code, done.stdout) == (1, "")
    error, *hints = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert all(hint.startswith("hint: ") for hint in hints)
    assert "K3Y" not in done.stderr


def test_an_option_sets_what_the_config_string_may(run: Run) -> None:
    """-o goes over the config string's own."""
    done = run("ask", "one two three", "-b", "echo?fail_after=1", "-o", "fail_after=2")
    assert done.stdout == "one two\n"


def test_a_failure_leaves_the_partial_answer(run: Run) -> None:
    """What had come is on standard output; the error and its hint are not."""
    done = run("ask", "one two three", "-b", "echo?fail_after=2")
    assert (done.exit_code, done.stdout) == (1, "one two\n")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: echo was told to fail")
    assert hint == "hint: unset fail_after"


def test_a_whole_answer_has_the_partial_too(run: Run) -> None:
    """Without streaming a failure is told in the same way."""
    done = run("ask", "one two three", "-b", "echo?fail_after=2", "--no-stream")
    assert (done.exit_code, done.stdout) == (1, "one two\n")


def test_a_whole_answer_is_the_same_answer(run: Run) -> None:
    """Streaming or not, what is written doesn't differ."""
    assert run("ask", "one two", "--no-stream", *ECHO).stdout == "one two\n"


def test_json_is_one_object(run: Run) -> None:
    """It has exactly the fields that are promised, on one line."""
    done = run("ask", "one 中", "--json", *ECHO)
    record = json.loads(done.stdout)
    usage = record.pop("usage")
    assert record == {
        "text": "one 中",
        "warnings": [],
        "sources": [],
        "reasoning": "",
        "finish_reason": "stop",
        "model": "echo",
        "backend": "echo",
        "served_by": None,
        "request_id": None,
        "error_code": 0,
        "attempts": [],
    }
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (2, 2, 4)
    assert (done.exit_code, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_json_of_a_failure_has_the_partial_and_the_code(run: Run) -> None:
    """The message is a field more; standard error says it as always."""
    done = run("ask", "one two three", "--json", "-b", "echo?fail_after=2")
    assert json.loads(done.stdout) == {
        "text": "one two",
        "warnings": [],
        "sources": [],
        "reasoning": "",
        "finish_reason": None,
        "usage": None,
        "model": "echo",
        "backend": "echo",
        "attempts": [],
        "served_by": None,
        "request_id": None,
        "error_code": 611,
        "message": "echo was told to fail",
    }
    assert done.exit_code == 1
    assert done.stderr.startswith("error: echo was told to fail")


def test_json_of_a_failure_before_the_call(run: Run) -> None:
    """Where no client could be made there is an object all the same."""
    record = json.loads(run("ask", "hello", "--json", "-b", "nobody").stdout)
    assert (record["text"], record["backend"], record["error_code"]) == ("", "nobody", 201)


def test_that_another_backend_answered_is_told(run: Run) -> None:
    """Briefly, on standard error; and with --json in a field."""
    config = ("-b", "echo:one?fail_after=0&retries=1 | echo:two")
    done = run("ask", "hello", *config)
    assert (done.exit_code, done.stdout) == (0, "hello\n")
    assert done.stderr == "note: echo:two answered, as echo:one (ServerError) failed\n"
    assert json.loads(run("ask", "hello", "--json", *config).stdout)["served_by"] == "echo:two"


def test_that_the_first_one_answered_is_not_told(run: Run) -> None:
    """It is what one expects."""
    done = run("ask", "hello", "-b", "echo:one | echo:two")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "hello\n", "")


def test_all_attempts_of_a_failure_are_told(run: Run) -> None:
    """In a note before the error; and with --json in a field."""
    config = ("-b", "echo:one?fail_after=0 | echo:two?fail_after=0")
    done = run("ask", "hello", *config)
    note, error, _ = done.stderr.splitlines()
    assert note == "note: 2 attempts failed: echo:one (ServerError); echo:two (ServerError)"
    assert (done.exit_code, done.stdout, error[:7]) == (1, "", "error: ")
    (attempt,) = json.loads(run("ask", "hello", "--json", *config).stdout)["attempts"]
    assert (attempt["backend"], attempt["model"], attempt["error_code"]) == ("echo", "one", 611)


@pytest.mark.parametrize("last", ["echo:two", "echo:two?fail_after=0"])
def test_verbose_tells_each_attempt(run: Run, last: str) -> None:
    """Whether the call was answered in the end, or not."""
    done = run("ask", "hello", "-v", "-b", f"echo:one?fail_after=0 | {last}")
    told = [line for line in done.stderr.splitlines() if line.startswith("attempt")]
    assert len(told) == 1
    assert re.match(r"attempt  echo:one failed after \d+\.\d{3} s, ServerError: ", told[0])


def test_json_tells_what_was_tried_before(run: Run) -> None:
    """Of an answer, too."""
    config = ("-b", "echo:one?fail_after=0 | echo:two")
    (attempt,) = json.loads(run("ask", "hello", "--json", *config).stdout)["attempts"]
    assert attempt.keys() == {"backend", "model", "seconds", "error_code", "message"}


def test_verbose_tells_the_figures(run: Run) -> None:
    """Backend, model, usage and timing are lines on standard error."""
    done = run("ask", "one two three", "-v", "-b", "echo:parrot")
    figures = dict(line.split(None, 1) for line in done.stderr.splitlines())
    assert done.stdout == "one two three\n"
    assert figures["backend"] == "echo, model parrot"
    assert figures["usage"] == "3 + 3 = 6 tokens"
    assert figures["finish"] == "stop"
    timing = figures["timing"]
    assert all(part in timing for part in ("first delta ", "total ", " tokens/s", ", 3 deltas"))


def test_verbose_says_when_usage_is_unknown(run: Run) -> None:
    """A backend that doesn't report it is not taken for one that costs nothing."""
    done = run("ask", "hello", "-v", "-b", "echo?usage=false")
    assert "usage    not reported\n" in done.stderr
    assert "tokens/s" not in done.stderr
    assert done.stderr.count("1 delta\n") == 1


def test_a_system_message_is_sent_as_one(run: Run) -> None:
    """What -s says is counted with the prompt, and the answer is to the question."""
    done = run("ask", "hello", "-s", "Be very brief.", "--json", *ECHO)
    record = json.loads(done.stdout)
    assert (record["text"], record["usage"]["prompt_tokens"]) == ("hello", 4)
