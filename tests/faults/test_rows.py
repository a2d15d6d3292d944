"""The table of faults is complete, and no row of it is without cells or reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.rows import COLLECTED, ROWS, WAYS

ROOT = Path(__file__).resolve().parents[2]

SECTIONS = {path.name for path in Path(__file__).parent.glob("test_*.py")}


def test_every_fault_has_its_row() -> None:
    """They count from 1 to 110."""
    assert [*ROWS] == [*range(1, 111)]


def test_every_row_says_what_and_where() -> None:
    """In a few words, and by a phase."""
    assert all(row.says and row.phase for row in ROWS.values())


def test_no_row_is_without_cells_or_reason() -> None:
    """What no test shows says why, and what a test shows isn't said to be left out."""
    if not COLLECTED.keys() >= SECTIONS:
        return  # only some of them are run: that tells nothing of the others
    shown = {row for cells in COLLECTED.values() for row, _, _ in cells}
    by_others = {number for number, row in ROWS.items() if row.by}
    left_out = {number for number, row in ROWS.items() if row.left_out}
    assert shown | by_others == ROWS.keys() - left_out


def _shown() -> dict[int, dict[str, set[str]]]:
    """By rows and those who are asked, the ways in which the tests of this folder ask."""
    shown: dict[int, dict[str, set[str]]] = {}
    for module in SECTIONS & COLLECTED.keys():
        for row, way, subject in COLLECTED[module]:
            shown.setdefault(row, {}).setdefault(subject, set()).add(way)
    return shown


def test_everybody_is_asked_in_all_ways_or_there_is_a_reason() -> None:
    """The matrix is the whole product; a reason that is none any more is no reason."""
    if not COLLECTED.keys() >= SECTIONS:
        return  # as above
    lacking = {
        row
        for row, subjects in _shown().items()
        if any(not ways >= {*WAYS} for ways in subjects.values())
    }
    assert lacking == {number for number, row in ROWS.items() if row.ways}


def test_somebody_else_is_asked_or_there_is_a_reason() -> None:
    """What holds for one client alone may be that client's own doing."""
    if not COLLECTED.keys() >= SECTIONS:
        return  # as above
    alone = {row for row, subjects in _shown().items() if len(subjects) < 2}
    assert alone <= {number for number, row in ROWS.items() if row.only}


@pytest.mark.parametrize(
    ("number", "module"), [(number, module) for number, row in ROWS.items() for module in row.by]
)
def test_who_else_shows_a_row_says_so(number: int, module: str) -> None:
    """The module is there, and marked."""
    assert f"@pytest.mark.fault({number}," in (ROOT / module).read_text(encoding="utf-8")
