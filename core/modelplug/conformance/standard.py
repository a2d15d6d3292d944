"""What a report is held against: a requirement set, and what is known to fail."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from modelplug.conformance.baseline import Baseline, apply
from modelplug.conformance.report import Report
from modelplug.conformance.requirements import NEWEST, RequirementSet, requirement_set, scored
from modelplug.conformance.runner import all_checks

__all__ = ["Standard"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standard:
    """What counts.

    Attributes:
        requirements: the set that says which checks count.
        baseline: what is expected to fail.
        known: the ids of all checks that there are.
        today: the day on which the baseline's entries are still good, or not.
    """

    requirements: RequirementSet
    baseline: Baseline
    known: Collection[str]
    today: date

    @classmethod
    def of(cls, baseline: Baseline, *, set_name: str = NEWEST) -> Standard:
        """Today's, by a set of this name.

        Raises:
            ValueError: there is no such set.
        """
        return cls(
            requirements=requirement_set(set_name),
            baseline=baseline,
            known=frozenset(each.id for each in all_checks()),
            today=date.today(),  # noqa: DTZ011  # the user's
        )

    def held(self, report: Report) -> Report:
        """The report, with what doesn't count, what was expected, and what is stale."""
        found = scored(report, self.requirements)
        return apply(found, self.baseline, known=self.known, today=self.today)
