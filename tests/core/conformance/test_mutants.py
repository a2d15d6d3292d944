"""The kit's teeth: every mutant dies by the check that it names, every check has a mutant."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelplug import Capabilities
from modelplug.conformance.directions import ALL
from modelplug.conformance.expect import Expect
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from tests.core.conformance import reference
from tests.core.conformance.mutants import Mutant, all_mutants

CHECKS = {check.id: check for check in all_checks()}


def deaths(mutant: Mutant, expect: Expect | None = None) -> list[str]:
    """What the check that it names says of it, up to where it says the words."""
    check, subject = CHECKS[mutant.kills], Subject.of(mutant.name)
    told: list[str] = []
    for direction in check.directions or ALL[:1]:
        report = run(subject, [check], directions=[direction], quantum=0.1, expect=expect)
        told += [cell.told for cell in report.cells if cell.verdict in ("fail", "warn")]
        if any(mutant.words in each for each in told):
            break  # the other directions would cost time, and show no more
    return told


@pytest.mark.parametrize("mutant", all_mutants(), ids=lambda mutant: str(mutant.name))
def test_a_mutant_dies_by_its_check(installed: Path, mutant: Mutant) -> None:
    """With the words that tell its author what is wrong."""
    told = deaths(mutant)
    assert any(mutant.words in each for each in told), told


def test_every_check_has_a_mutant() -> None:
    """One that nothing fails shows nothing."""
    assert sorted(set(CHECKS) - {mutant.kills for mutant in all_mutants()}) == []


def test_nothing_to_change_is_nothing_to_look_at(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin that takes neither defaults nor options doesn't pass CFG-10 by that."""
    monkeypatch.setattr(reference, "CAPABILITIES", Capabilities(native=["streaming"]))
    report = run(Subject.of("reference"), [CHECKS["CFG-10"]], quantum=0.1)
    told = {(cell.verdict, cell.told) for cell in report.cells}
    assert told == {("n/a", "a client takes nothing that its caller could change later")}


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: str(check.id))
def test_the_reference_passes(installed: Path, check: object) -> None:
    """What is right is never called wrong."""
    report = run(Subject.of("reference"), [CHECKS[check.id]])  # type: ignore[attr-defined]  # one
    assert [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")] == []
