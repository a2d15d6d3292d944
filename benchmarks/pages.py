"""What is written of a run: one table for reading, JSON for programs, pictures, and the docs' page.

In a page of the docs, what comes from a run stands between two marks, and the rest is by hand::

    <!-- benchmark: spark-deltas-5000 -->
    <!-- end of benchmark -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.brief import brief
from benchmarks.goals import goals, others
from benchmarks.plot import bars
from benchmarks.record import Record
from benchmarks.table import growth, markdown, table
from benchmarks.themes.deltas import LENGTHS

__all__ = ["PAGE", "READINGS", "README", "fill", "report", "sections", "write"]

PAGE = "performance.md"
README = "README.md"
"""Beside a folder of docs; what it all comes to stands there, too."""
PICTURES = "performance"
READINGS = f"{PICTURES}/results.json"
"""Where a folder of docs has every reading."""

_MARKED = re.compile(
    r"(<!-- benchmark: ([a-z0-9-]+) -->\n)(.*?)(<!-- end of benchmark -->)", re.DOTALL
)


def sections(record: Record, *, pictures: bool = False) -> dict[str, str]:
    """What can be told of a run, by name: the machine, each case, how cost grows, and goals."""
    told = {"machine": markdown(["machine", ""], record.machine.items())}
    for results in record.outcome:
        case = results[0].case
        shown = f"\n![{case.title}]({PICTURES}/{case.name}.svg)\n"
        told[case.name] = table(results) + (shown if pictures and case.drawn else "")
    by_name = {results[0].case.name: results for results in record.outcome}
    shorter, longer = (by_name.get(f"spark-deltas-{each}") for each in sorted(LENGTHS)[1:])
    if shorter and longer:
        told["spark-growth"] = growth(shorter, longer)
    for name, tell in (("brief", brief), ("goals", goals), ("others", others)):
        told[name] = tell(record.outcome)
    return told


def report(record: Record) -> str:
    """The whole run, in Markdown."""
    return "\n".join(sections(record).values())


def fill(page: str, told: Mapping[str, str]) -> str:
    """A page with its marked parts as they should be.

    Raises:
        KeyError: it wants something that the run hasn't.
    """
    return _MARKED.sub(lambda found: f"{found[1]}\n{told[found[2]]}\n{found[4]}", page)


def write(docs: Path, record: Record) -> None:
    """Write the marked parts of the page and of the README, the pictures, and all readings."""
    told = sections(record, pictures=True)
    for page in (docs / PAGE, docs.parent / README):
        page.write_text(fill(page.read_text("utf-8"), told), "utf-8")
    record.keep(docs / READINGS)
    folder = docs / PICTURES
    for results in record.outcome:
        if results[0].case.drawn:
            (folder / f"{results[0].case.name}.svg").write_text(bars(results), "utf-8")
