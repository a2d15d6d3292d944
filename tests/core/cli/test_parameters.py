"""Options that several commands have."""

from __future__ import annotations

import pytest

from modelplug.cli.app import app
from tests.core.cli.conftest import Run

SHARED = ("--backend", "--profile", "--system")


@pytest.mark.parametrize("option", SHARED)
def test_an_option_means_the_same_everywhere(option: str) -> None:
    """Its help has the same words in each command that has it."""
    told = {
        getattr(each, "help", None)
        for command in app.commands.values()
        for each in command.params
        if option in each.opts
    }
    assert len(told) == 1


@pytest.mark.parametrize("command", ["ask", "chat", "explain", "models", "tokens"])
def test_a_command_says_which_backend_it_takes(run: Run, command: str) -> None:
    """By a config string or by a profile's name."""
    done = run(command, "--help")
    assert "-b, --backend CONFIG" in done.stdout
    assert "--profile NAME" in done.stdout
