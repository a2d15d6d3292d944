"""A report as Markdown, short enough for a comment on a change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from modelplug.conformance.check import AREAS
from modelplug.conformance.failuretext import hints
from modelplug.conformance.headline import circumstances, extent, level, sides
from modelplug.conformance.report import Cell, Report, alike, named
from modelplug.conformance.verdict import GLYPHS, SEVERITY

__all__ = ["markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#!&@])")


def markdown(report: Report) -> str:
    """The report: its level, a row for each area, and each failure folded up."""
    lines = [*_head(report), "", *_table(report), *_not_scored(report), *_failures(report)]
    return "\n".join(lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    reached = level(report) if report.level else "no level"
    yield f"## Conformance of {_text(report.backend)}: {_text(reached)}"
    yield ""
    told = f"{report.distribution} {report.version}"
    yield f"{_text(told)}: {extent(report)}."
    made = report.conditions
    against = f"Set {made.set}, kit {made.kit}; " if made.set else ""
    yield f"{_text(against + circumstances(report))}."
    if report.sides:
        yield f"Side badges: {sides(report)}."


def _table(report: Report) -> Iterator[str]:
    """Areas down, those verdicts across that there are."""
    area_of = {check.id: check.area for check in report.checks}
    counts = Counter((area_of[cell.check], cell.verdict) for cell in report.cells)
    shown = [each for each in SEVERITY if any(verdict == each for _, verdict in counts)]
    yield "| area | " + " | ".join(f"{GLYPHS[each]} {each}" for each in shown) + " |"
    yield "| --- |" + " ---: |" * len(shown)
    for area in AREAS.values():
        if any(each == area for each, _ in counts):
            yield (
                f"| {area} | " + " | ".join(str(counts[area, each] or "") for each in shown) + " |"
            )


def _not_scored(report: Report) -> Iterator[str]:
    if report.not_scored:
        yield ""
        listed = ", ".join(map(_text, report.not_scored))
        yield f"Not in the set, so not scored: {listed}."


def _failures(report: Report) -> Iterator[str]:
    rules = {check.id: check.rule for check in report.checks}
    for cells in alike(report.failures):
        cell = cells[0]
        yield ""
        yield f"<details><summary>{GLYPHS[cell.verdict]} <b>{_text(named(cells))}</b> "
        yield f"{cell.verdict}: {_text(cell.told)}</summary>"
        yield ""
        yield from _details(report, cells, rules.get(cell.check, ""))
        yield ""
        yield "</details>"


def _details(report: Report, cells: Sequence[Cell], rule: str) -> Iterator[str]:
    cell = cells[0]
    if rule:
        yield f"- rule: {_text(rule)}"
    yield from (f"- the service's script: {_text(each)}" for each in cell.script)
    yield from (f"- it saw: {_text(each)}" for each in cell.timeline)
    yield from (f"- if it is slow: {_text(each)}" for each in hints(cell))
    if cell.verdict != "stale":
        yield f"- again: `{report.again(*cells).replace('`', '')}`"


def _text(text: str) -> str:
    """``text`` on one line, as nothing but text."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
