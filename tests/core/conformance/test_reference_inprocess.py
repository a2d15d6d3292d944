"""The references without a wire: what is right is never called wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelplug.conformance.check import Check
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject


@pytest.mark.parametrize("name", ["reference-inprocess", "reference-blocking"])
@pytest.mark.parametrize("check", all_checks(), ids=lambda check: str(check.id))
def test_the_reference_passes(installed: Path, check: Check, name: str) -> None:
    """Whether the library waits or blocks; of what needs a wire the reason is told."""
    report = run(Subject.of(name), [check], quantum=0.1)
    assert [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")] == []
    assert all(cell.told for cell in report.cells if cell.verdict == "n/a")
