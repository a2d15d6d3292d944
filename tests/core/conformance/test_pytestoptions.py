"""What ``pytest --conformance`` is asked."""

from __future__ import annotations

import pytest

from tests.core.conformance.project import FAST, Project


def test_the_configuration_names_the_backend(project: Project) -> None:
    """Or the project brings it."""
    project.configure('modelplug_backend = ["reference"]')
    status, said = project.pytest("--conformance", "--collect-only", "-q", "reference::MOD-01")
    assert (status, "reference::MOD-01" in said) == (0, True), said
    project.configure(name="modelplug_Echo")
    status, said = project.pytest("--conformance", "--collect-only", "-q", "-k", "MOD-01")
    assert "echo" in said, said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--conformance"], "modelplug-nothing brings no backend"),
        (["--conformance=nobody"], "there is no backend 'nobody'"),
        (["--conformance=reference", "reference::STR-99"], "not found: reference::STR-99"),
        (["--conformance", "test_own.py"], "name files before it"),
        (["--conformance=reference", "--conformance-quantum=0"], "a quantum is between"),
        (["--conformance=reference", "--conformance-baseline=none.toml"], "baseline none.toml"),
    ],
    ids=["no-backend", "unknown", "no-check", "a-file", "quantum", "baseline"],
)
def test_wrong_usage_is_told(project: Project, arguments: list[str], told: str) -> None:
    """In a line, with pytest's own exit status for it."""
    status, said = project.pytest(*arguments)
    assert (status, told in said) == (4, True), said
    assert "Traceback" not in said


WARNED = ("--conformance=mutant-throwsidsaway", FAST, "mutant-throwsidsaway::GEN-10[sync]")


def test_who_names_the_level_complete_wants_no_warning(project: Project) -> None:
    """As on the command line; without a name everything is looked at, and warnings are such."""
    assert project.pytest(*WARNED)[0] == 0
    status, said = project.pytest(*WARNED, "--conformance-level=complete")
    assert (status, "1 failed" in said) == (1, True), said
    assert "--conformance-strict" in said.partition("run it again:")[2]
    project.configure('conformance_level = "complete"')
    assert project.pytest(*WARNED)[0] == 1
