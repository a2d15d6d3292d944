"""A stranger's plugin: written from the README, built and used in a fresh environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.fresh import ROOT, build, environment

ASK = """
import asyncio, json
from modelplug import new_client
client = new_client("parrot")
answers = [client.sync_generate("hello you").text, asyncio.run(client.generate("hello you")).text]
answers += ["".join(output.delta for output in client.sync_generate_stream("hello you"))]
print(json.dumps(answers))
"""

LIST = """
import json
from modelplug.registry import registry
print(json.dumps([[each.name, each.dist, each.version] for each in registry().backends()]))
"""


def snippets(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the core and the README's plugin, as wheels."""
    folder = tmp_path_factory.mktemp("stranger")
    parrot = folder / "parrot"
    parrot.mkdir()
    (parrot / "pyproject.toml").write_text(snippets("toml")[0])
    source = next(each for each in snippets("python") if "ParrotClient" in each)
    (parrot / "modelplug_parrot.py").write_text(source)
    wheels = [build(each, folder / "wheels") for each in (parrot, ROOT / "core")]
    return environment(folder / "venv", wheels)


def run(python: Path, code: str, **environment: str) -> Sequence[object]:
    """What a script prints as JSON in the fresh environment, outside the tree."""
    done = subprocess.run(
        [python, "-W", "error", "-c", code],
        cwd=python.parent,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answer: list[object] = json.loads(done.stdout)
    return answer


def test_the_stranger_is_found(python: Path) -> None:
    """The plugin is listed under its name, with its distribution and version."""
    assert run(python, LIST) == [["parrot", "modelplug-parrot", "1.0"]]


def test_the_stranger_answers(python: Path) -> None:
    """The plugin is used by its name alone, in sync and async, stream and not."""
    assert run(python, ASK) == ["hello! you! "] * 3


def test_the_stranger_survives_a_broken_neighbour(python: Path, tmp_path: Path) -> None:
    """A plugin beside it that exits at import changes neither the listing nor the answers."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[modelplug.backends]\nbroken = broken_plugin\n")
    (tmp_path / "broken_plugin.py").write_text("raise SystemExit('no')")
    names = [each[0] for each in run(python, LIST, PYTHONPATH=str(tmp_path))]  # type: ignore[index]  # rows
    assert names == ["broken", "parrot"]
    assert run(python, ASK, PYTHONPATH=str(tmp_path)) == ["hello! you! "] * 3
