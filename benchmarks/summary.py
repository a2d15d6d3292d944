"""Medians, spreads and ratios of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.case import Result

__all__ = ["Spread", "multiple", "of_bare", "of_ours", "spread"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A metric over the runs: the middle one, the least and the most."""

    middle: float
    low: float
    high: float


def spread(result: Result, metric: str) -> Spread | None:
    """A metric over a result's runs; None if no run has measured it."""
    values = [reading[metric] for reading in result.readings if metric in reading]
    if not values:
        return None
    return Spread(middle=median(values), low=min(values), high=max(values))


def multiple(result: Result, of: Result, metric: str) -> Spread | None:
    """A metric as a multiple of another subject's, run by run.

    Runs took turns, so that what disturbs one mostly disturbs the other, too.
    """
    pairs = zip(result.readings, of.readings, strict=False)  # who fails isn't run again
    ratios = [
        one[metric] / other[metric] for one, other in pairs if metric in one and other.get(metric)
    ]
    if not ratios:
        return None
    return Spread(middle=median(ratios), low=min(ratios), high=max(ratios))


def of_bare(results: Sequence[Result], result: Result) -> float | None:
    """The case's first metric, as a multiple of the bare library's in the same run."""
    return _ratio(results, result, result.subject.beside)


def of_ours(results: Sequence[Result], result: Result) -> float | None:
    """The same as a multiple of ours; None for what is compared with no other of ours."""
    return _ratio(results, result, result.subject.ours)


def _ratio(results: Sequence[Result], result: Result, beside: str | None) -> float | None:
    theirs = next((each for each in results if each.subject.name == beside), None)
    times = multiple(result, theirs, result.case.headline) if theirs else None
    return times.middle if times else None
