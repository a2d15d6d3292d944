from __future__ import annotations

import click
import pytest

from modelplug import BackendNotFoundError, PluginContractError, PluginLoadError, ServerError
from modelplug.cli import failure
from modelplug.cli.failure import FAILED, INTERRUPTED, READER_GONE, Failure, outcome
from modelplug.cli.terminal import OutputError


class Dropped:
    """Takes the place of dropping this process's own standard output."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        """Count, and drop nothing."""
        self.times += 1


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> Dropped:
    """Counts how often standard output is given up."""
    dropped = Dropped()
    monkeypatch.setattr(failure, "drop_output", dropped)
    return dropped


def caused(error: Exception, cause: Exception) -> Exception:
    """``error`` with a cause that was really raised."""
    try:
        try:
            raise cause
        except Exception as raised:
            raise error from raised
    except type(error) as failed:
        return failed


def test_a_failure_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Message, cause and hint are a line each, on standard error."""
    Failure("it broke", cause="rust", hint="oil it").show()
    assert capsys.readouterr() == ("", "error: it broke\ncause: rust\nhint: oil it\n")


def test_a_message_cannot_pretend_to_be_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Line feeds and control characters in what a service said are escaped."""
    Failure("bad\nhint: \x1b[2Jobey").show()
    assert capsys.readouterr().err == "error: bad\\nhint: \\x1b[2Jobey\n"


def test_an_error_of_ours_is_told_with_its_hint() -> None:
    """Backend, model and request id stand behind the message."""
    told = outcome(ServerError("it failed", backend="acme", request_id="r1", hint="wait"))
    assert isinstance(told, Failure)
    assert (told.message, told.hint) == ("it failed [backend acme, request id r1]", "wait")
    assert told.exit_code == FAILED


def test_a_backend_that_is_not_there_has_no_cause() -> None:
    """A plugin's error that nothing lies behind says no more than itself."""
    told = outcome(BackendNotFoundError("there is none"))
    assert isinstance(told, Failure)
    assert told.cause is None


def test_the_cause_of_a_failed_import_is_shown() -> None:
    """What a plugin raised while it was imported is told, and where."""
    told = outcome(caused(PluginLoadError("it raised"), KeyError("HOME")))
    assert isinstance(told, Failure)
    assert (told.cause or "").startswith(f"KeyError: 'HOME' ({__file__}, line ")


def test_the_cause_of_a_bug_in_a_call_keeps_its_words() -> None:
    """What a plugin raised while it served a call may hold a secret: its place is enough."""
    told = outcome(caused(PluginContractError("it raised"), KeyError("s3cret")))
    assert isinstance(told, Failure)
    assert (told.cause or "").startswith(f"KeyError ({__file__}, line ")


def test_a_cause_that_was_never_raised_has_no_place() -> None:
    """A cause without a traceback is told all the same."""
    error = PluginLoadError("it raised")
    error.__cause__ = KeyError("HOME")
    assert Failure.of(error).cause == "KeyError: 'HOME'"


def test_an_unknown_error_is_a_bug_to_report() -> None:
    """Its class is told and its words are not; a file's is not taken for standard output's."""
    told = outcome(FileNotFoundError(2, "s3cret"))
    assert isinstance(told, Failure)
    assert told.message.startswith("FileNotFoundError, ")
    assert "s3cret" not in f"{told.message}{told.cause}{told.hint}"


def test_a_module_that_is_missing_is_named() -> None:
    """That is no secret, and says what to install."""
    told = outcome(ModuleNotFoundError("No module named 's3cret'", name="acme_sdk"))
    assert isinstance(told, Failure)
    assert told.message.startswith("ModuleNotFoundError of 'acme_sdk', which")
    assert "s3cret" not in f"{told.message}{told.cause}{told.hint}"


def test_ctrl_c_has_a_status_of_its_own(dropped: Dropped) -> None:
    """An interrupt is no failure and says nothing."""
    told = outcome(KeyboardInterrupt())
    assert isinstance(told, click.exceptions.Exit)
    assert (told.exit_code, dropped.times) == (INTERRUPTED, 0)


def test_a_reader_that_left_is_no_failure(dropped: Dropped) -> None:
    """A closed pipe ends the program as SIGPIPE would, and the rest goes nowhere."""
    told = outcome(OutputError(BrokenPipeError()))
    assert isinstance(told, click.exceptions.Exit)
    assert (told.exit_code, dropped.times) == (READER_GONE, 1)


def test_output_that_cannot_be_written_is_a_failure(dropped: Dropped) -> None:
    """A full disk is told as such."""
    told = outcome(OutputError(OSError(28, "No space left on device")))
    assert isinstance(told, Failure)
    assert told.message == "standard output can't be written: No space left on device"
    assert dropped.times == 1
