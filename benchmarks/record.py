"""Everything that a run has measured, kept as JSON: to go on with it later, and to write of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.case import Case, Result

__all__ = ["Record"]

Facts = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What was measured so far.

    Attributes:
        machine: on what, as a table tells it.
        outcome: what each case's subjects have measured, in the catalogue's order.
    """

    machine: Facts
    outcome: Sequence[Sequence[Result]] = ()

    @property
    def names(self) -> set[str]:
        """The cases that were measured."""
        return {results[0].case.name for results in self.outcome}

    def having(self, results: Sequence[Result], catalogue: Sequence[Case]) -> Record:
        """The same with a case's results, in place of those it had."""
        by_name = {each[0].case.name: each for each in (*self.outcome, results)}
        found = (by_name.get(case.name) for case in catalogue)
        return replace(self, outcome=tuple(each for each in found if each))

    def on(self, machine: Facts) -> Record:
        """The same, gone on with: facts that have changed since are told one after the other."""
        facts = {name: _both(self.machine.get(name), machine[name]) for name in machine}
        return replace(self, machine={**self.machine, **facts})

    def to_json(self) -> str:
        """Every reading, by case and subject."""
        cases = {
            results[0].case.name: {
                each.subject.name: {"readings": each.readings, "fault": each.fault}
                for each in results
            }
            for results in self.outcome
        }
        return json.dumps({"machine": self.machine, "cases": cases}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, catalogue: Iterable[Case]) -> Record:
        """What ``to_json`` told, but for cases that have others for subjects now, or have gone.

        Raises:
            ValueError: it is something else.
        """
        told = json.loads(text)
        if not isinstance(told, dict) or told.keys() != {"machine", "cases"}:
            raise ValueError("no readings of benchmarks")
        found = ((case, told["cases"].get(case.name)) for case in catalogue)
        outcome = tuple(_results(case, each) for case, each in found if each and _fits(case, each))
        return cls(machine=told["machine"], outcome=outcome)

    def keep(self, path: Path) -> None:
        """Write it to a file, which is whole at any moment."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_text(self.to_json(), "utf-8")
        new.replace(path)


def _both(before: str | None, now: str) -> str:
    if before is None or now in before.split("; "):
        return before or now
    return f"{before}; {now}"


def _fits(case: Case, told: Mapping[str, Any]) -> bool:
    return told.keys() == {each.name for each in case.subjects}


def _results(case: Case, told: Mapping[str, Any]) -> tuple[Result, ...]:
    return tuple(
        Result(
            case=case,
            subject=each,
            readings=tuple(told[each.name]["readings"]),
            fault=told[each.name]["fault"],
        )
        for each in case.subjects
    )
