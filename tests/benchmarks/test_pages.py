"""What is written of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.catalogue import CASES
from benchmarks.pages import PAGE, as_json, fill, report, write
from tests.benchmarks.cases import RESULTS

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {"cores": "2"}
MARKED = "before\n<!-- benchmark: {} -->\nold\n<!-- end of benchmark -->\nafter\n"


def test_the_page_shows_every_case() -> None:
    """A new case isn't forgotten, and one that has gone leaves no mark."""
    page = (ROOT / "docs" / PAGE).read_text("utf-8")
    marks = re.findall(r"<!-- benchmark: (.*) -->", page)
    expected = {"machine", "spark-growth", *(case.name for case in CASES)}
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
    """The page's part, its picture, and every reading."""
    (tmp_path / PAGE).write_text(MARKED.format("made-up"), "utf-8")
    write(tmp_path, MACHINE, [RESULTS])
    assert "![Made up](performance/made-up.svg)" in (tmp_path / PAGE).read_text("utf-8")
    assert (tmp_path / "performance" / "made-up.svg").exists()
    read = json.loads((tmp_path / "performance" / "results.json").read_text("utf-8"))
    assert read == json.loads(as_json(MACHINE, [RESULTS]))
    taken = read["cases"]["made-up"]["modelplug"]["readings"]
    assert [each["cpu"] for each in taken] == [2e-6, 4e-6, 3e-6]


def test_a_report_begins_with_the_machine() -> None:
    """Figures of one machine don't carry to another."""
    told = report(MACHINE, [RESULTS])
    assert told.index("| cores | 2 |") < told.index("### Made up")
