"""Every example of the documents runs and says what the document says."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import modelplug
from modelplug.configstring import ConfigString

ROOT = Path(__file__).parent.parent
BIN = str(Path(sys.executable).parent)
NAMES = ("README.md", "core/README.md", "providers/echo/README.md", "providers/README.md")
DOCUMENTS = [*(ROOT / name for name in NAMES), *sorted(ROOT.glob("docs/*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a document in a language."""
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_examples_run(path: Path) -> None:
    """The Python of a document runs from top to bottom, in one namespace."""
    names: dict[str, object] = {}
    for source in blocks(path, "python"):
        if source.startswith("# test_"):
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, str(path), "exec"), names)  # noqa: S102  # our own documents


def shown_tests() -> list[tuple[str, str]]:
    """The blocks that begin with the name of a test file, and that name."""
    found = []
    for path in DOCUMENTS:
        for source in blocks(path, "python"):
            if name := re.match(r"# (test_\w+\.py)\n", source):
                found.append((name[1], source))
    return found


@pytest.mark.parametrize(("name", "source"), shown_tests(), ids=lambda value: value[:12])
def test_test_files_pass(name: str, source: str, tmp_path: Path) -> None:
    """A test file that a document shows passes, in a folder of its own."""
    (tmp_path / name).write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, " passed" in done.stdout) == (0, True), done.stdout + done.stderr


def commands() -> list[tuple[str, str]]:
    """The commands of all documents, with what they are said to print."""
    found = []
    for path in DOCUMENTS:
        for block in blocks(path, "console"):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                found.append((command, output))
    return found


@pytest.mark.parametrize(("command", "output"), commands())
def test_commands_run(command: str, output: str) -> None:
    """A command of a document succeeds, and prints what the document shows, if it shows any."""
    done = subprocess.run(
        shlex.split(command),
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "error" in done.stderr) == (0, False)
    assert output in ("", done.stdout)


def test_config_strings_of_the_readme_parse() -> None:
    """Every config string of the README's table is one, and prints as itself."""
    table = re.findall(r"^\| `([^`]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(table) > 4
    assert table == [str(ConfigString.parse(text)) for text in table]


def test_make_targets_of_the_documents_exist() -> None:
    """Every ``make`` target that a document names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    texts = [path.read_text() for path in [*DOCUMENTS, ROOT / "CONTRIBUTING.md"]]
    named = {target for text in texts for target in re.findall(r"`make ([a-z-]+)", text)}
    named |= {
        target for text in texts for target in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
    }
    assert named
    assert named <= targets


def modules() -> list[str]:
    """All modules of the core."""
    walk = pkgutil.walk_packages(modelplug.__path__, "modelplug.")
    return [each.name for each in walk if not each.name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name: str) -> None:
    """Examples in docstrings that show a prompt say what happens."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_parrot_of_the_contract_speaks() -> None:
    """The provider in the docstring of the contract's module is a whole one."""
    source = (importlib.import_module("modelplug.client").__doc__ or "").partition("::\n")[2]
    body = re.split(r"\n(?=\S)", source)[0]
    names: dict[str, object] = {name: getattr(modelplug, name) for name in modelplug.__all__}
    exec(re.sub(r"^    ", "", body, flags=re.MULTILINE), names)  # noqa: S102  # our own docstring
    parrot = names["ParrotClient"].new_client(modelplug.ProxyModelParameters())  # type: ignore[attr-defined]
    assert parrot.sync_generate("hello you").text == "hello you "
