"""Goals, and where others are better."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.case import METRICS, Answer, Result
from benchmarks.catalogue import CASES, case_of
from benchmarks.goals import GOALS, Goal, goals, others
from tests.benchmarks.cases import BARE, CASE, OURS, PEER, RESULTS, result

AIM = Goal(told="CPU", case="made-up", metric="cpu", of="bare", most=0.65)


def row(goal: Goal, *outcome: list[Result]) -> str:
    """The last line of the table."""
    return goals(outcome, [goal]).splitlines()[-1]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: str(goal.told))
def test_a_goal_is_held_against_what_a_case_measures(goal: Goal) -> None:
    """Its cases, subjects and metric are there; else it would never be met, nor missed."""
    case = case_of(goal.case)
    names = {subject.name for subject in case.subjects}
    assert {goal.subject, goal.of or goal.subject} <= names
    assert goal.metric in METRICS.keys() & {*case.shows}
    assert not goal.shorter or case_of(goal.shorter) in CASES


def test_a_ratio_is_the_median_of_those_of_single_runs() -> None:
    """What disturbs both in one run changes nothing, where the ratio of medians would be 0.5."""
    ours, bare = result(OURS, 2e-6, 6e-6, 3e-6), result(BARE, 6e-6, 15e-6, 6e-6)
    assert row(AIM, [ours, bare]) == "| CPU | 0.65 | 0.40 (0.33 – 0.50) | yes |"  # noqa: RUF001


def test_a_goal_that_is_missed_says_so() -> None:
    """By however little."""
    assert row(AIM, [result(OURS, 4.1e-6), result(BARE, 6e-6)]).endswith("| 0.68 | **no** |")


def test_a_small_share_is_told_as_one_of_so_many() -> None:
    """As it is spoken of."""
    aim = replace(AIM, of="<peer>", most=1 / 14)
    outcome = [RESULTS[0], result(PEER, 45e-6, 45e-6, 45e-6)]
    assert row(aim, outcome) == "| CPU | 1/14 | 1/15 (1/22.5 – 1/11.3) | yes |"  # noqa: RUF001


def test_counts_are_held_by_the_worst_run() -> None:
    """One stream that fails in one run is a failure."""
    aim = Goal(told="threads", case="made-up", metric="threads", most=1)
    ours = result(OURS, 1e-6, 1e-6, 1e-6)
    worse = replace(ours, readings=({"threads": 2.0}, *ours.readings[1:]))
    assert row(aim, [ours]) == "| threads | 1 | 1 | yes |"
    assert row(aim, [worse]) == "| threads | 1 | 1 (1 – 2) | **no** |"  # noqa: RUF001


def test_answers_of_two_lengths_are_compared_whole() -> None:
    """Four times the deltas at the same cost for each are four times the cost."""
    lengths = {"short": 5_000, "long": 20_000}
    short, long = (
        replace(CASE, name=name, answer=Answer(wire="spark", deltas=lengths[name]))
        for name in lengths
    )
    outcome = [[replace(result(OURS, 2e-6), case=each)] for each in (short, long)]
    aim = Goal(told="growth", case="long", metric="cpu", shorter="short", most=4.2)
    assert row(aim, *outcome) == "| growth | 4.20 | 4.00 | yes |"


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    """Without who it is compared with, or what. Goals of cases that weren't run aren't told of."""
    for outcome in ([RESULTS[0], result(BARE, fault="gone")], [RESULTS[0]], [*RESULTS[1:]]):
        assert row(AIM, outcome) == "| CPU | 0.65 | not measured | – |"  # noqa: RUF001
    assert "CPU" not in row(AIM)


def test_who_is_better_is_told() -> None:
    """By the first metric of a table; ours aren't others."""
    mine = replace(OURS, name="modelplug, observer", ours="modelplug")
    told = others([[RESULTS[0], result(BARE, 1e-6), RESULTS[2], result(mine, 1e-6)]])
    assert told.splitlines()[-1] == "| Made up | bare | CPU 0.50 |"
    assert "modelplug, observer" not in told
    assert "<peer>" not in told


def test_nobody_is_better_in_silence() -> None:
    """A list that is empty says that it is."""
    assert others([RESULTS]).endswith("Nobody was.\n")
