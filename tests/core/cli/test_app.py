from __future__ import annotations

from importlib.metadata import version

import pytest

from tests.core.cli.conftest import Run
from tests.core.cli.distributions import PARROT, Site

COMMANDS = ["ask", "backends", "chat", "completion", "emulate", "models", "tokens"]


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=str)
def test_every_help_has_examples_and_exit_statuses(command: tuple[str, ...], run: Run) -> None:
    """What to type, and what its end means, stands in each help."""
    done = run(*command, "-h")
    assert done.exit_code == 0
    assert "Examples:\n    modelplug " in done.stdout
    assert "Exit status:" in done.stdout


def test_help_is_as_narrow_as_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 40 columns nothing but the examples is longer, and they can't be broken."""
    monkeypatch.setenv("COLUMNS", "40")
    lines = run("backends", "--help").stdout.partition("Examples:")[0].splitlines()
    assert [line for line in lines if len(line) > 40] == []


def test_version_is_the_distributions(run: Run) -> None:
    """The version comes from the metadata."""
    assert run("--version").stdout == f"modelplug {version('modelplug')}\n"


def test_wrong_usage_is_status_2(run: Run) -> None:
    """An unknown option is click's to refuse, on standard error."""
    done = run("ask", "--colour")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "No such option" in done.stderr


@pytest.mark.parametrize("raised", ["ValueError('my secret')", "SystemExit(0)"])
def test_whatever_a_plugin_raises_is_no_traceback(raised: str, run: Run, site: Site) -> None:
    """A bug is told in three lines, with its place and without its words; a plugin can't exit."""
    site.install("parrot", PARROT.replace("return cls(", f"raise {raised}\n        return cls("))
    done = run("ask", "hello", "-b", "parrot")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "acme_parrot.py, line " in done.stderr
    assert "my secret" not in done.stderr
    assert "Traceback" not in done.stderr
