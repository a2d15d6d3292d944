from __future__ import annotations

import click
import pytest

from modelplug.cli.app import app
from modelplug.cli.completion import BackendType, offer_backends
from tests.core.cli.conftest import Run
from tests.core.cli.distributions import PARROT, Site
from tests.core.cli.processes import ended


def offered(incomplete: str) -> list[str]:
    """What the Tab key finds."""
    context, parameter = click.Context(app), click.Option(["-b"])
    found = BackendType().shell_complete(context, parameter, incomplete)
    return [item.value for item in found]


def test_installed_backends_are_offered(site: Site) -> None:
    """From metadata: one that can't be imported is offered, too."""
    site.install("parrot", "import os; os._exit(7)")
    assert {"echo", "parrot", "spark"} <= set(offered(""))
    assert offered("par") == ["parrot"]


def test_models_are_offered_behind_the_colon() -> None:
    """Those of the plugin's table."""
    assert sorted(offered("spark:gen")) == ["spark:generalv3", "spark:generalv3.5"]
    assert offered("echo:") == ["echo:echo"]


@pytest.mark.parametrize("incomplete", ["nobody:", "parrot:", "zzz", "@", "echo:x"])
def test_nothing_is_offered_where_nothing_is_known(incomplete: str, site: Site) -> None:
    """A plugin that fails to load is no reason to complain in the midst of a line."""
    site.install("parrot", PARROT.replace("import asyncio", "import asyncioo"))
    assert offered(incomplete) == []


def test_every_command_that_takes_a_backend_completes_it() -> None:
    """No command is forgotten."""
    takers = [
        (name, parameter.type)
        for name, command in app.commands.items()
        for parameter in command.params
        if parameter.name == "backend"
    ]
    assert {"ask", "chat", "emulate", "models", "tokens"} <= {name for name, _ in takers}
    assert all(isinstance(kind, BackendType) for _, kind in takers)


def test_a_command_without_a_backend_is_left_alone() -> None:
    """Its parameters are what they were."""
    command = click.Command("x", params=[click.Option(["--file"])])
    offer_backends(command)
    assert command.params[0].type is click.STRING


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_written(shell: str, run: Run) -> None:
    """It calls the program by its name."""
    done = run("completion", shell)
    assert done.exit_code == 0
    assert f"_MODELPLUG_COMPLETE={shell}_complete" in done.stdout


def test_the_script_asks_the_program(site: Site) -> None:
    """In the way that shells do."""
    variables = {
        "_MODELPLUG_COMPLETE": "zsh_complete",
        "COMP_WORDS": "modelplug ask -b ech",
        "COMP_CWORD": "3",
    }
    assert ended(**variables).stdout == "plain\necho\n_\n"
