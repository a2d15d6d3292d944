"""What a report is held against."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from modelplug.conformance.baseline import Baseline, Expected
from modelplug.conformance.requirements import NEWEST, RequirementSet
from modelplug.conformance.standard import Standard
from tests.core.conformance.samples import cell, report


def expecting(check: str) -> Baseline:
    """A baseline with one entry."""
    entry = Expected(check=check, reason="so", url="https://x.example", expires=date.max)
    return Baseline(xfail=(entry,))


def test_a_report_is_held_against_set_and_baseline() -> None:
    """What isn't in the one doesn't count; what is in the other is expected."""
    wanted = RequirementSet(name="x", frozen=True, revisions={"GEN-01": 1})
    standard = replace(Standard.of(expecting("GEN-01")), requirements=wanted)
    held = standard.held(report(cell("GEN-01", verdict="fail"), cell("GEN-02", verdict="fail")))
    assert [each.verdict for each in held.cells] == ["xfail", "fail"]
    assert (held.not_scored, held.status, held.conditions.set) == (("GEN-02",), 0, "x")


def test_what_is_expected_in_vain_is_stale() -> None:
    """Also where there is no such check."""
    standard = Standard.of(expecting("GEN-99"))
    assert standard.requirements.name == NEWEST
    assert [each.told for each in standard.held(report(cell("GEN-01"))).stale] == [
        "the baseline expects it to fail (so), but there is no such check"
    ]


def test_a_set_that_there_is_not_is_refused() -> None:
    """By its name."""
    with pytest.raises(ValueError, match=r"no requirement set"):
        Standard.of(Baseline(), set_name="1999.1")
