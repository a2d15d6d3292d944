"""``pytest --conformance``, as an author runs it: in a process and a project of its own."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta

from tests.core.conformance.hostile import hostile
from tests.core.conformance.project import FAST, Project
from tests.support.dists import install

DYING = """
import os
from modelplug import hookimpl
from tests.core.conformance.plugin import backend
from tests.core.conformance.reference import ReferenceClient

class Dies(ReferenceClient):
    def generate_stream(self, *args, **kwargs):
        os._exit(7)

    sync_generate_stream = generate_stream

@hookimpl
def modelplug_backend(name):
    return backend(name, "dying:Dies")
"""
"""A plugin that ends its process when a stream is asked for."""

HARMED = """
from dataclasses import replace
from modelplug import hookimpl
from tests.core.conformance import plugin, reference

HARNESS = replace(reference.HARNESS)

@hookimpl
def modelplug_backend(name):
    made = plugin.backend(name, "tests.core.conformance.reference:ReferenceClient")
    return replace(made, harness="harmed:HARNESS")
"""
"""A plugin whose harness can be spoilt."""

WATCH = """
import json, sys
def pytest_unconfigure():
    print(json.dumps(sorted(each for each in sys.modules if each.startswith("modelplug"))))
"""


def baseline(project: Project, check: str, *, days: int = 1) -> None:
    """Have the project expect a check to fail."""
    expires = date.today() + timedelta(days)  # noqa: DTZ011  # the same as the plugin asks for
    entry = f'check = "{check}"\nreason = "so"\nurl = "https://x.example"\nexpires = {expires}\n'
    (project.folder / "conformance-baseline.toml").write_text(f"[[xfail]]\n{entry}")


def test_each_check_in_each_direction_is_a_test(project: Project) -> None:
    """The suite's own tests aren't run besides."""
    status, said = project.pytest("--conformance=reference", FAST, "-v", "-k", "STR-02 or MOD-01")
    assert status == 0, said
    assert "reference::STR-02[async-stream] PASSED" in said
    assert "reference::MOD-01 PASSED" in said
    assert "3 passed" in said
    assert "test_own" not in said
    assert "level:" not in said


def test_a_suite_that_does_not_ask_pays_nothing(project: Project) -> None:
    """Nothing of modelplug is imported, and nothing is collected."""
    (project.folder / "conftest.py").write_text(WATCH)
    status, said = project.pytest("-q", "-s")
    assert (status, "1 passed" in said) == (0, True), said
    assert json.loads(said.splitlines()[-1]) == []
    assert not [each for each in sys.modules if each.startswith("pytest_modelplug.")]


def test_a_failure_tells_all(project: Project) -> None:
    """Rule, what happened, script, timeline, and the command, which does run it again."""
    name = "mutant-cumulativedeltas"
    node = f"{name}::STR-02[sync-stream]"
    status, said = project.pytest(f"--conformance={name}", node, FAST)
    assert status == 1, said
    for label in ("rule:", "what happened:", "the service:", "it saw:"):
        assert label in said
    assert f"run it again:  pytest --conformance={name} '{node}' {FAST}" in said
    assert "Traceback" not in said
    assert "1 failed in" in said


def test_what_failed_last_is_run_again(project: Project) -> None:
    """And nothing besides."""
    backend = "--conformance=mutant-cumulativedeltas"
    project.pytest(backend, FAST, "-k", "STR-02 or MOD-01")
    status, said = project.pytest(backend, FAST, "-k", "STR-02 or MOD-01", "--lf")
    assert status == 1, said
    assert "2 failed, " in said
    assert "passed" not in said


def test_the_first_failure_ends_a_run(project: Project) -> None:
    """If that is asked for."""
    status, said = project.pytest(
        "--conformance=mutant-cumulativedeltas", FAST, "-x", "-k", "STR-02"
    )
    assert (status, "1 failed" in said) == (1, True), said


def test_several_processes_share_the_tests(project: Project) -> None:
    """By pytest-xdist, with the ids of the command line, too."""
    nodes = ["reference::STR-02", "reference::MOD-01"]
    status, said = project.pytest("--conformance=reference", FAST, "-n", "2", "-v", *nodes)
    assert (status, "3 passed" in said) == (0, True), said


def test_a_whole_level_is_told(project: Project) -> None:
    """With what the baseline expects in vain, which fails the run; also by several processes."""
    project.configure('conformance_baseline = ["conformance-baseline.toml"]')
    baseline(project, "MOD-04")
    status, said = project.pytest(
        "--conformance=reference",
        "--conformance-quantum=0.1",
        "--conformance-level=core",
        "-n",
        "2",
    )
    assert "conformance of reference 1.0: " in said, said
    assert "level: core" in said
    assert "MOD-04 STALE: the baseline expects it to fail (so), but the check passes" in said
    assert status == 1


def test_a_plugin_that_ends_its_process_has_failed(project: Project) -> None:
    """As on the command line; pytest goes on."""
    (project.folder / "site").mkdir()
    install(
        project.folder / "site",
        dist="modelplug-dying",
        module="dying",
        source=DYING,
        backends={"dying": "dying"},
    )
    status, said = project.pytest("--conformance=dying", FAST, "dying::STR-02", "dying::MOD-02")
    assert (status, "2 failed, 1 passed" in said) == (1, True), said
    assert "the process that looked at it died: exit status 7" in said


def test_a_should_is_a_warning_unless_strict(project: Project) -> None:
    """Also in a suite for which warnings are errors."""
    project.configure('filterwarnings = ["error"]')
    backend, node = "--conformance=mutant-throwsidsaway", "mutant-throwsidsaway::GEN-10[sync]"
    status, said = project.pytest(backend, FAST, node)
    assert (status, "1 passed, 1 warning" in said) == (0, True), said
    assert "ConformanceWarning: GEN-10[sync] warn" in said
    status, said = project.pytest(backend, FAST, node, "--conformance-strict")
    assert (status, "1 failed" in said) == (1, True), said


def test_what_is_not_claimed_is_skipped_with_its_reason(project: Project) -> None:
    """It isn't lost."""
    status, said = project.pytest("--conformance=reference", FAST, "-rs", "reference::FEA-19[sync]")
    assert (status, "images isn't claimed" in said) == (0, True), said


def test_the_baseline_expects_failures(project: Project) -> None:
    """Until its day has come; and --runxfail expects nothing."""
    project.configure('conformance_baseline = ["conformance-baseline.toml"]')
    backend, node = "--conformance=mutant-cumulativedeltas", "mutant-cumulativedeltas::STR-02"
    baseline(project, "STR-02")
    status, said = project.pytest(backend, FAST, node)
    assert (status, "2 xfailed" in said) == (0, True), said
    status, said = project.pytest(backend, FAST, node, "--runxfail")
    assert (status, "2 failed" in said) == (1, True), said
    baseline(project, "STR-02", days=-1)
    status, said = project.pytest(backend, FAST, node)
    assert (status, "2 failed" in said) == (1, True), said


def test_own_tests_are_run_where_they_are_named(project: Project) -> None:
    """Then both are."""
    arguments = ["test_own.py", "--conformance=reference", FAST, "-k", "own or MOD-01"]
    status, said = project.pytest(*arguments)
    assert (status, "2 passed" in said) == (0, True), said


def test_a_plugin_that_cant_be_loaded_is_told(project: Project) -> None:
    """Before any test, and pytest itself imports nothing of it."""
    (project.folder / "site").mkdir()
    hostile(project.folder / "site", "import", "os._exit(0)")
    status, said = project.pytest("--conformance=hostile", FAST, "hostile::STR-02")
    told = "the process that loads the plugin of modelplug-hostile died: exit status 0"
    assert (status, told in said) == (4, True), said


def test_a_harness_at_fault_is_an_error(project: Project) -> None:
    """It is no failure of the plugin's."""
    (project.folder / "site").mkdir()
    mute = HARMED.replace("HARNESS)", "HARNESS, cannot_express={'quota': ''})")
    install(
        project.folder / "site",
        dist="modelplug-harmed",
        module="harmed",
        source=mute,
        backends={"harmed": "harmed"},
    )
    status, said = project.pytest("--conformance=harmed", FAST, "harmed::STR-02")
    assert (status, "2 errors" in said) == (1, True), said
    assert "HAR-09 harness: cannot_express has no reason for 'quota'" in said
