"""Requirement sets: which checks a level asks for, so that the kit can grow and nobody falls back.

A set is a file in ``sets``: the ids of its checks and the revision of each. A check that isn't in
it is looked at and shown, and counts for nothing until the next set has it; so does one that has
become stricter since, and has a new revision.

The newest set grows with the kit until a release has it: ``make tables`` writes it, and a test
demands that it has every check. With the release, ``frozen`` is put to true, by hand; from then on
nothing writes it, and checks that are new wait for the next one. 2026.1 is frozen with modelplug
0.1.0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from modelplug.conformance.check import AREAS, Rule
from modelplug.conformance.report import Report

__all__ = ["NEWEST", "SETS", "RequirementSet", "requirement_set", "scored"]

SETS: Sequence[str] = ("2026.1",)
"""All sets, from the oldest to the newest."""

NEWEST = SETS[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementSet:
    """What conforming means.

    Attributes:
        name: the year, and a number within it.
        frozen: whether a release has it, so that it can't change any more.
        revisions: the ids of its checks, and the revision of each.
    """

    name: str
    frozen: bool
    revisions: Mapping[str, int]

    @classmethod
    def of(cls, name: str, checks: Iterable[Rule]) -> RequirementSet:
        """One that has these checks as they are now, and isn't frozen."""
        revisions = {each.id: each.revision for each in checks}
        return cls(name=name, frozen=False, revisions=revisions)

    def scores(self, check: Rule) -> bool:
        """Whether a check counts: it is in the set, and no stricter than the set has it."""
        return self.revisions.get(check.id) == check.revision

    def lacking(self, checks: Iterable[Rule]) -> list[str]:
        """What the set asks for and these checks can't look at: ``GEN-01@2``."""
        there = {each.id: each.revision for each in checks}
        return [
            f"{id}@{revision}"
            for id, revision in self.revisions.items()
            if there.get(id, 0) < revision
        ]

    def to_toml(self) -> Iterator[str]:
        """Its file, line by line."""
        yield f'set = "{self.name}"'
        yield f"frozen = {str(self.frozen).lower()}"
        yield ""
        yield "[checks] # and the revision of each"
        yield from (f"{id} = {revision}" for id, revision in self.revisions.items())


def requirement_set(name: str) -> RequirementSet:
    """The set of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in SETS:
        raise ValueError(f"there is no requirement set {name!r}")
    text = files("modelplug.conformance").joinpath("sets", f"{name}.toml").read_text("utf-8")
    told = tomllib.loads(text)
    return RequirementSet(name=told["set"], frozen=told["frozen"], revisions=told["checks"])


def scored(report: Report, requirements: RequirementSet) -> Report:
    """The report held against a set: the checks that aren't in it count no more.

    What the harness is asked is in no set: it is no requirement of a plugin's.
    """
    ours = (each for each in report.checks if each.area != AREAS["HAR"])
    return replace(
        report,
        conditions=replace(report.conditions, set=requirements.name),
        not_scored=tuple(each.id for each in ours if not requirements.scores(each)),
    )
