from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from modelplug.cli.conformance import _SETS
from modelplug.conformance.report import Report
from modelplug.conformance.reportfile import to_dict
from modelplug.conformance.requirements import SETS
from modelplug.registry import registry
from tests.core.cli.conftest import Run
from tests.core.conformance.conftest import PLUGIN
from tests.core.conformance.samples import cell, report
from tests.support.dists import install, on_path

NAMES = ("reference", "mutant-cumulativedeltas", "no-harness", "broken", "bad-harness")

BARE = """
from modelplug import Backend, hookimpl

HARNESS = 7

@hookimpl
def modelplug_backend(name):
    harness = {"bad-harness": f"{__name__}:HARNESS"}.get(name)
    return Backend(name=name, summary="made up", contract=1, client="x:Client", harness=harness)
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path) -> Iterator[None]:
    """The reference, a mutant, and those that can't be checked."""
    folder = tmp_path / "site"
    folder.mkdir()
    good = dict.fromkeys(NAMES[:2], "of_reference")
    bare = dict.fromkeys(("no-harness", "bad-harness"), "bare")
    install(folder, dist="acme-good", module="of_reference", source=PLUGIN, backends=good)
    install(folder, dist="acme-bare", module="bare", source=BARE, backends=bare)
    install(
        folder, dist="acme-broken", module="broken", source="1 / 0", backends={"broken": "broken"}
    )
    registry.cache_clear()
    with on_path(folder):
        yield
    registry.cache_clear()


def written(path: Path, *verdicts: str) -> str:
    """A JSON report with these verdicts on GEN-01, GEN-02 and so on."""
    cells = [
        cell(f"GEN-{number:02}", verdict=verdict)  # type: ignore[arg-type]  # of the table
        for number, verdict in enumerate(verdicts, 1)
    ]
    path.write_text(json.dumps(to_dict(report(*cells))))
    return str(path)


def test_a_backend_that_keeps_the_rule(run: Run) -> None:
    """The first word is the backend; status 0, the summary on standard output."""
    only = ("--only", "GEN-01", "--direction", "sync", "--seed", "7")
    done = run("conformance", "reference", *only)
    assert done.exit_code == 0, done.output
    name, made, _, area, *_ = done.stdout.splitlines()
    assert (name, area) == ("reference: acme-good 1.0", "Answers        ✓ 1 pass")
    assert made.startswith("set 2026.1, kit ")
    assert made.endswith(", seed 7, quantum 0.25 s, one run")
    assert "nothing failed; no level, as not everything was looked at" in done.stdout
    assert done.stderr == "Answers: 1 done\n"


def test_a_backend_that_breaks_it(run: Run) -> None:
    """Status 1, and all that its author needs."""
    only = ("--only", "STR-02", "--direction", "async-stream", "--quantum", "0.1", "--seed", "7")
    done = run("conformance", "run", "mutant-cumulativedeltas@acme-good", *only)
    told = done.stdout
    assert done.exit_code == 1
    assert "✗ STR-02[async-stream] fail: " in told
    labels = ("rule:", "what happened:", "the service:", "it saw:", "run it again:")
    assert all(f"\n    {label} " in told for label in labels)
    again = f"modelplug conformance mutant-cumulativedeltas@acme-good {' '.join(only)}\n"
    assert again in told


def test_every_form_of_report_is_written(run: Run, tmp_path: Path) -> None:
    """From one run."""
    forms = ("json", "junit", "markdown", "html", "badge")
    options = [text for form in forms for text in (f"--{form}", str(tmp_path / form))]
    done = run("conformance", "reference", "--only", "REG-01", *options)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "json").read_text())["backend"] == "reference"
    assert ET.parse(tmp_path / "junit").getroot().tag == "testsuites"  # noqa: S314  # our own
    assert (tmp_path / "markdown").read_text().startswith("## Conformance of reference")
    assert (tmp_path / "html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "badge").read_text())["schemaVersion"] == 1


def test_a_badge_may_be_a_picture(run: Run, tmp_path: Path) -> None:
    """Its file's name says so."""
    path = tmp_path / "badge.svg"
    run("conformance", "reference", "--only", "REG-01", "--badge", str(path))
    assert path.read_text().startswith("<svg")


def test_runs_may_be_repeated(run: Run) -> None:
    """They are one in the report."""
    done = run("conformance", "reference", "--only", "REG-01", "--repeat", "2")
    assert (done.exit_code, done.stderr) == (0, "Registration: 2 done\n")
    assert "1 checks, 1 cells" in done.stdout
    assert "quantum 0.25 s, 2 runs\n" in done.stdout


def test_a_seed_is_drawn_and_told(run: Run, tmp_path: Path) -> None:
    """So that the same run can be had again."""
    path = tmp_path / "a.json"
    done = run("conformance", "reference", "--only", "REG-01", "--json", str(path))
    seed = json.loads(path.read_text())["conditions"]["seed"]
    assert f", seed {seed}, " in done.stdout


def test_a_quick_look_gives_no_level(run: Run) -> None:
    """It is part of a run."""
    done = run("conformance", "reference", "--quick", "--only", "GEN-01")
    assert (done.exit_code, "quantum 0.1 s" in done.stdout) == (0, True)
    assert "1 cells" in done.stdout
    assert "no level, as not everything was looked at" in done.stdout


def test_strict_warnings_are_failures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1; without --strict the same is none."""

    def warned(*_: object, **__: object) -> Report:
        return report(cell("REG-01", "-", "warn", "hm"))

    monkeypatch.setattr("modelplug.cli.conformancerun.spread", warned)
    only = ("conformance", "reference", "--only", "REG-01")
    assert run(*only).exit_code == 0
    done = run(*only, "--strict")
    assert done.exit_code == 1
    assert "! REG-01 warn: title of REG-01" in done.stdout


def test_the_sets_to_choose_from_are_all() -> None:
    """The command line names them without importing the kit."""
    assert _SETS == SETS


@pytest.mark.parametrize(
    ("expires", "verdict", "status"), [("9999-01-01", "xfail", 0), ("2020-01-01", "STALE", 1)]
)
def test_a_baseline_expects_failures(
    run: Run, tmp_path: Path, expires: str, verdict: str, status: int
) -> None:
    """As long as it holds."""
    path = tmp_path / "conformance-baseline.toml"
    path.write_text(
        f'[[xfail]]\ncheck = "STR-02"\nreason = "known"\nurl = "u"\nexpires = {expires}\n'
    )
    only = ("--only", "STR-02", "--direction", "sync-stream", "--quantum", "0.1")
    done = run("conformance", "mutant-cumulativedeltas", *only, "--baseline", str(path))
    assert done.exit_code == status, done.output
    assert verdict in done.stdout


def test_the_list_has_every_check(run: Run) -> None:
    """Id, area, level, whether it must hold, and the rule; with tabs between."""
    done = run("conformance", "--list", "--level", "core")
    first, *others = (line.split("\t") for line in done.stdout.splitlines())
    assert first[:4] == ["REG-01", "Registration", "core", "MUST"]
    assert all(len(line) == 5 and line[2] == "core" for line in others)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere"),
        (["reference", "--only", "XXX-01"], "there is no check 'XXX-01'"),
        (["reference", "--only", "STR-01", "--level", "core"], "STR-01: not of the level core"),
        (["reference", "--only", "STR-01", "--direction", "sync"], "none of these checks is made"),
        (["reference", "--level", "best"], "'best' is not one of"),
        (["reference", "--set", "1999.1"], "'1999.1' is not"),
        (["reference", "--seed", "-1"], "-1 is not in the range"),
        (["reference", "--html", "no/such/folder.html"], "there is no folder 'no/such'"),
        (["reference", "--baseline", "no.toml"], "'no.toml' does not exist"),
        (["--level", "core"], "missing argument BACKEND"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, arguments: list[str], told: str) -> None:
    """Said before anything runs."""
    done = run("conformance", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stdout == ""


def test_a_broken_baseline_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    """The message says where it is broken."""
    path = tmp_path / "b.toml"
    path.write_text("[[xfail]]\n")
    done = run("conformance", "reference", "--baseline", str(path))
    assert done.exit_code == 2
    assert "baseline b.toml: xfail.0.check: Field required" in done.stderr


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("no-harness", "acme-bare 1.0 has no conformance harness for 'no-harness'"),
        ("bad-harness", "bare:HARNESS is no modelplug.conformance.Harness"),
    ],
)
def test_without_a_harness_nothing_is_said_of_the_plugin(run: Run, backend: str, told: str) -> None:
    """Status 3."""
    done = run("conformance", backend)
    assert done.exit_code == 3
    assert told in done.stderr


def test_a_plugin_that_cannot_be_loaded_is_a_failure(run: Run) -> None:
    """The plugin's own: status 1."""
    done = run("conformance", "broken")
    assert done.exit_code == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_distribution_may_be_named(run: Run) -> None:
    """Where several bring a backend of one name."""
    assert run("conformance", "reference@acme-good", "--only", "REG-01").exit_code == 0
    assert run("conformance", "reference@other", "--only", "REG-01").exit_code == 2


def test_reports_become_one_page(run: Run, tmp_path: Path) -> None:
    """Each is a column."""
    one, page = written(tmp_path / "a.json", "pass"), tmp_path / "matrix.html"
    assert run("conformance", "merge", one, one, "-o", str(page)).exit_code == 0
    assert page.read_text().count('class="backend"') == 2


def test_reports_are_compared(run: Run, tmp_path: Path) -> None:
    """Status 1 if anything got worse."""
    old = written(tmp_path / "old.json", "pass", "fail")
    new = written(tmp_path / "new.json", "fail", "pass")
    done = run("conformance", "compare", old, new)
    assert done.stdout.splitlines() == [
        "GEN-01[async]: pass -> fail (worse)",
        "GEN-02[async]: fail -> pass",
    ]
    assert done.exit_code == 1
    assert run("conformance", "compare", old, old).stdout == "no differences\n"
    assert run("conformance", "compare", old, old).exit_code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "this is no JSON"),
        ('{"schema": 99}', "schema is 99"),
        ('{"schema": 1}', "schema is 1, and this modelplug reads 2"),
    ],
)
def test_what_is_no_report_is_wrong_usage(run: Run, tmp_path: Path, text: str, told: str) -> None:
    """The message names the file."""
    path = tmp_path / "a.json"
    path.write_text(text)
    done = run("conformance", "compare", str(path), str(path))
    assert done.exit_code == 2
    assert f"{path}: " in done.stderr
    assert told in done.stderr


def test_help_tells_of_the_short_form(run: Run) -> None:
    """A backend isn't a command."""
    told = " ".join(run("conformance", "--help").stdout.split())
    assert '"modelplug conformance BACKEND" is short for' in told
    assert "Exit status:" in run("conformance", "run", "--help").stdout
