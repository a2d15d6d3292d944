"""Every module has its tests, and every test module tests one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]

UNTESTED = {
    "core/modelplug/__init__.py": "test_exports.py",
    "core/modelplug/conformance/__init__.py": "exports alone",
    "core/modelplug/conformance/caller.py": "the other half of calling.py, in a process of its own",
    "core/modelplug/conformance/calls.py": "what checks are made of: see KIT",
    "core/modelplug/conformance/importer.py": "the other half of importing.py, in its own process",
    "core/modelplug/conformance/looker.py": "test_processes.py: it is the other half",
    "core/modelplug/conformance/failing.py": "what checks are made of: see KIT",
    "core/modelplug/conformance/mute.py": "what checks are made of: see KIT",
    "core/modelplug/conformance/watching.py": "what checks are made of: see KIT",
    "core/modelplug/policies/__init__.py": "exports alone",
    "core/modelplug/conformance/wishes.py": "what checks are made of: see KIT",
    "core/modelplug/testing/__init__.py": "exports alone",
    "core/modelplug/transport/__init__.py": "exports alone",
    "providers/echo/modelplug_echo/__init__.py": "test_exports.py",
    "providers/openai/modelplug_openai/__init__.py": "test_exports.py",
    "providers/openai/modelplug_openai/emulation/__init__.py": "tells what is in it",
    "providers/openai/modelplug_openai/preset.py": "test_presets.py, by the rows made of it",
    **{
        f"providers/openai/modelplug_openai/table/{part}.py": "rows alone: test_presets.py"
        for part in ("__init__", "china", "hosts", "local", "makers")
    },
    "providers/spark/modelplug_spark/__init__.py": "test_exports.py",
    "pytest-modelplug/pytest_modelplug/__init__.py": "options alone: test_pytestplugin.py",
    "providers/spark/modelplug_spark/emulation/__init__.py": "tells what is in it",
}
"""Modules without a test module, and why."""

KIT = "tests/core/conformance/test_mutants.py"
"""Tests of all checks: each passes a provider that is right and kills one that isn't."""

OVERALL = {
    "tests/core/conformance/test_teeth.py": "assertions, by the mutants that live without them",
    KIT: "the checks, by the mutants that they kill",
    "tests/core/policies/test_over_the_wire.py": "policies, around a client of real sockets",
    "tests/core/policies/test_policies_machine.py": "policies' parts, in any order of events",
    "tests/core/test_stream_machine.py": "streams, in any order of reading and ending them",
    "tests/faults/test_witness.py": "the search for secrets, by some that were planted",
    **{
        f"tests/faults/test_{part}.py": "the fault matrix: from the caller down to the wire"
        for part in (
            "answering",
            "breakdowns",
            "cancelling",
            "configuration",
            "connecting",
            "dropping",
            "frames",
            "handshakes",
            "hooks",
            "keys",
            "leaving",
            "pace",
            "plugins",
            "rows",
            "sharing",
            "streaming",
            "tls",
        )
    },
    "tests/core/conformance/wrapped/test_wrapped.py": "policies, by all checks up to resilient",
    "tests/core/conformance/test_reference_inprocess.py": "the references without a wire",
    "tests/core/conformance/seed/test_seed.py": "the checks, by the faults of the first client",
    "tests/core/conformance/test_reference_sse.py": "all checks again, by a provider over HTTP",
    "tests/interop/test_foreign_clients.py": "the emulator, by clients that are not ours",
    "tests/interop/test_foreign_servers.py": "the client, against servers that are not ours",
    "tests/interop/test_http_shell.py": "the HTTP shell, against a server that is not ours",
    "tests/interop/test_openai_sdk.py": "the emulator of OpenAI's wire, by OpenAI's own SDK",
    "tests/test_documents.py": "what the documents show",
    "tests/test_exports.py": "the public face",
    "tests/test_fault_steps.py": "every fault of a wire, in all four ways of asking",
    "tests/test_fuzz.py": "the targets of fuzzing, on their own inputs",
    "tests/test_layers.py": "imports and manners of all modules",
    "tests/test_letting_go.py": "closing, from the caller down to the server's socket",
    "tests/test_mirror.py": "this",
    "tests/test_parrot.py": "the example of a stranger's plugin, installed as a stranger would",
    "tests/test_secrets_stay.py": "secrets, from the params to whatever is printed",
    "tests/test_seed_faults.py": "faults that may not come back, wherever they would",
    "tests/test_stress.py": "soak and chaos, for some seconds",
    "tests/test_sweep.py": "cancelling, at each point where a call can wait",
    "tests/test_third_party.py": "a stranger's plugin, from outside",
}
"""Test modules of no single module, and what they are of."""


def image(module: str) -> str:
    """Where the tests of a product module are."""
    path = PurePosixPath(module)
    folders = [part for part in path.parts[:-1] if not part.startswith("modelplug")]
    return str(PurePosixPath("tests", *folders, f"test_{path.stem.strip('_')}.py"))


def files(*patterns: str) -> list[str]:
    """Paths from the root on."""
    found = (path for pattern in patterns for path in ROOT.glob(pattern))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


CHECKS = files("core/modelplug/conformance/checks/*.py")
PRODUCT = files(
    "core/modelplug/**/*.py",
    "providers/*/modelplug_*/**/*.py",
    "pytest-modelplug/pytest_modelplug/*.py",
    "scripts/*.py",
)
EXAMPLES = files("examples/*.py", "benchmarks/*.py")
TESTS = files("tests/**/test_*.py")


@pytest.mark.parametrize("module", sorted({*PRODUCT} - {*UNTESTED, *CHECKS}))
def test_a_module_has_its_tests(module: str) -> None:
    """Whoever changes a module knows where its tests are."""
    assert image(module) in TESTS


@pytest.mark.parametrize("path", [each for each in TESTS if each not in OVERALL])
def test_tests_have_their_module(path: str) -> None:
    """Tests of a module that has gone, or was renamed, go with it."""
    assert path in map(image, PRODUCT + EXAMPLES)


@pytest.mark.parametrize("path", [*UNTESTED, *OVERALL])
def test_an_exception_is_still_one(path: str) -> None:
    """The lists of exceptions name files that exist."""
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("module", UNTESTED)
def test_a_module_with_tests_is_no_exception(module: str) -> None:
    """What has got its tests is taken off the list."""
    assert image(module) not in TESTS


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("core/modelplug/call.py", "tests/core/test_call.py"),
        ("core/modelplug/transport/tls.py", "tests/core/transport/test_tls.py"),
        ("providers/echo/modelplug_echo/client.py", "tests/providers/echo/test_client.py"),
        ("core/modelplug/cli/__init__.py", "tests/core/cli/test_init.py"),
        ("examples/demo.py", "tests/examples/test_demo.py"),
        ("scripts/check_wheels.py", "tests/scripts/test_check_wheels.py"),
    ],
)
def test_a_mirror_image(module: str, expected: str) -> None:
    """The path is the same but for the package's name and the prefix."""
    assert expected == image(module)
