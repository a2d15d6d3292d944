from __future__ import annotations

from dataclasses import replace

from modelplug.conformance.comparison import Change, compared
from tests.core.conformance.samples import cell, report


def test_the_same_have_no_differences() -> None:
    """Nothing is worse."""
    found = compared(report(cell("GEN-01")), report(cell("GEN-01")))
    assert (found.changes, found.is_worse) == ((), False)


def test_a_failure_is_worse_than_a_pass() -> None:
    """The level goes too."""
    found = compared(report(cell("GEN-01")), report(cell("GEN-01", verdict="fail")))
    assert found.changes == (Change(name="GEN-01[async]", before="pass", after="fail"),)
    assert (found.before, found.after, found.is_worse) == ("complete", None, True)


def test_a_pass_is_better_than_a_failure() -> None:
    """And what isn't claimed is as good."""
    better = compared(report(cell("GEN-01", verdict="fail")), report(cell("GEN-01")))
    same = compared(report(cell("GEN-01")), report(cell("GEN-01", verdict="n/a")))
    assert not better.is_worse
    assert len(same.changes) == 1
    assert not same.is_worse


def test_what_is_new_or_gone_is_told() -> None:
    """What is gone comes last."""
    found = compared(report(cell("GEN-01")), report(cell("GEN-02")))
    names = [(each.name, each.before, each.after) for each in found.changes]
    assert names == [("GEN-02[async]", None, "pass"), ("GEN-01[async]", "pass", None)]
    assert not found.is_worse


def test_a_lower_level_is_worse() -> None:
    """Even if no cell is."""
    good = report(cell("GEN-01"))
    assert compared(good, replace(good, asked="core")).is_worse


def test_whose_reports_they_are_is_known() -> None:
    """Those of two backends aren't one's progress."""
    one, other = report(cell("GEN-01")), report(cell("GEN-01"), backend="parrot")
    assert compared(one, one).backends == ("acme",)
    assert compared(one, other).backends == ("acme", "parrot")


def test_a_stale_entry_is_a_change() -> None:
    """It stands beside the cell of its check."""
    good = report(cell("GEN-01", "-"))
    found = compared(good, replace(good, stale=(cell("GEN-01", "-", "stale"),)))
    assert [each.name for each in found.changes] == ["GEN-01 in the baseline"]
    assert found.is_worse
