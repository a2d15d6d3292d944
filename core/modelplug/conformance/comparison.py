"""Two reports beside each other: which cells went from one verdict to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelplug.conformance.check import PROFILES, Profile
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.verdict import SEVERITY, Verdict

__all__ = ["Change", "Comparison", "compared"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A cell that isn't what it was.

    Attributes:
        name: check and direction.
        before, after: its verdicts; None where there is no such cell.
    """

    name: str
    before: Verdict | None
    after: Verdict | None

    @property
    def is_worse(self) -> bool:
        """Whether it is worse than it was; a cell that is new is worse if it is no pass."""
        before = _rank(self.before) if self.before else 0
        return self.after is not None and _rank(self.after) > before


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What differs.

    Attributes:
        changes: in the order of the newer report; what is gone comes last.
        before, after: the levels.
        backends: whose reports they are; two names where that is no one's progress.
    """

    changes: Sequence[Change]
    before: Profile | None
    after: Profile | None
    backends: Sequence[str] = ()

    @property
    def is_worse(self) -> bool:
        """Whether anything got worse, the level included."""
        return _height(self.after) < _height(self.before) or any(
            each.is_worse for each in self.changes
        )


def compared(old: Report, new: Report) -> Comparison:
    """What differs between an older report and a newer one."""
    before, after = _verdicts(old), _verdicts(new)
    names = [*after, *(name for name in before if name not in after)]
    changes = (Change(name=each, before=before.get(each), after=after.get(each)) for each in names)
    return Comparison(
        changes=tuple(each for each in changes if each.before != each.after),
        before=old.level,
        after=new.level,
        backends=tuple(dict.fromkeys((old.backend, new.backend))),
    )


def _verdicts(report: Report) -> dict[str, Verdict]:
    cells: list[Cell] = [*report.cells, *report.stale]
    return {_key(cell): cell.verdict for cell in cells}


def _key(cell: Cell) -> str:
    return f"{cell.name} in the baseline" if cell.verdict == "stale" else cell.name


def _rank(verdict: Verdict) -> int:
    """How bad it is; what isn't claimed is as good as what passes."""
    return max(SEVERITY.index(verdict) - SEVERITY.index("pass"), 0)


def _height(level: Profile | None) -> int:
    return -1 if level is None else PROFILES.index(level)
