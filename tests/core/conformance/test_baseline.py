from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from modelplug.conformance.baseline import Baseline, BaselineError, Expected, apply, read
from modelplug.conformance.report import Report
from modelplug.conformance.verdict import Verdict
from tests.core.conformance.samples import cell, report

TODAY = date(2027, 3, 1)

TEXT = """
[[xfail]]
check = "FLT-09"
directions = ["sync"]
reason = "the SDK caps frames"
url = "https://acme.example/1"
expires = 2027-03-01
"""


def applied(found: Report, *, today: date = TODAY, **changes: Any) -> Report:
    """A report with one expectation."""
    fields = {"check": "FLT-09", "reason": "known", "url": "u", "expires": TODAY, **changes}
    baseline = Baseline(xfail=(Expected.model_validate(fields),))
    return apply(found, baseline, known={"FLT-09", "FLT-10"}, today=today)


def test_a_file_is_read(tmp_path: Path) -> None:
    """All of its fields."""
    path = tmp_path / "conformance-baseline.toml"
    path.write_text(TEXT)
    expected = Expected(
        check="FLT-09",
        directions=("sync",),
        reason="the SDK caps frames",
        url="https://acme.example/1",
        expires=TODAY,
    )
    assert read(path).xfail == (expected,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[xfail", "baseline b.toml: "),
        (TEXT.replace("reason", "reasons"), "xfail.0.reason: Field required"),
        (TEXT.replace('"the SDK caps frames"', '""'), "xfail.0.reason: "),
        (TEXT + "owner = 'me'\n", "xfail.0.owner: Extra inputs"),
        (TEXT.replace("2027-03-01", "'soon'"), "xfail.0.expires: "),
        ('[[xfail]]\ncheck = "A"', r"reason: .*url: .*expires: .*\(an entry has check, reason"),
        (f"a = {'[' * 10**5}", "nested too deep"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    """Where it is broken, in one line."""
    path = tmp_path / "b.toml"
    path.write_text(text)
    with pytest.raises(BaselineError, match=told):
        read(path)


def test_no_file_is_told(tmp_path: Path) -> None:
    """In the system's words."""
    with pytest.raises(BaselineError, match=r"baseline none\.toml: No such file"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize("verdict", ["fail", "warn", "untestable"])
def test_what_is_expected_becomes_an_xfail(verdict: Verdict) -> None:
    """With the reason beside what happened."""
    found = applied(report(cell("FLT-09", verdict=verdict, told="cut")))
    assert found.cells[0].verdict == "xfail"
    assert found.cells[0].told == "cut (expected until 2027-03-01: known, u)"
    assert (found.stale, found.status) == ((), 0)


@pytest.mark.parametrize("verdict", ["flaky", "harness"])
def test_what_can_be_no_expectation_stays(verdict: Verdict) -> None:
    """It isn't the plugin's word that it needs."""
    assert applied(report(cell("FLT-09", verdict=verdict))).cells[0].verdict == verdict


def test_only_the_directions_named_are_expected() -> None:
    """The others fail as ever."""
    cells = cell("FLT-09", "sync", "fail"), cell("FLT-09", "async", "fail")
    found = applied(report(*cells), directions=("sync",))
    assert [each.verdict for each in found.cells] == ["xfail", "fail"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "but the check passes"),
        ({"directions": ("async",)}, "but the check passes"),
        ({"directions": ("sync",)}, "but the check has no such direction"),
        ({"directions": ("aside",)}, "but the check has no such direction"),
        ({"check": "FLT-9"}, "but there is no such check"),
    ],
)
def test_an_entry_with_nothing_to_expect_is_stale(changes: dict[str, Any], told: str) -> None:
    """It fails the run, and says why."""
    found = applied(report(cell("FLT-09", "async")), **changes)
    (stale,) = found.stale
    assert stale.told.endswith(told)
    assert (stale.verdict, found.status) == ("stale", 1)


def test_an_entry_that_expired_expects_nothing() -> None:
    """The failure is one again, and the entry is stale."""
    found = applied(report(cell("FLT-09", verdict="fail")), today=date(2027, 3, 2))
    assert found.cells[0].verdict == "fail"
    assert found.stale[0].told.endswith("it expired on 2027-03-01")


def test_an_entry_for_what_was_not_looked_at_is_left_alone() -> None:
    """A run of a few checks says nothing about it."""
    assert applied(report(cell("FLT-10"))).stale == ()
