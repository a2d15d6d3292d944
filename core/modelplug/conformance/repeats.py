"""Several runs of the same checks, as one report: what differs between them is flaky."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from modelplug.conformance.report import Cell, Report
from modelplug.conformance.verdict import SEVERITY

__all__ = ["merged"]


def merged(reports: Sequence[Report]) -> Report:
    """One report of several runs that looked at the same.

    Raises:
        ValueError: they have different cells.
    """
    columns = zip(*(report.cells for report in reports), strict=True)
    conditions = replace(reports[0].conditions, repeat=len(reports))
    return replace(
        reports[0],
        cells=tuple(map(_merged, columns)),
        conditions=conditions,
        seconds=sum(report.seconds for report in reports),
    )


def _merged(cells: Iterable[Cell]) -> Cell:
    """What was the worst; flaky if it wasn't always so, but for a harness at fault."""
    runs = list(cells)
    if len({(cell.check, cell.direction) for cell in runs}) > 1:
        raise ValueError(f"the runs aren't of the same checks: {runs[0].name} is {runs[-1].name}")
    worst = max(runs, key=lambda cell: SEVERITY.index(cell.verdict))
    verdicts = [cell.verdict for cell in runs]
    if len(set(verdicts)) == 1 or worst.verdict == "harness":
        return worst
    told = f"{', '.join(verdicts)} in {len(runs)} runs; {worst.told}"
    return replace(worst, verdict="flaky", told=told)
