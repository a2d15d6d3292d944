"""What a report says in a line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelplug.conformance.conditions import Conditions
from modelplug.conformance.headline import circumstances, extent, level, runs, sides, versions
from modelplug.conformance.report import Report
from modelplug.conformance.verdict import Verdict
from tests.core.conformance.samples import MADE, cell, report


def seen(verdict: Verdict = "pass", *, repeat: int = 3) -> Report:
    """A report of so many runs."""
    found = report(cell("GEN-01", verdict=verdict))
    return replace(found, conditions=replace(found.conditions, repeat=repeat))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (seen(), "complete"),
        (seen(repeat=1), "complete (one run; --repeat 3 to be sure)"),
        (seen(repeat=2), "complete (2 runs; --repeat 3 to be sure)"),
        (replace(seen(repeat=1), asked="core"), "core"),
        (seen("fail", repeat=1), "none"),
    ],
    ids=["sure", "one run", "two runs", "core", "none"],
)
def test_a_level_says_how_sure_it_is(found: Report, told: str) -> None:
    """If it takes several runs to be sure."""
    assert level(found) == told


def test_an_extent_has_the_time_that_passed() -> None:
    """On the wall; where nobody looked there, what all cells took is called that."""
    assert extent(seen()) == "1 checks, 1 cells, 12.0 s"
    told = "1 checks, 1 cells, 0.2 s of all processes together"
    assert extent(replace(seen(), seconds=0.0)) == told


def test_runs_are_counted() -> None:
    """In words."""
    assert [runs(seen(repeat=each)) for each in (1, 3)] == ["one run", "3 runs"]


def test_side_badges_have_names() -> None:
    """With commas between."""
    found = report(cell("FEA-16"), cell("FEA-17"), cell("FEA-19"))
    claims = {"reasoning": "native", "images": "emulated"}
    assert sides(replace(found, claims=claims)) == "Reasoning, Vision"  # type: ignore[arg-type]  # they are
    assert sides(found) == ""


def test_versions_are_of_set_kit_and_plugin() -> None:
    """What isn't known is left out."""
    assert versions(seen()) == ["set 2026.1", "kit 0.1.0", "acme 1.5"]
    assert versions(replace(seen(), conditions=Conditions())) == ["acme 1.5"]


def test_circumstances_are_a_line() -> None:
    """Strictness is said where there was any."""
    assert MADE.endswith(circumstances(seen()))
    bare = replace(seen(), conditions=Conditions(strict=True))
    assert circumstances(bare) == "quantum 0.25 s, one run, strict"
