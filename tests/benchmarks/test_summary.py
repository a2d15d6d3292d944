"""Medians and ratios."""

from __future__ import annotations

from benchmarks.summary import Spread, of_bare, of_ours, spread
from tests.benchmarks.cases import BARE, OURS, RESULTS, result


def test_a_spread_has_the_middle_and_both_ends() -> None:
    """Of the runs, in any order."""
    assert Spread(middle=3e-6, low=2e-6, high=4e-6) == spread(RESULTS[0], "cpu")


def test_what_no_run_has_measured_has_no_spread() -> None:
    """A metric that the system doesn't tell, or a subject that failed."""
    assert spread(RESULTS[0], "ended") is None
    assert spread(result(OURS), "cpu") is None


def test_ratios_are_of_the_medians() -> None:
    """To the bare library, and to ours."""
    assert [round(of_bare(RESULTS, each) or 0, 6) for each in RESULTS] == [0.5, 1.0, 15.0]
    assert [round(of_ours(RESULTS, each) or 0, 6) for each in RESULTS] == [0, 2.0, 30.0]


def test_without_the_other_there_is_no_ratio() -> None:
    """Ratios are of one run, so nothing stands in."""
    alone = [RESULTS[0], result(BARE, fault="gone")]
    assert of_bare(alone, alone[0]) is None
