"""Reports made by hand, for what draws them."""

from __future__ import annotations

from modelplug.conformance.check import Check, Profile, Rule
from modelplug.conformance.conditions import Conditions
from modelplug.conformance.directions import ALL
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.verdict import Verdict

CONDITIONS = Conditions(
    set="2026.1",
    kit="0.1.0",
    python="CPython 3.11.7",
    platform="Linux x86_64",
    seed=7,
    repeat=3,
)
"""Those of a run that makes sure."""

MADE = "set 2026.1, kit 0.1.0, CPython 3.11.7, Linux x86_64, seed 7, quantum 0.25 s, 3 runs"
"""The same in a line."""


def rule(id: str, profile: Profile = "core", *, must: bool = True, title: str = "") -> Rule:
    """A rule."""
    return Rule(
        id=id,
        title=title or f"title of {id}",
        rule=f"The rule of {id} holds.",
        must=must,
        profile=profile,
    )


def check(id: str) -> Check:
    """A check of a call that finds nothing."""
    return Check(
        id=id,
        title=f"title of {id}",
        rule=f"The rule of {id} holds.",
        must=True,
        profile="core",
        directions=ALL,
        needs=None,
        look=lambda _: None,
        twin=None,
    )


def cell(
    check: str, direction: str = "async", verdict: Verdict = "pass", told: str = "", ended: str = ""
) -> Cell:
    """A cell with a script and a timeline."""
    return Cell(
        check=check,
        direction=direction,
        verdict=verdict,
        told=told,
        seconds=0.25,
        script=("says 'Hel', Gate('more')",),
        timeline=("connection 0: asked 1 times, 80 bytes out, 0.100 s, ended by the client, fin",),
        ended=ended,
    )


def report(*cells: Cell, checks: tuple[Rule, ...] = (), backend: str = "acme") -> Report:
    """A report of some cells; their checks are of the level core, unless they are given."""
    ids = dict.fromkeys(each.check for each in cells)
    return Report(
        backend=backend,
        distribution=f"modelplug-{backend}",
        version="1.5",
        checks=checks or tuple(rule(id) for id in ids),
        cells=cells,
        conditions=CONDITIONS,
        seconds=12.0,
    )
