"""The tally of the kit's own proof, printed at the end of a run: see tests/conftest.py."""

from __future__ import annotations

import pytest

from modelplug.conformance.runner import all_checks
from tests.core.conformance.mutants import all_mutants


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the tally: how many mutants died by name, and how many checks have one."""
    wanted = "test_mutants.py::test_a_mutant_dies_by_its_check"
    counts = {
        outcome: sum(wanted in each.nodeid for each in terminalreporter.getreports(outcome))
        for outcome in ("passed", "failed")
    }
    if total := sum(counts.values()):
        checks = {each.id for each in all_checks()}
        proved = checks & {each.kills for each in all_mutants()}
        terminalreporter.line(
            f"conformance kit: {counts['passed']} of {total} mutants died by name; "
            f"{len(proved)} of {len(checks)} checks have one"
        )
