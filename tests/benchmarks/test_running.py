"""That the programs work: next to no work, and nothing about how long it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.case import Answer, Case, Subject
from benchmarks.catalogue import CASES, case_of
from benchmarks.running import NOT_INSTALLED, Runner


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_a_case_measures_what_it_shows(case: Case) -> None:
    """Each subject of this environment gives every metric of its table, from one short run."""
    runner = Runner(peers=False)
    for result in runner.results(case.tiny(), 1):
        if result.fault == NOT_INSTALLED:
            assert result.subject.foreign
            continue
        assert (result.fault, len(result.readings)) == ("", 1)
        for reading in result.readings:
            assert set(case.shows) <= reading.keys()
            assert reading.get("failed", 0) == 0


def test_a_subject_that_fails_says_why_and_is_not_run_again() -> None:
    """The others are measured all the same."""
    case = case_of("startup-command").tiny()
    broken = Subject(name="broken", makes="raise SystemExit('no way')", beside="broken")
    results = Runner(peers=False).results(replace(case, subjects=(broken, case.subjects[1])), 2)
    assert [(each.fault, len(each.readings)) for each in results] == [("no way", 0), ("", 2)]


def test_a_subject_that_never_ends_is_ended() -> None:
    """No process outlives the limit."""
    case = case_of("startup-command").tiny()
    endless = Subject(name="endless", makes="import time; time.sleep(600)", beside="endless")
    runner = Runner(peers=False, limit=0.1)
    [result] = runner.results(replace(case, subjects=(endless,)), 1)
    assert (result.fault, result.readings) == ("not done within 0.1 s", ())


def test_nobody_is_measured_without_a_server() -> None:
    """What else there is to measure isn't lost by it."""
    case = case_of("openai-requests").tiny()
    answer = Answer(wire="openai", deltas=0)  # which can't be made
    results = Runner(peers=False).results(replace(case, answer=answer), 1)
    assert {each.fault for each in results} == {"its server didn't start"}


def test_slow_subjects_are_asked_less_often() -> None:
    """But never more often than the others."""
    case = replace(case_of("spark-requests"), asks=10, fewer={"modelplug": 3})
    assert [case.asks_of(each) for each in case.subjects[:2]] == [3, 10]
    assert [replace(case, asks=2).asks_of(each) for each in case.subjects[:2]] == [2, 2]


def test_a_subject_that_tells_nothing_has_failed() -> None:
    """Though it ends well."""
    case = case_of("spark-deltas-1000").tiny()
    leaving = Subject(name="leaving", makes="tests.benchmarks.hasty:leave", beside="leaving")
    [result] = Runner(peers=False).results(replace(case, subjects=(leaving,)), 1)
    assert result.fault == "it told nothing"


def test_an_answer_that_is_not_whole_is_no_reading() -> None:
    """A client that loses text isn't fast."""
    case = case_of("spark-deltas-1000").tiny()
    hasty = Subject(name="hasty", makes="tests.benchmarks.hasty:Hasty", beside="hasty")
    [result] = Runner(peers=False).results(replace(case, subjects=(hasty,)), 1)
    assert result.fault == "ValueError: 8 characters came instead of 40"
