from __future__ import annotations

import pytest

from tests.core.cli.conftest import Run
from tests.core.cli.distributions import Site


@pytest.mark.parametrize(
    "arguments",
    [(), ("parrot", "--port", "65536"), ("parrot", "--port", "-1"), ("parrot", "more")],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], run: Run) -> None:
    """It is said before any plugin is looked for."""
    done = run("emulate", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr


def test_a_backend_without_an_emulator_is_a_failure(run: Run) -> None:
    """The hint says how to see which have one."""
    done = run("emulate", "echo")
    assert (done.exit_code, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: echo of modelplug-echo ")
    assert error.endswith(" has no emulator")
    assert hint == "hint: 'modelplug backends --check' shows which backends have one"


def test_a_backend_without_an_emulator_may_have_a_siblings(run: Run) -> None:
    """That of another backend of the plugin is named, and how to get there."""
    done = run("emulate", "deepseek")
    assert done.exit_code == 1
    assert "hint: 'modelplug emulate openai' runs one of the same plugin;" in done.stderr
    assert "lead deepseek there by api_base and api_key" in done.stderr


def test_a_backend_that_is_not_there_is_a_failure(run: Run) -> None:
    """With the hint of every backend that isn't."""
    done = run("emulate", "eco")
    assert done.exit_code == 1
    assert "did you mean echo?" in done.stderr


def test_an_emulator_that_cannot_be_imported_is_a_failure(run: Run, site: Site) -> None:
    """The plugin's error is told like any other."""
    site.install("parrot", "import nothing_of_that_name")
    done = run("emulate", "parrot")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "needs the module nothing_of_that_name" in done.stderr
