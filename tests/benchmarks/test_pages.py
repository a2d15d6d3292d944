"""What is written of a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.catalogue import CASES
from benchmarks.pages import PAGE, READINGS, README, fill, report, write
from benchmarks.record import Record
from tests.benchmarks.cases import RESULTS

ROOT = Path(__file__).resolve().parents[2]
RECORD = Record(machine={"cores": "2"}, outcome=[RESULTS])
MARKED = "before\n<!-- benchmark: {} -->\nold\n<!-- end of benchmark -->\nafter\n"


def test_the_page_shows_every_case() -> None:
    """A new case isn't forgotten, and one that has gone leaves no mark."""
    page = (ROOT / "docs" / PAGE).read_text("utf-8")
    marks = re.findall(r"<!-- benchmark: (.*) -->", page)
    expected = {"machine", "spark-growth", "goals", "others", *(case.name for case in CASES)}
    assert (expected, len(expected)) == ({*marks}, len(marks))


def test_what_is_between_the_marks_is_renewed() -> None:
    """And nothing else; a second time it is the same."""
    page = fill(MARKED.format("made-up"), {"made-up": "new\n"})
    assert re.fullmatch(r"before\n.*\n\nnew\n\n<!-- end of benchmark -->\nafter\n", page)
    assert page == fill(page, {"made-up": "new\n"})


def test_a_page_that_wants_something_else_is_not_written() -> None:
    """Rather than with a table missing."""
    with pytest.raises(KeyError):
        fill(MARKED.format("unheard-of"), {"made-up": "new\n"})


def test_a_run_is_written_whole(tmp_path: Path) -> None:
    """The page's part and the README's, its picture, and every reading."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / PAGE).write_text(MARKED.format("made-up"), "utf-8")
    (tmp_path / README).write_text(MARKED.format("machine"), "utf-8")
    write(docs, RECORD)
    assert "![Made up](performance/made-up.svg)" in (docs / PAGE).read_text("utf-8")
    assert "| cores | 2 |" in (tmp_path / README).read_text("utf-8")
    assert (docs / "performance" / "made-up.svg").exists()
    assert RECORD.to_json() == (docs / READINGS).read_text("utf-8")


def test_a_report_begins_with_the_machine() -> None:
    """Figures of one machine don't carry to another. Goals come last: there a reader looks."""
    told = report(RECORD)
    parts = ["| cores | 2 |", "### Made up", "## What we aim at", "### Where others are better"]
    places = [told.index(each) for each in parts]
    assert sorted(places) == places
