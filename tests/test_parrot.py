"""The example of a stranger's plugin: short, built, installed and checked as a stranger would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.fresh import ROOT, build, environment

PARROT = ROOT / "examples" / "modelplug-parrot"

ASK = """
import os, subprocess, sys
from modelplug import Finish
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_parrot.harness import ParrotCodec

with WebSocketUpstream(ParrotCodec()) as service:
    service.play("Hel", "lo!", Finish())
    env = {**os.environ, "PARROT_URL": service.url, "PARROT_KEY": "cracker"}
    command = [sys.argv[1], "ask", "hello", "-b", "parrot:budgie"]
    sys.exit(subprocess.run(command, env=env, stdin=subprocess.DEVNULL).returncode)
"""


def test_a_harness_is_short() -> None:
    """The harness has at most 20 lines, and the codec with all that it needs at most 100."""
    source = (PARROT / "modelplug_parrot" / "harness.py").read_text()
    ending = source.index("def params(")
    codec, harness = source[:ending].split("\n"), source[ending:].split("\n")
    assert 0 < sum(map(bool, harness)) <= 20
    assert 0 < sum(map(bool, codec)) <= 100


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the example, and what it asks for in tests."""
    folder = tmp_path_factory.mktemp("parrot")
    wheels = folder / "wheels"
    parrot, core = build(PARROT, wheels), build(ROOT / "core", wheels)
    # What the core's extras need of this workspace.
    others = [build(each.parent, wheels) for each in ROOT.glob("pytest-*/pyproject.toml")]
    return environment(folder / "venv", [f"{parrot}[test]", f"{core}[cli,conformance]", *others])


def run(python: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """A command in the fresh environment, outside the tree."""
    return subprocess.run(
        [str(python.parent / str(command[0])), *map(str, command[1:])],
        cwd=python.parent,
        env={"PATH": os.environ["PATH"], "MODELPLUG_CONFIG": "none"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_parrot_is_listed(python: Path) -> None:
    """With its distribution and its version."""
    done = run(python, "modelplug", "backends")
    told = (done.returncode, done.stdout, done.stderr)
    assert told == (0, "parrot\tmodelplug-parrot\t1.0.0\n", "")


def test_the_parrot_answers(python: Path) -> None:
    """Asked on the command line, it asks its service, and says what that said."""
    done = run(python, "python", "-c", ASK, python.parent / "modelplug")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello!\n", "")


def test_the_parrots_own_tests_pass(python: Path, tmp_path: Path) -> None:
    """In its own environment, with warnings for errors."""
    shutil.copytree(PARROT / "tests", tmp_path / "tests")
    command = ("python", "-m", "pytest", "-q", "-W", "error", "--rootdir", tmp_path, tmp_path)
    done = run(python, *command)
    assert (done.returncode, " passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_parrot_conforms(python: Path, tmp_path: Path) -> None:
    """It reaches the level that is asked for, and all that isn't looked at it doesn't claim.

    ``complete`` takes minutes; it is reached as well.
    """
    told = tmp_path / "parrot.json"
    done = run(python, "modelplug", "conformance", "parrot", "--level", "streaming", "--json", told)
    report = json.loads(told.read_text())
    failed = {each["told"] for each in report["cells"] if each["verdict"] not in ("pass", "n/a")}
    assert (done.returncode, report["level"], failed) == (0, "streaming", set()), done.stdout
    unclaimed = {each["told"] for each in report["cells"] if each["verdict"] == "n/a"}
    assert {"stop isn't claimed", "parrots speak for nothing"} <= unclaimed
