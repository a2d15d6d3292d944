"""What came of a run of the conformance kit, in lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from modelplug.conformance.check import AREAS
from modelplug.conformance.comparison import Comparison
from modelplug.conformance.failuretext import failure
from modelplug.conformance.headline import circumstances, extent, level, sides, versions
from modelplug.conformance.report import Cell, Report, alike, named
from modelplug.conformance.verdict import GLYPHS, SEVERITY

__all__ = ["differences", "summary"]


def summary(report: Report) -> list[str]:
    """A line for each area, what there is to say of each failure, and the level."""
    against = ", ".join([*versions(report)[:-1], circumstances(report)])
    lines = [f"{report.backend}: {report.distribution} {report.version}", against, ""]
    lines += _areas(report)
    if reasons := dict.fromkeys(_reasons(report)):
        lines += ["", *reasons]
    for cells in (*alike(report.remarks), *alike(report.failures)):
        lines += ["", *_told(report, cells)]
    return [*lines, "", *_beside(report), _verdict(report)]


def differences(comparison: Comparison) -> list[str]:
    """A line for each cell that changed, and one for the level; two backends are named first."""
    others = [f"these are two backends: {' and '.join(comparison.backends)}"]
    lines = others if len(comparison.backends) > 1 else []
    lines += [
        f"{each.name}: {each.before or 'not there'} -> {each.after or 'not there'}"
        f"{' (worse)' if each.is_worse else ''}"
        for each in comparison.changes
    ]
    if comparison.before != comparison.after:
        before, after = comparison.before or "none", comparison.after or "none"
        lines.append(f"level: {before} -> {after}")
    return lines or ["no differences"]


def _areas(report: Report) -> Iterator[str]:
    area_of = {check.id: check.area for check in report.checks}
    counts = Counter((area_of[cell.check], cell.verdict) for cell in report.cells)
    for area in AREAS.values():
        told = [
            f"{GLYPHS[verdict]} {counts[area, verdict]} {verdict}"
            for verdict in SEVERITY
            if counts[area, verdict]
        ]
        if told:
            yield f"{area:<15}{'   '.join(sorted(told, key=_passes_first))}"


def _passes_first(told: str) -> bool:
    return not told.endswith("pass")


def _reasons(report: Report) -> Iterator[str]:
    """Why something isn't applicable, once for all directions in which it is so."""
    for cell in report.cells:
        if cell.verdict == "n/a":
            yield f"{GLYPHS['n/a']} {cell.check} n/a: {cell.told}"


def _told(report: Report, cells: Sequence[Cell]) -> Iterator[str]:
    """What there is to say of cells that are alike; a line of what the baseline has told."""
    cell, name = cells[0], named(cells)
    glyph = GLYPHS[cell.verdict]
    if cell.verdict == "stale":
        yield f"{glyph} {name} STALE: {cell.told}"
        return
    if cell.verdict == "xfail":
        yield f"{glyph} {name} xfail: {cell.told}"
        return
    check = next(each for each in report.checks if each.id == cell.check)
    lines = failure(check, cell, again=report.again(*cells), name=name)
    yield f"{glyph} {next(lines)}{'' if report.scores(cell.check) else ' (not scored)'}"
    yield from lines


def _verdict(report: Report) -> str:
    told = extent(report)
    failed = f"{len(report.failures)} failed" if report.failures else "nothing failed"
    if report.status == 3:
        return f"{told}: the harness is at fault, so the run says nothing of the plugin"
    if report.asked is None:
        return f"{told}: {failed}; no level, as not everything was looked at"
    return f"{told}: {failed}; level: {level(report)}"


def _beside(report: Report) -> Iterator[str]:
    if report.not_scored:
        yield f"not in the set, so not scored: {', '.join(report.not_scored)}"
    if report.sides:
        yield f"side badges: {sides(report)}"
