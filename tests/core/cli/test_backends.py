from __future__ import annotations

import json

import pytest

from modelplug.cli import backends
from tests.core.cli.conftest import Run
from tests.core.cli.distributions import PARROT, Site

BREAKS = "raise KeyError('ACME_HOME')"


@pytest.fixture(autouse=True)
def only_made_up_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which real backends this environment has is of no concern here."""
    monkeypatch.setenv("MODELPLUG_BACKENDS", "broken,parrot")


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output says that it is a terminal, 80 columns wide."""
    monkeypatch.setattr(backends, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_pipe_gets_a_line_for_each(run: Run, site: Site) -> None:
    """Name, distribution and version, with tabs between and nothing around."""
    site.install("parrot")
    site.install("broken", BREAKS)
    done = run("backends")
    assert done.stdout == "broken\tacme-broken\t1.5\nparrot\tacme-parrot\t1.5\n"
    assert (done.exit_code, done.stderr) == (0, "")


def test_listing_imports_no_plugin(run: Run, site: Site) -> None:
    """One that would end the process is listed like any other."""
    site.install("broken", "import os; os._exit(7)")
    assert run("backends", "--json").exit_code == 0


def test_json_is_a_list_of_objects(run: Run, site: Site) -> None:
    """Each has what the metadata tells."""
    site.install("parrot")
    expected = [{"name": "parrot", "distribution": "acme-parrot", "version": "1.5"}]
    assert json.loads(run("backends", "--json").stdout) == expected


def test_check_tells_which_work(run: Run, site: Site) -> None:
    """One that doesn't makes the status 1, and says why."""
    site.install("parrot")
    site.install("broken", BREAKS)
    done = run("backends", "--check")
    broken, parrot = (line.split("\t") for line in done.stdout.splitlines())
    assert parrot[3:] == ["ok", "native: streaming; emulated: system_role; has an emulator"]
    assert broken[3] == "failed"
    assert broken[4].startswith("PluginLoadError: the plugin of acme-broken 1.5 raised KeyError")
    assert "cause: KeyError: 'ACME_HOME' (" in broken[4]
    assert "; hint: " in broken[4]
    assert (done.exit_code, done.stderr) == (1, "")


def test_check_of_those_that_work_is_status_0(run: Run, site: Site) -> None:
    """With JSON, every capability has its state."""
    site.install("parrot", PARROT.replace('emulator=f"{__name__}:ParrotEmulator",', ""))
    done = run("backends", "--check", "--json")
    (record,) = json.loads(done.stdout)
    assert (done.exit_code, record["status"], record["error"]) == (0, "ok", None)
    assert record["emulator"] is False
    assert record["capabilities"]["streaming"] == "native"
    assert record["capabilities"]["temperature"] == "not_implemented"


def test_a_plugin_that_dies_has_no_error_of_its_own(run: Run, site: Site) -> None:
    """What is known is how its process ended."""
    site.install("broken", "import os; os._exit(7)")
    told = "died\tits process ended itself with exit status 7\n"
    assert run("backends", "--check").stdout.endswith(told)


def test_two_of_one_name_are_a_warning(run: Run, site: Site) -> None:
    """Asking for one of them by name alone would be refused: the remedy is said."""
    site.install("parrot")
    site.install("parrot", dist="other-parrot")
    done = run("backends")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == (
        "warning: 'parrot' is brought by acme-parrot and by other-parrot: "
        "write parrot@acme-parrot, or uninstall one\n"
    )


def test_none_installed_is_said(run: Run, site: Site) -> None:
    """Standard output is empty, standard error says how plugins are called."""
    done = run("backends")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "modelplug-NAME" in done.stderr


@pytest.mark.usefixtures("on_a_terminal")
def test_a_terminal_gets_a_table(run: Run, site: Site) -> None:
    """With a heading, and in columns."""
    site.install("parrot")
    head, row = (line.split() for line in run("backends").stdout.splitlines())
    assert head == ["backend", "distribution", "version"]
    assert row == ["parrot", "acme-parrot", "1.5"]


@pytest.mark.usefixtures("on_a_terminal")
def test_details_stand_in_the_last_column(run: Run, site: Site) -> None:
    """Where there is room for them."""
    site.install("parrot")
    head, row, *_ = run("backends", "--check").stdout.splitlines()
    assert head.split() == ["backend", "distribution", "version", "status", "details"]
    assert row.split() == ["parrot", "acme-parrot", "1.5", "ok", "native:", "streaming"]


@pytest.mark.usefixtures("on_a_terminal")
def test_details_stand_below_a_narrow_table(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 40 columns nothing is broken inside words, and no line is longer."""
    monkeypatch.setenv("COLUMNS", "40")
    site.install("broken", BREAKS)
    lines = run("backends", "--check").stdout.splitlines()
    assert lines[0].split() == ["backend", "distribution", "version", "status"]
    assert lines[2:4] == ["", "broken"]
    assert lines[4].startswith("PluginLoadError: the plugin of")
    assert max(map(len, lines)) <= 40


@pytest.mark.usefixtures("on_a_terminal")
def test_markup_and_control_characters_are_text(run: Run, site: Site) -> None:
    """Metadata can neither colour the table nor move the cursor."""
    site.install("parrot", dist="[red]\x1b[31m")
    assert "[red]\\x1b[31m" in run("backends").stdout
