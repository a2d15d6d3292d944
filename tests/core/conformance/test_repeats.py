from __future__ import annotations

from dataclasses import replace

import pytest

from modelplug.conformance.repeats import merged
from tests.core.conformance.samples import cell, report


def test_runs_that_agree_are_one() -> None:
    """The verdict is theirs."""
    runs = [report(cell("GEN-01", verdict="fail", told="no")) for _ in range(3)]
    assert merged(runs) == replace(runs[0], seconds=36.0)
    assert merged(runs[:2]).conditions.repeat == 2


def test_what_differs_is_flaky() -> None:
    """What happened is that of the worst run."""
    runs = [report(cell("GEN-01")), report(cell("GEN-01", verdict="fail", told="too late"))]
    (found,) = merged(runs).cells
    assert (found.verdict, found.told) == ("flaky", "pass, fail in 2 runs; too late")


def test_a_harness_at_fault_stays_so() -> None:
    """Its run says nothing, be it one of many."""
    runs = [report(cell("GEN-01")), report(cell("GEN-01", verdict="harness"))]
    assert merged(runs).status == 3


def test_runs_of_other_checks_are_refused() -> None:
    """They can't be held against each other."""
    with pytest.raises(ValueError, match=r"GEN-01\[async\] is GEN-02\[async\]"):
        merged([report(cell("GEN-01")), report(cell("GEN-02"))])
