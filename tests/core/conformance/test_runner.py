"""A run, cell by cell."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from modelplug.conformance.check import Check
from modelplug.conformance.expect import Expect
from modelplug.conformance.lab import Lab
from modelplug.conformance.report import Cell
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from modelplug.conformance.verdict import NotApplicable, Untestable, Verdict, Violation

ONE = next(check for check in all_checks() if check.id == "STR-02")


def made(look: object, **changes: object) -> Check:
    """A check that looks this way."""
    return replace(ONE, **{"id": "STR-99", "directions": ("sync",), "look": look, **changes})  # type: ignore[arg-type]


def verdict(check: Check) -> tuple[Verdict, str]:
    """What comes of it for the reference."""
    (cell,) = run(Subject.of("reference"), [check], quantum=0.05).cells
    return cell.verdict, cell.told


def raising(error: Exception) -> object:
    """A look that raises."""

    def look(lab: Lab) -> None:
        raise error

    return look


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Violation("so"), ("fail", "so")),
        (NotApplicable("so"), ("n/a", "so")),
        (Untestable("so"), ("untestable", "so")),
        (TimeoutError(), ("fail", "a call of the plugin didn't end in time (TimeoutError)")),
        (KeyError("so"), ("fail", "the plugin raised KeyError: 'so'")),
    ],
    ids=["violation", "n/a", "untestable", "hangs", "raises"],
)
def test_what_a_look_raises_is_its_verdict(
    installed: Path, error: Exception, expected: tuple[Verdict, str]
) -> None:
    """Nothing that happens ends the run."""
    assert verdict(made(raising(error))) == expected


def test_what_the_core_logs_meanwhile_isnt_printed(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody listens, a run's own lines stay together; afterwards it is as it was."""
    core = logging.getLogger("modelplug")

    def look(lab: Lab) -> None:
        core.warning("tokens can't be counted")

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert verdict(made(look)) == ("pass", "")
    assert capsys.readouterr().err == ""
    core.warning("a run is over")
    assert capsys.readouterr().err == "a run is over\n"


def test_a_should_that_is_broken_is_a_warning(installed: Path) -> None:
    """It fails no level but the last."""
    assert verdict(made(raising(Violation("so")), must=False)) == ("warn", "so")


def test_what_is_not_claimed_has_to_be_refused(installed: Path) -> None:
    """The twin looks at that; then there is nothing to look at."""
    check = made(raising(Violation("not looked at")), needs="images")
    assert verdict(check) == ("n/a", "images isn't claimed")
    assert verdict(replace(check, twin=check.look))[0] == "fail"


def test_progress_is_told_cell_by_cell(installed: Path) -> None:
    """In the order of the report."""
    seen: list[Cell] = []
    report = run(Subject.of("reference"), [ONE], progress=seen.append)
    assert [*report.cells] == seen
    assert [cell.direction for cell in seen] == ["async-stream", "sync-stream"]


def test_a_seed_makes_the_same_choices(installed: Path) -> None:
    """Each cell has its own, whatever is looked at beside it; the report has the seed."""
    seen: list[object] = []
    check = made(lambda lab: seen.append(lab.account))
    other = replace(check, id="STR-98")
    subject = Subject.of("reference")
    reports = [
        run(subject, checks, seed=seed)
        for checks, seed in (([other, check], 7), ([check], 7), ([check], 8))
    ]
    beside, one, same, different = seen
    assert one == same
    assert len({str(each) for each in (beside, one, different)}) == 3
    assert [each.conditions.seed for each in reports] == [7, 7, 8]
    assert run(subject, []).conditions.seed is not None


def test_a_report_has_what_the_plugin_claims(installed: Path) -> None:
    """Of the model that is checked, by capability."""
    claims = run(Subject.of("reference"), []).claims
    assert (claims["tools"], claims["images"]) == ("native", "unsupported")


def test_other_assertions_can_be_given(installed: Path) -> None:
    """For the tests of the kit."""

    class Blind(Expect):
        def equal(self, what: str, expected: object, actual: object) -> None:
            """All is equal."""

    report = run(Subject.of("mutant-cumulativedeltas"), [ONE], expect=Blind())
    assert {cell.verdict for cell in report.cells} == {"pass"}
