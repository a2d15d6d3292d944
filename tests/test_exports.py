"""The public face: what ``from modelplug import ...`` gives."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path

import pytest

import modelplug
from modelplug import errors, policies

PROMISED = [
    "Backend",
    "Call",
    "Delta",
    "Finish",
    "MessageConverter",
    "ModelMessage",
    "ModelMetadata",
    "ModelOutput",
    "ModelRequest",
    "ModelRequestContext",
    "ProxyLLMClient",
    "ProxyLLMError",
    "ProxyModelParameters",
    "Timeouts",
    "ToolCallDelta",
    "Usage",
    "hookimpl",
    "new_client",
]
"""Names that apps and plugins were promised."""

TYPED = Path(__file__).parent / "typing/api.py"
SOURCES = Path(modelplug.__file__).parent

EVERY = pytest.mark.parametrize("name", modelplug.__all__)


def order(name: str) -> tuple[bool, bool, str]:
    """Where a name stands: constants, classes, functions, each by the alphabet."""
    return (not name.isupper(), name[0].islower(), name)


def documented_names() -> set[str]:
    """Names of core that are assigned and have a docstring under them."""
    found = set()
    for path in SOURCES.glob("*.py"):
        for node, after in pairwise(ast.parse(path.read_text(encoding="utf-8")).body):
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                targets = getattr(node, "targets", [getattr(node, "target", None)])
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_names_are_sorted() -> None:
    """A name has one place where it is looked for, and stands there once."""
    assert sorted(set(modelplug.__all__), key=order) == modelplug.__all__


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_name_is_there(name: str) -> None:
    """Apps and plugins import these, so they stay."""
    assert name in modelplug.__all__


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_there(name: str) -> None:
    """Whoever catches an error needs no inner module."""
    assert name in modelplug.__all__
    assert getattr(errors, name) is getattr(modelplug, name)


@EVERY
def test_a_name_can_be_imported(name: str) -> None:
    """What is announced exists."""
    assert hasattr(modelplug, name)


@EVERY
def test_a_name_is_documented(name: str) -> None:
    """What is announced says what it is, in words of its own."""
    value = getattr(modelplug, name)
    own = value.__doc__ if isinstance(value, type) or callable(value) else None
    assert name in documented_names() or (own and not own.startswith(f"{name}("))


def test_nothing_else_looks_public() -> None:
    """What can be imported and isn't announced is a module of the package."""
    others = {name for name in vars(modelplug) if not name.startswith("_")}
    modules = {path.stem for path in SOURCES.iterdir()}
    machinery = {"annotations", "TYPE_CHECKING", "import_module"}
    assert others - set(modelplug.__all__) <= modules | machinery


def test_importing_the_package_imports_nothing_heavy() -> None:
    """Names come when they are asked for: the command line's help waits for none of them."""
    code = (
        "import sys, modelplug, modelplug.cli;"
        "print({'pydantic', 'asyncio', 'pluggy', 'click'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_every_name_is_shown_to_the_type_checker() -> None:
    """The file of typed calls uses all public names, each beyond its import."""
    tree = ast.parse(TYPED.read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "modelplug"
        for alias in node.names
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(modelplug.__all__) == imported & (used | {"ProxyLLMError"})


def test_every_policy_is_shown_to_the_type_checker() -> None:
    """So are the names of the policies, which come from a package of their own."""
    tree = ast.parse(TYPED.read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(policies.__all__) <= used
    assert sorted(set(policies.__all__), key=order) == policies.__all__
    assert all(getattr(policies, name).__doc__ for name in policies.__all__)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("modelplug_echo", "EchoClient"),
        ("modelplug_openai", "OpenAILLMClient"),
        ("modelplug_spark", "SparkLLMClient"),
    ],
)
def test_a_provider_s_client_is_there(package: str, name: str) -> None:
    """An app that wants one client only imports it by its promised name, and nothing before."""
    told = f"from {package} import {name}; print({name}.__mro__[1].__name__)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, check=False, text=True)
    assert done.stdout == "ProxyLLMClient\n", done.stderr


@pytest.mark.parametrize("name", ["echo", "openai", "spark"])
def test_providers_come_in_by_the_public_door(name: str) -> None:
    """Ours are found where a stranger's are."""
    assert [found.name for found in entry_points(group="modelplug.backends", name=name)] == [name]


def test_modules_are_there_as_attributes() -> None:
    """``modelplug.errors`` and the like work after ``import modelplug`` alone."""
    code = "import modelplug; print(modelplug.errors.ServerError.code, modelplug.stream.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "611 modelplug.stream\n"
