"""What a report says in a line: the level, how sure that is, and what it was held against."""

from __future__ import annotations

from modelplug.conformance.conditions import RUNS
from modelplug.conformance.report import Report

__all__ = ["circumstances", "extent", "level", "runs", "sides", "versions"]


def level(report: Report) -> str:
    """The level that is reached, and what to do to be sure of it."""
    told = report.level or "none"
    if report.is_sure:
        return told
    return f"{told} ({runs(report)}; --repeat {RUNS} to be sure)"


def extent(report: Report) -> str:
    """How much was looked at, and how long that took.

    Where nobody looked at the clock it is what the cells took, which several processes share.
    """
    taken = f"{report.seconds:.1f} s"
    if not report.seconds:
        taken = f"{sum(cell.seconds for cell in report.cells):.1f} s of all processes together"
    return f"{len(report.checks)} checks, {len(report.cells)} cells, {taken}"


def runs(report: Report) -> str:
    """How often everything was looked at."""
    repeat = report.conditions.repeat
    return "one run" if repeat == 1 else f"{repeat} runs"


def sides(report: Report) -> str:
    """The side badges by name; empty where there is none."""
    return ", ".join(each.title() for each in report.sides)


def versions(report: Report) -> list[str]:
    """What has to be said with a level: set, kit and plugin."""
    made = report.conditions
    told = [f"set {made.set}"] if made.set else []
    told += [f"kit {made.kit}"] if made.kit else []
    return [*told, f"{report.backend} {report.version}"]


def circumstances(report: Report) -> str:
    """Where the run was made, and with which numbers."""
    made = report.conditions
    told = [each for each in (made.python, made.platform) if each]
    told += [] if made.seed is None else [f"seed {made.seed}"]
    told += [f"quantum {made.quantum:g} s", runs(report)]
    return ", ".join([*told, "strict"] if made.strict else told)
