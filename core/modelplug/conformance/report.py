"""What a run found, as plain values: every form of report is made of them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NoReturn

from pydantic import TypeAdapter, ValidationError

from modelplug.capabilities import Support
from modelplug.conformance.check import AREAS, PROFILES, Check, Profile
from modelplug.conformance.conditions import RUNS, Conditions
from modelplug.conformance.sides import SIDES, Side
from modelplug.conformance.verdict import FAILURES, SEVERITY, Verdict
from modelplug.errors import WrongUseError

__all__ = ["SCHEMA", "Cell", "Report", "ReportError", "catalogue", "worst"]

SCHEMA = 2
"""The version of what ``to_dict`` gives."""

_LONGEST = 1000
"""Characters of a text that a cell keeps: some scripts say megabytes."""


class ReportError(WrongUseError):
    """What should be a report isn't one, or is one of another version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One check in one direction.

    Attributes:
        check: its id.
        direction: which way of asking; ``-`` for what isn't a call.
        verdict: what came of it.
        told: what happened, where it isn't a pass.
        seconds: how long it took.
        script: what the service was told to do, in words.
        timeline: what the service saw, a line each connection.
        ended: how the last connection ended: ``client fin``; empty where there was none.
    """

    check: str
    direction: str
    verdict: Verdict
    told: str = ""
    seconds: float = 0.0
    script: Sequence[str] = ()
    timeline: Sequence[str] = ()
    ended: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "told", _short(self.told))
        object.__setattr__(self, "script", tuple(map(_short, self.script)))
        object.__setattr__(self, "timeline", tuple(map(_short, self.timeline)))

    @property
    def name(self) -> str:
        """The check and the direction: ``STR-01[async]``."""
        return self.check if self.direction == "-" else f"{self.check}[{self.direction}]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a run found about one backend.

    Attributes:
        backend, distribution, version: who was checked.
        checks: the rules, all of them that were looked at.
        cells: what came of each, in the order of the catalogue.
        asked: the level up to which everything was looked at; None where checks or directions
            were left out, of which no level can follow.
        stale: what the baseline expects and what isn't so any more.
        conditions: how the run was made.
        not_scored: the ids of checks that aren't in the requirement set: they are shown, and
            count neither for the level nor for the status.
        claims: what the plugin claims of the model that was checked, by capability.
    """

    backend: str
    distribution: str
    version: str
    checks: Sequence[Check]
    cells: Sequence[Cell]
    asked: Profile | None = "complete"
    stale: Sequence[Cell] = ()
    conditions: Conditions = field(default_factory=Conditions)
    not_scored: Sequence[str] = ()
    claims: Mapping[str, Support] = field(default_factory=dict)

    def of(self, check: str) -> list[Cell]:
        """The cells of a check."""
        return [cell for cell in self.cells if cell.check == check]

    def reached(self, profile: Profile) -> bool:
        """Whether the level is reached: all MUSTs up to it, and for ``complete`` the SHOULDs."""
        if self.asked is None or PROFILES.index(profile) > PROFILES.index(self.asked):
            return False
        below = PROFILES[: PROFILES.index(profile) + 1]
        wanted = {
            each.id: each.must
            for each in self.checks
            if each.profile in below and self.scores(each.id)
        }
        strict = profile == "complete"
        return all(
            _is_good(cell, must=strict or wanted[cell.check])
            for cell in self.cells
            if cell.check in wanted
        )

    @property
    def level(self) -> Profile | None:
        """The highest level that is reached with all below it."""
        reached = None
        for profile in PROFILES:
            if not self.reached(profile):
                break
            reached = profile
        return reached

    @property
    def is_sure(self) -> bool:
        """Whether the level was seen often enough: from resilient on, that is three times."""
        timed = self.level in PROFILES[PROFILES.index("resilient") :]
        return not timed or self.conditions.repeat >= RUNS

    @property
    def sides(self) -> list[Side]:
        """The side badges: what is claimed, and passes in every check and direction."""
        if self.asked != PROFILES[-1]:
            return []
        return [
            side
            for side, group in SIDES.items()
            if self.claims.get(group.capability) in ("native", "emulated")
            and self._pass(group.checks)
        ]

    def _pass(self, checks: Collection[str]) -> bool:
        cells = [each for each in self.cells if each.check in checks and self.scores(each.check)]
        return bool(cells) and all(cell.verdict == "pass" for cell in cells)

    def scores(self, check: str) -> bool:
        """Whether a check counts: the requirement set has it."""
        return check not in self.not_scored

    def fails(self, cell: Cell) -> bool:
        """Whether a cell fails the run."""
        if cell.verdict in ("stale", "harness"):
            return True
        bad = cell.verdict in FAILURES or (cell.verdict == "warn" and self.conditions.strict)
        return bad and self.scores(cell.check)

    @property
    def status(self) -> int:
        """Exit status: 0 conformant, 1 failures, 3 the harness is at fault."""
        verdicts = {cell.verdict for cell in self.failures}
        if "harness" in verdicts:
            return 3
        return 1 if verdicts else 0

    @property
    def failures(self) -> list[Cell]:
        """The cells that fail the run, those of the baseline at the end."""
        return [cell for cell in (*self.cells, *self.stale) if self.fails(cell)]

    @property
    def remarks(self) -> list[Cell]:
        """The cells that fail no run, and are no pass either."""
        good = ("pass", "n/a")
        return [each for each in self.cells if each.verdict not in good and not self.fails(each)]

    def again(self, cell: Cell) -> str:
        """The command that looks at one cell alone, as it was looked at."""
        dist = self.conditions.dist
        backend = f"{self.backend}@{dist}" if dist else self.backend
        command = ["modelplug", "conformance", backend]
        if not cell.check.startswith("HAR-"):  # those are looked at in any case
            command += ["--only", cell.check]
        if cell.direction != "-":
            command += ["--direction", cell.direction]
        command += self.conditions.options
        if cell.verdict == "flaky":
            command += ["--repeat", str(self.conditions.repeat)]
        return shlex.join(command)

    def to_dict(self) -> Mapping[str, object]:
        """The report as JSON has it; the same run gives the same order."""
        return {
            "schema": SCHEMA,
            "backend": self.backend,
            "distribution": self.distribution,
            "version": self.version,
            "conditions": asdict(self.conditions),
            "asked": self.asked,
            "level": self.level,
            "sure": self.is_sure,
            "sides": self.sides,
            "claims": dict(sorted(self.claims.items())),
            "checks": [asdict(_rule(each)) for each in self.checks],
            "not_scored": [*self.not_scored],
            "cells": [asdict(cell) for cell in self.cells],
            "stale": [asdict(cell) for cell in self.stale],
        }

    @classmethod
    def from_dict(cls, told: object) -> Report:
        """The report that ``to_dict`` gave; its checks can't look any more.

        Raises:
            ReportError: it is of another schema, or no report.
        """
        schema = told.get("schema") if isinstance(told, Mapping) else None
        if schema is None:
            raise ReportError("this is no report of the conformance kit")
        if schema != SCHEMA:
            raise ReportError(
                f"the report's schema is {schema!r}, and this modelplug reads {SCHEMA}",
                hint="write it again with this modelplug",
            )
        try:
            read = _ADAPTER.validate_python(told)
        except ValidationError as invalid:
            first = invalid.errors()[0]
            where = ".".join(map(str, first["loc"]))
            broken = f"the report is broken at {where}: {first['msg']}"
        else:
            return cls._of(read)
        raise ReportError(broken)

    @classmethod
    def _of(cls, read: _Read) -> Report:
        report = cls(
            backend=read.backend,
            distribution=read.distribution,
            version=read.version,
            checks=tuple(map(_check, read.checks)),
            cells=tuple(read.cells),
            asked=read.asked,
            stale=tuple(read.stale),
            conditions=read.conditions,
            not_scored=tuple(read.not_scored),
            claims=read.claims,
        )
        unknown = {cell.check for cell in report.cells} - {each.id for each in report.checks}
        if unknown:
            raise ReportError(f"the report has cells of checks it doesn't list: {min(unknown)}")
        return report


def worst(cells: Iterable[Cell]) -> Verdict:
    """The worst verdict of some cells; ``n/a`` of none."""
    return max((cell.verdict for cell in cells), key=SEVERITY.index, default="n/a")


def catalogue(reports: Iterable[Report]) -> list[Check]:
    """All checks of some reports, as the catalogue orders them."""
    found = {check.id: check for report in reports for check in report.checks}
    areas = list(AREAS.values())
    return sorted(found.values(), key=lambda each: (areas.index(each.area), each.id))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    id: str
    area: str
    title: str
    rule: str
    must: bool
    profile: Profile
    revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    backend: str
    distribution: str
    version: str
    conditions: Conditions
    asked: Profile | None
    claims: dict[str, Support]
    checks: list[_Rule]
    not_scored: list[str]
    cells: list[Cell]
    stale: list[Cell]


_ADAPTER = TypeAdapter(_Read)


def _short(text: str) -> str:
    """``text``, or its beginning and how long it is; what is short stays so when it is read."""
    if len(text) <= _LONGEST:
        return text
    more = f"… ({len(text)} characters)"
    return text[: _LONGEST - len(more)] + more


def _is_good(cell: Cell, *, must: bool) -> bool:
    return cell.verdict in ("pass", "n/a") or (not must and cell.verdict in ("warn", "xfail"))


def _rule(check: Check) -> _Rule:
    return _Rule(
        id=check.id,
        area=check.area,
        title=check.title,
        rule=check.rule,
        must=check.must,
        profile=check.profile,
        revision=check.revision,
    )


def _check(rule: _Rule) -> Check:
    if rule.id.partition("-")[0] not in AREAS:
        raise ReportError(f"the report has a check of no known area: {rule.id}")
    return Check(
        id=rule.id,
        title=rule.title,
        rule=rule.rule,
        must=rule.must,
        profile=rule.profile,
        directions=(),
        needs=None,
        look=_looks_no_more,
        twin=None,
        revision=rule.revision,
    )


def _looks_no_more(_: object) -> NoReturn:
    raise ReportError("a check that was read from a report can't be made again")
