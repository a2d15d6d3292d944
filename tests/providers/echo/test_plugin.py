"""What the echo plugin tells the core."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import modelplug_echo.plugin
from modelplug import CONTRACT


def test_the_backend_is_built_for_this_contract() -> None:
    """The contract number is written out in the plugin and is the core's."""
    backend = modelplug_echo.plugin.modelplug_backend("echo")
    assert (backend.name, backend.contract) == ("echo", CONTRACT)


def test_telling_about_it_imports_no_client() -> None:
    """The plugin module leaves the client alone until it is used."""
    code = "import sys, modelplug_echo.plugin; print('modelplug_echo.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_reference_stays_small() -> None:
    """Under sixty lines of code, harness and documentation aside: it is what authors copy."""
    folder = Path(modelplug_echo.plugin.__file__).parent
    modules = [path for path in folder.glob("*.py") if path.stem != "harness"]
    assert 0 < sum(map(code_lines, modules)) < 60


def code_lines(path: Path) -> int:
    """Lines that hold code: not blank, no comment, no docstring."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    strings: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node):
            first = node.body[0]
            strings.update(range(first.lineno, (first.end_lineno or 0) + 1))
    lines = enumerate(path.read_text().splitlines(), 1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and at not in strings
        for at, line in lines
    )
