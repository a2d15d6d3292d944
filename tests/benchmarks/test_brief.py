"""What a run comes to."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.brief import brief
from benchmarks.case import Result
from benchmarks.catalogue import case_of
from tests.benchmarks.cases import RESULTS

SPARK = ("spark-deltas-5000", "spark-requests", "spark-streams-1000")


def measured(name: str) -> list[Result]:
    """Made-up readings of a case that there is."""
    readings = {"cpu": 2.0}
    results = []
    for each in RESULTS:
        theirs = {key: value * len(each.subject.name) for key, value in readings.items()}
        results.append(replace(each, case=case_of(name), readings=(theirs,)))
    return results


def test_others_are_told_as_multiples_of_ours() -> None:
    """One row for each who is compared with ours, one column for each case."""
    told = brief([measured(name) for name in SPARK])
    assert told.startswith("| Spark: multiples of ours | CPU, a delta | CPU, a request |")
    assert "| bare | 0.44 | 0.44 | 0.44 |" in told
    assert "| modelplug |" not in told


def test_who_was_not_measured_gets_a_dash() -> None:
    """In the column of that case."""
    results = [measured(name) for name in SPARK]
    results[1] = [each for each in results[1] if each.subject.name != "bare"]
    assert "| bare | 0.44 | \u2013 | 0.44 |" in brief(results)


def test_a_wire_that_was_not_measured_whole_has_no_table() -> None:
    """Half of one would say little."""
    assert brief([measured(name) for name in SPARK[:2]]) == ""
