"""What a run found, as plain values: every form of report is made of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modelplug.capabilities import Support
from modelplug.conformance.check import AREAS, PROFILES, Profile, Rule
from modelplug.conformance.conditions import RUNS, Conditions
from modelplug.conformance.sides import SIDES, Side
from modelplug.conformance.verdict import FAILURES, SEVERITY, Verdict

__all__ = ["Cell", "Report", "alike", "catalogue", "named", "worst"]

_LONGEST = 1000
"""Characters of a text that a cell keeps: some scripts say megabytes."""

_BODY = re.compile(r"""(?<![A-Za-z0-9])b?(['"])(?P<said>.*?)\1|[^\s'"]{101,}""", re.DOTALL)
"""What a service says: it stands in quotes, which apostrophes aren't, or has no blank."""

_READABLE = 100
"""Characters of such a thing that can be read."""

_BEGINNING = 70
"""Those that are kept of more."""


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
        seconds: how long the run took, by the wall's clock and all repeats together; 0 where
            that isn't known.
    """

    backend: str
    distribution: str
    version: str
    checks: Sequence[Rule]
    cells: Sequence[Cell]
    asked: Profile | None = "complete"
    stale: Sequence[Cell] = ()
    conditions: Conditions = field(default_factory=Conditions)
    not_scored: Sequence[str] = ()
    claims: Mapping[str, Support] = field(default_factory=dict)
    seconds: float = 0.0

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
        if not self.cells or wanted.keys() - {cell.check for cell in self.cells}:
            return False  # nothing follows of what nobody looked at
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

    def again(self, cell: Cell, *others: Cell) -> str:
        """The command that looks at one cell alone, or at others of its check too, as before."""
        dist = self.conditions.dist
        backend = f"{self.backend}@{dist}" if dist else self.backend
        command = ["modelplug", "conformance", backend]
        if not cell.check.startswith("HAR-"):  # those are looked at in any case
            command += ["--only", cell.check]
        for each in (cell, *others):
            if each.direction != "-":
                command += ["--direction", each.direction]
        command += self.conditions.options
        if cell.verdict == "flaky":
            command += ["--repeat", str(self.conditions.repeat)]
        return shlex.join(command)


def alike(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Cells by what there is to say of them: those of a check that say the same are together."""
    groups: dict[tuple[str, Verdict, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.check, cell.verdict, cell.told), []).append(cell)
    return [*groups.values()]


def named(cells: Sequence[Cell]) -> str:
    """Cells of one check in a word: ``STR-01[async, sync]``."""
    ways = [cell.direction for cell in cells if cell.direction != "-"]
    return f"{cells[0].check}[{', '.join(ways)}]" if ways else cells[0].check


def worst(cells: Iterable[Cell]) -> Verdict:
    """The worst verdict of some cells; ``n/a`` of none."""
    return max((cell.verdict for cell in cells), key=SEVERITY.index, default="n/a")


def catalogue(reports: Iterable[Report]) -> list[Rule]:
    """All checks of some reports, as the catalogue orders them."""
    found = {check.id: check for report in reports for check in report.checks}
    areas = list(AREAS.values())
    return sorted(found.values(), key=lambda each: (areas.index(each.area), each.id))


def _short(text: str) -> str:
    """``text`` without long bodies, or its beginning and how long it is; again it stays so."""
    text = _BODY.sub(_begun, text)
    if len(text) <= _LONGEST:
        return text
    more = f"… ({len(text)} characters)"
    return text[: _LONGEST - len(more)] + more


def _begun(found: re.Match[str]) -> str:
    """What was found, or of a long body its beginning and how long it is."""
    body = found[0] if found["said"] is None else found["said"]
    if len(body) <= _READABLE:
        return found[0]
    return found[0].replace(body, f"{body[:_BEGINNING]}… ({len(body)} characters)")


def _is_good(cell: Cell, *, must: bool) -> bool:
    return cell.verdict in ("pass", "n/a") or (not must and cell.verdict in ("warn", "xfail"))
