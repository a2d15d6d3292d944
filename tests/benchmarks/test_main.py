"""The command line: what is run, and what is kept of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.case import METRICS, Case, Result
from benchmarks.catalogue import CASES
from benchmarks.pages import PAGE, READINGS, README
from benchmarks.record import Record
from benchmarks.running import Runner

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = CASES[0].name, CASES[1].name


def measured(case: Case) -> list[Result]:
    """One reading of each subject, made up."""
    reading = dict.fromkeys(METRICS, 1.0)
    return [Result(case=case, subject=each, readings=(reading,)) for each in case.subjects]


def record(*, without: str = "") -> Record:
    """All cases but one."""
    outcome = tuple(tuple(measured(case)) for case in CASES if case.name != without)
    return Record(machine={"cores": "2"}, outcome=outcome)


def asked(monkeypatch: pytest.MonkeyPatch, *, fails: str = "") -> list[str]:
    """The names of the cases that are run from now on; one of them ends everything."""
    names: list[str] = []

    def results(runner: Runner, case: Case, runs: int) -> list[Result]:
        del runner, runs
        if case.name == fails:
            raise KeyboardInterrupt
        names.append(case.name)
        return measured(case)

    monkeypatch.setattr(Runner, "results", results)
    return names


def test_pages_are_written_of_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without running anything."""
    names = asked(monkeypatch)
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs" / PAGE, docs)
    shutil.copy(ROOT / README, tmp_path)
    record().keep(tmp_path / "kept.json")
    assert main(["--from", str(tmp_path / "kept.json"), "--docs", str(docs)]) == 0
    page = (docs / PAGE).read_text("utf-8")
    assert (names, "| cores | 2 |" in page) == ([], True)
    assert "No run has been written" not in page
    assert record().to_json() == (docs / READINGS).read_text("utf-8")


def test_what_is_lacking_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is taken as it was, and all of it kept."""
    names = asked(monkeypatch)
    kept = tmp_path / "kept.json"
    record(without=SECOND).keep(kept)
    assert main(["--from", str(kept), "--json", str(kept)]) == 0
    assert names == [SECOND]
    assert Record.from_json(kept.read_text("utf-8"), CASES).outcome == record().outcome


def test_what_is_asked_for_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it was kept."""
    names = asked(monkeypatch)
    record().keep(tmp_path / "kept.json")
    assert main(["--from", str(tmp_path / "kept.json"), "--only", FIRST]) == 0
    assert names == [FIRST]


def test_a_run_that_breaks_off_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the page's readings belong, too."""
    asked(monkeypatch, fails=SECOND)
    paths = [tmp_path / "kept.json", tmp_path / READINGS]
    with pytest.raises(KeyboardInterrupt):
        main(["--json", str(paths[0]), "--docs", str(tmp_path)])
    kept = [Record.from_json(path.read_text("utf-8"), CASES).names for path in paths]
    assert kept == [{FIRST}, {FIRST}]


@pytest.mark.parametrize("given", [["--only", FIRST], ["--quick"], ["--no-peers"]])
def test_a_page_of_half_a_run_is_not_written(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stand beside a machine and a day that it isn't of."""
    names = asked(monkeypatch)
    with pytest.raises(SystemExit):
        main([*given, "--docs", str(tmp_path)])
    assert (names, [*tmp_path.iterdir()]) == ([], [])


@pytest.mark.parametrize("runs", ["5, quick", "5, without peers", "5; 1, quick, without peers"])
@pytest.mark.parametrize("again", [[], ["--only", FIRST]])
def test_a_page_of_what_was_not_kept_whole_is_not_written(
    runs: str, again: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record tells what it left out, also when whole runs follow."""
    names = asked(monkeypatch)
    kept, docs = tmp_path / "kept.json", tmp_path / "docs"
    record().on({"runs": runs}).keep(kept)
    with pytest.raises(SystemExit):
        main(["--from", str(kept), *again, "--docs", str(docs)])
    assert (names, docs.exists()) == ([], False)


@pytest.mark.parametrize("text", [None, "nonsense"])
def test_what_can_not_be_gone_on_with_is_said(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that isn't there, or is something else."""
    path = tmp_path / "kept.json"
    if text:
        path.write_text(text, "utf-8")
    with pytest.raises(SystemExit):
        main(["--from", str(path)])
    assert "error: " in capsys.readouterr().err
