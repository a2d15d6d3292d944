from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelplug.cli import profiles
from tests.core.cli.conftest import Run
from tests.core.cli.distributions import Site

PROFILES = """
default = "dev"
[profiles.dev]
backend = "parrot:7?delay=1"
[profiles.production]
backend = "spark:4.0Ultra"
api_key = "env:KEY"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with two profiles."""
    file = tmp_path / "modelplug.toml"
    file.write_text(PROFILES, encoding="utf-8")
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    return file


def test_a_pipe_gets_a_line_for_each(run: Run, file: Path) -> None:
    """Name, backend, file, and the mark of the default one, with tabs between."""
    done = run("profiles")
    expected = f"dev\tparrot:7\t{file}\tdefault\nproduction\tspark:4.0Ultra\t{file}\n"
    assert (0, expected, "") == (done.exit_code, done.stdout, done.stderr)


def test_json_is_a_list_of_objects(run: Run, file: Path) -> None:
    """With the same in it."""
    first, second = json.loads(run("profiles", "--json").stdout)
    assert first == {"name": "dev", "backend": "parrot:7", "file": str(file), "default": True}
    assert second["default"] is False


def test_a_terminal_gets_columns(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the file's name, with a star at the default one."""
    monkeypatch.setattr(profiles, "is_terminal", lambda: True)
    lines = run("profiles").stdout.splitlines()
    assert lines == [str(file), "* dev         parrot:7", "  production  spark:4.0Ultra"]


def test_no_file_is_said(run: Run) -> None:
    """On standard error, with where to read of it; a JSON list is empty."""
    done = run("profiles", "--json")
    assert (done.exit_code, done.stdout) == (0, "[]\n")
    assert "there is no modelplug.toml" in done.stderr


def test_a_file_without_profiles_is_said(run: Run, file: Path) -> None:
    """It is found, and has nothing."""
    file.write_text("", encoding="utf-8")
    done = run("profiles")
    assert ("", f"{file} has no profile\n") == (done.stdout, done.stderr)


def test_a_broken_file_is_a_failure(run: Run, file: Path) -> None:
    """In a line that names it, and one that helps."""
    file.write_text("oops\nno", encoding="utf-8")
    done = run("profiles")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"error: {file}, line 1" in done.stderr
    assert "\nhint: " in done.stderr


def test_a_profile_that_cannot_be_leaves_the_others_listed(run: Run, file: Path) -> None:
    """Its error is told as any, and so is the status."""
    file.write_text(f"{PROFILES}[profiles.new]\nbackend = 'echo'\ntimeouts = {{ totl = 3 }}\n")
    done = run("profiles")
    assert (done.exit_code, len(done.stdout.splitlines())) == (1, 2)
    assert f"error: {file}, profile new: timeouts: there is no 'totl'" in done.stderr
    assert "hint: did you mean total?" in done.stderr


def test_a_profile_of_several_backends_is_listed_with_all(run: Run, file: Path) -> None:
    """In turn, as they are asked."""
    file.write_text("[profiles.both]\nbackend = 'echo:x?delay=0 | echo:y'\n")
    assert run("profiles").stdout == f"both\techo:x | echo:y\t{file}\n"


def test_the_schema_knows_the_installed_backends(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is broken is left out, with a word on standard error."""
    monkeypatch.setenv("MODELPLUG_BACKENDS", "spark,broken")
    site.install("broken", "raise KeyError('ACME_HOME')")
    done = run("profiles", "--schema")
    (condition,) = json.loads(done.stdout)["$defs"]["profile"]["allOf"]
    assert "sequence" in condition["then"]["properties"]
    assert (done.exit_code, done.stderr.startswith("warning: the plugin of acme-brok")) == (0, True)
