"""The kit's teeth: every mutant dies by the check that it names, every check has a mutant."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelplug.conformance.runner import Subject, all_checks, run
from tests.core.conformance.mutants import Mutant, all_mutants

CHECKS = {check.id: check for check in all_checks()}


@pytest.mark.parametrize("mutant", all_mutants(), ids=lambda mutant: str(mutant.name))
def test_a_mutant_dies_by_its_check(installed: Path, mutant: Mutant) -> None:
    """With the words that tell its author what is wrong."""
    report = run(Subject.of(mutant.name), [CHECKS[mutant.kills]], quantum=0.1)
    told = [cell.told for cell in report.cells if cell.verdict in ("fail", "warn")]
    assert told
    assert any(mutant.words in each for each in told), told


def test_every_check_has_a_mutant() -> None:
    """One that nothing fails shows nothing."""
    assert sorted(set(CHECKS) - {mutant.kills for mutant in all_mutants()}) == []


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: str(check.id))
def test_the_reference_passes(installed: Path, check: object) -> None:
    """What is right is never called wrong."""
    report = run(Subject.of("reference"), [CHECKS[check.id]])  # type: ignore[attr-defined]  # one
    assert [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")] == []
