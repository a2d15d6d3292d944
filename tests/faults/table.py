"""The table of the fault matrix, printed at the end of a run: see tests/conftest.py."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.faults.rows import COLLECTED, ROWS, WAYS, Cell, cells_of

_shown: dict[int, set[Cell]] = defaultdict(set)

_SEARCHED = ("searched", "forms", "hits")

_searches: list[dict[str, int]] = []
"""What was searched for secrets, by test: see no_secret_out."""


@pytest.hookimpl(tryfirst=True)  # before anything is deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note on each test which cells it shows, so that its report can tell."""
    for item in items:
        cells = cells_of(item)
        item.user_properties += [("fault", cell) for cell in sorted(cells)]
        COLLECTED.setdefault(item.path.name, set()).update(cells)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the cells of a test that has passed."""
    if report.when == "call" and report.passed:
        for name, cell in report.user_properties:
            if name == "fault" and isinstance(cell, list | tuple):  # as it comes from a process
                _shown[int(cell[0])].add((int(cell[0]), str(cell[1]), str(cell[2])))
    if report.when == "teardown":
        told = dict(report.user_properties)
        if "searched" in told:
            _searches.append({name: int(str(told[name])) for name in _SEARCHED})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the rows, how many cells of each were shown, and what is left out and why."""
    if not _shown:
        return
    out = terminalreporter
    out.section("fault matrix")
    for number, row in ROWS.items():
        told = row.left_out and f"left out: {row.left_out}"
        told = told or "; ".join(_ways(_shown[number])) or ", ".join(row.by)
        out.write_line(f"{number:>4} {len(_shown[number]):>3}  {row.says:<62} {told}")
        reasons = {
            "open": row.open,
            "not shown": row.lacks,
            "not in all ways": row.ways,
            "nobody else": row.only,
        }
        for what, why in reasons.items():
            if why:
                out.write_line(f"{'':>10}{what}: {why}")
    shown = sum(map(len, _shown.values()))
    left_out = sum(bool(row.left_out) for row in ROWS.values())
    is_open = sum(bool(row.open) for row in ROWS.values())
    out.write_line(
        f"{len(ROWS)} rows, {shown} cells shown, {left_out} rows left out, {is_open} open"
    )
    searched, forms, hits = (sum(each[name] for each in _searches) for name in _SEARCHED)
    out.write_line(
        f"{searched} outputs of {len(_searches)} tests searched for {forms} forms of their "
        f"secrets: {hits} hits"
    )


def _ways(cells: set[Cell]) -> list[str]:
    """Who was asked, and in which ways, where those aren't all four."""
    by_subject: dict[str, list[str]] = defaultdict(list)
    for _, way, subject in sorted(cells):
        by_subject[subject].append(way)
    return [
        subject if {*ways} >= {*WAYS} else f"{subject} ({', '.join(ways)})"
        for subject, ways in by_subject.items()
    ]
