"""What is written of a run: one table for reading, JSON for programs, pictures, and the docs' page.

In a page of the docs, what comes from a run stands between two marks, and the rest is by hand::

    <!-- benchmark: spark-deltas-5000 -->
    <!-- end of benchmark -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.case import Result
from benchmarks.plot import bars
from benchmarks.table import growth, markdown, table
from benchmarks.themes.deltas import LENGTHS

__all__ = ["as_json", "fill", "report", "sections", "write"]

PAGE = "performance.md"
PICTURES = "performance"

_MARKED = re.compile(
    r"(<!-- benchmark: ([a-z0-9-]+) -->\n)(.*?)(<!-- end of benchmark -->)", re.DOTALL
)


def sections(
    machine: Mapping[str, str], outcome: Sequence[Sequence[Result]], *, pictures: bool = False
) -> dict[str, str]:
    """What can be told of a run, by name: the machine, each case, and how cost grows."""
    told = {"machine": markdown(["machine", ""], machine.items())}
    for results in outcome:
        case = results[0].case
        shown = f"\n![{case.title}]({PICTURES}/{case.name}.svg)\n"
        told[case.name] = table(results) + (shown if pictures and case.drawn else "")
    by_name = {results[0].case.name: results for results in outcome}
    shorter, longer = (by_name.get(f"spark-deltas-{each}") for each in sorted(LENGTHS)[1:])
    if shorter and longer:
        told["spark-growth"] = growth(shorter, longer)
    return told


def report(machine: Mapping[str, str], outcome: Sequence[Sequence[Result]]) -> str:
    """The whole run, in Markdown."""
    return "\n".join(sections(machine, outcome).values())


def as_json(machine: Mapping[str, str], outcome: Sequence[Sequence[Result]]) -> str:
    """Every reading, by case and subject."""
    cases = {
        results[0].case.name: {
            each.subject.name: {"readings": each.readings, "fault": each.fault} for each in results
        }
        for results in outcome
    }
    return json.dumps({"machine": machine, "cases": cases}, indent=1) + "\n"


def fill(page: str, told: Mapping[str, str]) -> str:
    """A page with its marked parts as they should be.

    Raises:
        KeyError: it wants something that the run hasn't.
    """
    return _MARKED.sub(lambda found: f"{found[1]}\n{told[found[2]]}\n{found[4]}", page)


def write(docs: Path, machine: Mapping[str, str], outcome: Sequence[Sequence[Result]]) -> None:
    """Write the page's marked parts, the pictures beside it, and all readings."""
    page = docs / PAGE
    told = sections(machine, outcome, pictures=True)
    page.write_text(fill(page.read_text("utf-8"), told), "utf-8")
    folder = docs / PICTURES
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(as_json(machine, outcome), "utf-8")
    for results in outcome:
        if results[0].case.drawn:
            (folder / f"{results[0].case.name}.svg").write_text(bars(results), "utf-8")
