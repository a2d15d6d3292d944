"""Who may import whom, who may read the environment, make threads, and print."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import modelplug

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core"
PROVIDERS = sorted(path.parent for path in ROOT.glob("providers/*/pyproject.toml"))

RANKS = {
    # L0: values; the standard library alone.
    "capabilities": "L0.0",
    "delta": "L0.0",
    "timeouts": "L0.0",
    "messages": "L0.1",
    "output": "L0.1",
    "request": "L0.2",
    # L1: errors, and what knows only errors and values.
    "errors": "L1.0",
    "blocking": "L1.1",
    "bridge": "L1.1",
    "causes": "L1.1",
    "clock": "L1.1",
    "configstring": "L1.1",
    "spelling": "L1.0",
    "observers": "L1.1",
    "patience": "L1.2",
    "pump": "L1.2",
    "secrets": "L1.1",
    "vocabulary": "L1.1",
    "call": "L1.2",
    "params": "L1.2",
    "configfile": "L1.3",
    "tokens": "L1.2",
    "settings": "L1.3",
    "trimming": "L1.3",
    "profiles": "L1.4",
    # L2: the contract, and what providers build on.
    "backend": "L2.0",
    "attempt": "L1.3",
    "opening": "L1.4",
    "fitting": "L2.0",
    "stream": "L2.0",
    "transport": "L2.0",
    "syncstream": "L2.1",
    "caller": "L2.2",
    "hookspecs": "L2.1",
    "schema": "L2.1",
    "client": "L2.3",
    # L3: finding, loading and making.
    "plugins": "L3.0",
    "policies": "L3.0",
    "worker": "L3.0",
    "registry": "L3.1",
    "configuration": "L3.2",
    "factory": "L3.3",
    "explanation": "L3.4",
    # L4: for everybody's tests.
    "testing": "L4.0",
    "fixtures": "L4.1",
    # L5: the kit.
    "conformance": "L5.0",
    # L6: what stands on all of it. The public face is above the command line, which has no need
    # of it; between testing and cli is room for conformance (L5).
    "cli": "L6.0",
    "": "L9.0",
}
"""Module or package of core to rank: it imports what has a lower rank, and itself."""

LIBRARIES = {
    "": {"packaging", "pluggy", "pydantic", "pydantic_core"},
    "cli": {"click", "rich"},
    "fixtures": {"pytest"},
    "policies": {"pyrate_limiter", "redis"},
    "modelplug.conformance.pytestoptions": {"pytest"},
    "modelplug.conformance.pytestplugin": {"pytest"},
    "testing": {"h11", "trustme", "websockets"},
    "transport": {"httptools", "websockets"},
    "vocabulary": {"tiktoken"},
    "modelplug_echo": {"pydantic"},
    "modelplug_openai": {"msgspec", "pydantic"},
    "modelplug_spark": {"msgspec", "pydantic", "websockets"},
}
"""Who may import which libraries besides the standard one; "" is the rest of core. Options are
pydantic models by contract; what transport imports comes with the extras that spark and openai
ask for."""

PURE = {"capabilities", "delta", "timeouts", "messages", "output", "request", "errors"}
"""Values and errors: the standard library alone."""

MAKERS = {
    "threading.Thread",
    "threading.Timer",
    "asyncio.new_event_loop",
    "asyncio.run",
    "asyncio.Runner",
    "concurrent.futures.ThreadPoolExecutor",
    "multiprocessing.Process",
    "subprocess.Popen",
}
"""What makes a thread, a loop or a process."""

MAY_MAKE = {
    "modelplug.blocking": {"threading.Thread"},
    "modelplug.bridge": {"threading.Thread", "asyncio.new_event_loop"},
    # A client that blocks must not stop the server that should show it.
    "modelplug.testing.threads": {"asyncio.Runner", "threading.Thread"},
    # A program of its own, to which it happens what happens to an app's.
    "modelplug.conformance.caller": {"asyncio.run"},
    # The kit must outlive calls that hang.
    "modelplug.conformance.directions": {"threading.Thread"},
    # The kit's processes, and threads that wait for those that look at cells.
    "modelplug.conformance.processes": {
        "concurrent.futures.ThreadPoolExecutor",
        "subprocess.Popen",
    },
    # It looks at what becomes of an app's own executor.
    "modelplug.conformance.watching": {"concurrent.futures.ThreadPoolExecutor"},
}
"""Module to what it may make; the command line, which owns its process, is asked nothing."""

OF_CALLS = {
    *("asyncio", "httptools", "msgspec", "ssl", "tiktoken", "websockets"),
    *("modelplug.caller", "modelplug.request", "modelplug.stream", "modelplug.vocabulary"),
}
"""What a client is made without: only a call needs it."""

HEAVY = {
    *("click", "httptools", "msgspec", "pyrate_limiter", "pytest", "redis", "rich", "tiktoken"),
    "websockets",
}
"""What an app that only imports the core doesn't pay for."""


MAY_DEFER = {"cli", "client", "fixtures", "factory", "policies", "tokens"}
"""What may import of its own in functions: nobody is to wait for what few ask for."""


class Import(NamedTuple):
    """One import that runs; ``target`` may have an attribute at its end, ``bound`` is its name."""

    target: str
    bound: str
    line: int
    deferred: bool


class Module(NamedTuple):
    """One module with what the tests ask of it."""

    name: str
    source: str

    @property
    def unit(self) -> str:
        """What the rank table calls it: the module or package right under its root."""
        return self.name.partition(".")[2].partition(".")[0]

    @property
    def tree(self) -> ast.Module:
        """Its source as a tree."""
        return ast.parse(self.source)


def modules(folder: Path) -> list[Module]:
    """All modules of the package in ``folder``."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, path.read_text(encoding="utf-8")))
    return found


CORE_MODULES = modules(CORE / "modelplug")
PROVIDER_MODULES = [
    module
    for provider in PROVIDERS
    for package in sorted(provider.glob("modelplug_*"))
    for module in modules(package)
]
EVERY = pytest.mark.parametrize(
    "module", [*CORE_MODULES, *PROVIDER_MODULES], ids=lambda module: str(module.name)
)
OF_CORE = pytest.mark.parametrize("module", CORE_MODULES, ids=lambda module: str(module.name))
OF_PROVIDERS = pytest.mark.parametrize(
    "module", PROVIDER_MODULES, ids=lambda module: str(module.name)
)


def imports(node: ast.AST, *, deferred: bool = False) -> Iterator[Import]:
    """The imports in ``node`` but for those that only type checkers see."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for otherwise in node.orelse:
            yield from imports(otherwise, deferred=deferred)
        return
    if isinstance(node, ast.Import):
        for each in node.names:
            yield Import(each.name, each.asname or root_of(each.name), node.lineno, deferred)
    if isinstance(node, ast.ImportFrom):
        start = "." * node.level + (node.module or "")
        for each in node.names:
            bound = each.asname or each.name
            yield Import(f"{start}.{each.name}", bound, node.lineno, deferred)
    deferred = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for child in ast.iter_child_nodes(node):
        yield from imports(child, deferred=deferred)


def own_imports(module: Module) -> list[Import]:
    """Imports of the core by the core, each with the module that it is of."""
    names = {each.name for each in CORE_MODULES}
    found = []
    for each in imports(module.tree):
        target = each.target if each.target in names else each.target.rpartition(".")[0]
        if target in names:
            found.append(each._replace(target=target))
    return found


def root_of(target: str) -> str:
    """The top-level package of an import."""
    return target.partition(".")[0]


def upward(module: Module) -> list[str]:
    """Imports of what doesn't stand below the importing module."""
    rank = RANKS[module.unit]
    return [
        f"{module.name} ({rank}) imports {each.target} ({other})"
        for each in own_imports(module)
        if (unit := Module(each.target, "").unit) != module.unit
        if (other := RANKS[unit]) >= rank
    ]


def unexplained(module: Module) -> list[str]:
    """Own imports in functions, but for those that may wait, with a comment that says why."""
    lines = module.source.splitlines()
    return [
        f"{module.name}:{each.line} defers the import of {each.target}"
        for each in own_imports(module)
        if each.deferred
        and not (module.unit in MAY_DEFER and _is_explained(lines[: each.line - 1]))
    ]


def _is_explained(above: list[str]) -> bool:
    """Whether a comment stands above an import, or above the block that it is part of."""
    others = [line.strip() for line in above if not line.strip().startswith(("from ", "import "))]
    return bool(others) and others[-1].startswith("#")


def strangers(module: Module) -> list[str]:
    """Imports of libraries that aren't for this module."""
    core = root_of(module.name) == "modelplug"
    allowed = {root_of(module.name), "modelplug", *sys.stdlib_module_names}
    allowed |= _of_core(module) if core else _of_provider(module)
    return [
        f"{module.name}:{each.line} imports {each.target}"
        for each in imports(module.tree)
        if root_of(each.target) not in allowed
    ]


def _of_core(module: Module) -> set[str]:
    named = (LIBRARIES.get(each, set()) for each in ("", module.unit, module.name))
    return set().union(*named)


def _of_provider(module: Module) -> set[str]:
    return LIBRARIES.get(root_of(module.name), set())


def inner(module: Module) -> list[str]:
    """Imports of the core that aren't of its public names, of its transport or of its testing."""
    public = {f"modelplug.{name}" for name in modelplug.__all__}
    packages = ("modelplug.transport.", "modelplug.testing.", "modelplug.conformance.")
    whole = {each.bound for each in imports(module.tree) if each.target == "modelplug"}
    return [
        f"{module.name}:{each.line} imports {each.target}"
        for each in imports(module.tree)
        if root_of(each.target) == "modelplug" and each.target != "modelplug"
        if each.target not in public and not each.target.startswith(packages)
    ] + [
        f"{module.name}:{each.lineno} uses modelplug.{each.attr}"
        for each in ast.walk(module.tree)
        if isinstance(each, ast.Attribute)
        if isinstance(each.value, ast.Name) and each.value.id in whole
        if f"modelplug.{each.attr}" not in public
    ]


def uses(module: Module, wanted: set[str]) -> list[str]:
    """Which of ``wanted`` a module names, by whatever way it imported them."""
    known = {
        each.bound: root_of(each.target) if each.bound == root_of(each.target) else each.target
        for each in imports(module.tree)
    }
    found = [each.target for each in imports(module.tree)]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            found.append(f"{known.get(head, head)}.{rest}")
    return sorted(wanted.intersection(found))


def prints(module: Module) -> list[int]:
    """Lines that print."""
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "pprint.pprint")
    ]


ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"}


class TestImports:
    @OF_CORE
    def test_a_module_imports_what_stands_below_it(self, module: Module) -> None:
        """Values know nothing, errors know values, and so on up to the command line."""
        assert upward(module) == []

    def test_every_module_has_a_rank(self) -> None:
        """The table is of the modules that there are, no more and no fewer."""
        assert {module.unit for module in CORE_MODULES} == set(RANKS)

    def test_no_imports_go_round(self) -> None:
        """There is an order in which every module finds what it imports already there."""
        graph = {each.name: {other.target for other in own_imports(each)} for each in CORE_MODULES}
        in_order = list(TopologicalSorter(graph).static_order())
        assert set(graph) == set(in_order)

    @OF_CORE
    def test_own_imports_stand_at_the_top(self, module: Module) -> None:
        """An import inside a function hides a cycle; who has a reason says it."""
        assert unexplained(module) == []

    def test_what_a_call_needs_is_behind_one_seam(self) -> None:
        """The contract waits with one import of its own, which brings all that a call needs."""
        (client,) = [each for each in CORE_MODULES if each.name == "modelplug.client"]
        deferred = [each.target for each in own_imports(client) if each.deferred]
        assert deferred == ["modelplug.caller"]

    @EVERY
    def test_libraries_are_those_that_were_agreed(self, module: Module) -> None:
        """No module, and no provider, imports a library, or a provider, that isn't its own."""
        assert strangers(module) == []

    @OF_PROVIDERS
    def test_providers_import_public_names(self, module: Module) -> None:
        """A stranger's plugin and ours stand on the same ground."""
        assert inner(module) == []

    @OF_CORE
    def test_values_and_errors_need_no_library(self, module: Module) -> None:
        """What everything else is built of has the standard library alone under it."""
        if module.unit in PURE:
            roots = {root_of(each.target) for each in imports(module.tree)}
            assert roots <= {"modelplug", *sys.stdlib_module_names}

    @EVERY
    def test_imports_are_absolute(self, module: Module) -> None:
        """An import says in full what it imports."""
        assert not [each for each in imports(module.tree) if each.target.startswith(".")]


class TestManners:
    @OF_CORE
    def test_core_names_no_provider(self, module: Module) -> None:
        """No list of providers can drift where there is none."""
        assert re.findall(r"modelplug_(?!(backend|model|no_network)\b)\w+", module.source) == []

    @EVERY
    def test_one_module_reads_the_environment(self, module: Module) -> None:
        """Whoever asks where a value came from has one place to look."""
        expected = ["os.environ"] if module.name == "modelplug.params" else []
        assert expected == uses(module, ENVIRONMENT)

    @EVERY
    def test_only_the_command_line_prints(self, module: Module) -> None:
        """Standard output is the app's."""
        assert module.unit == "cli" or not prints(module)

    @OF_CORE
    def test_one_module_makes_threads_and_loops(self, module: Module) -> None:
        """Whoever looks for a thread that hangs has one place to look."""
        if module.unit != "cli":
            assert MAY_MAKE.get(module.name, set()) == set(uses(module, MAKERS))


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has after some code."""
    told = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", told], capture_output=True, check=True, text=True
    )
    return set(json.loads(done.stdout))


def test_importing_the_core_is_light() -> None:
    """Neither a provider nor the libraries of an extra come along."""
    roots = {root_of(name) for name in loaded_by("import modelplug")}
    assert "modelplug" in roots
    assert not [name for name in roots if name in HEAVY or name.startswith("modelplug_")]


def test_making_a_client_waits_for_nothing_of_a_call() -> None:
    """No event loop, no TLS and no wire is imported before somebody asks."""
    making = "import modelplug\nclient = modelplug.new_client('echo')"
    before, after = loaded_by(making), loaded_by(f"{making}\nclient.sync_generate('hi')")
    assert "modelplug_echo.client" in before
    assert not OF_CALLS & before
    assert {"asyncio", "ssl", "modelplug.caller"} <= after


class TestTheseTests:
    """What the tests above would say of a slip."""

    @pytest.mark.parametrize(
        "source",
        [
            "from modelplug.registry import registry",
            "from modelplug import registry",
            "import modelplug.registry",
            "from modelplug import ModelOutput",
            "from modelplug.output import ModelOutput\ndef f():\n    from modelplug import cli",
            "if TYPE_CHECKING:\n    pass\nelse:\n    import modelplug.client",
        ],
    )
    def test_an_upward_import_is_seen(self, source: str) -> None:
        """In whatever form it is written."""
        assert len(upward(Module("modelplug.errors", source))) == 1

    @pytest.mark.parametrize(
        "source",
        [
            "from modelplug.output import ModelOutput",
            "if TYPE_CHECKING:\n    from modelplug.client import ProxyLLMClient",
            "import modelplugs",
        ],
    )
    def test_a_downward_import_is_fine(self, source: str) -> None:
        """So is one that only a type checker sees."""
        assert upward(Module("modelplug.errors", source)) == []

    def test_a_fault_is_told_with_its_ranks(self) -> None:
        """The message says what stands where."""
        fault = upward(Module("modelplug.errors", "import modelplug.registry"))
        assert fault == ["modelplug.errors (L1.0) imports modelplug.registry (L3.1)"]

    @pytest.mark.parametrize(
        ("name", "source", "expected"),
        [
            ("cli.x", "def f():\n    # Slow.\n    import modelplug.call", 0),
            ("cli.x", "def f():\n    # Slow.\n    import re\n    import modelplug.call", 0),
            ("cli.x", "def f():\n    import modelplug.call", 1),
            ("stream", "def f():\n    # Slow.\n    import modelplug.call", 1),
            ("policies.x", "def f():\n    # Slow.\n    import modelplug.call", 0),
            ("client", "def f():\n    import re", 0),
        ],
        ids=["said", "said-above", "not-said", "elsewhere", "policies", "not-own"],
    )
    def test_a_deferred_import_is_seen(self, name: str, source: str, expected: int) -> None:
        """Only few may, the command line first, and only with a comment."""
        assert expected == len(unexplained(Module(f"modelplug.{name}", source)))

    @pytest.mark.parametrize(
        ("name", "source", "expected"),
        [
            ("modelplug.call", "import click", 1),
            ("modelplug.call", "import websockets.client", 1),
            ("modelplug.cli.app", "from rich.table import Table", 0),
            ("modelplug.call", "import modelplug_echo", 1),
            ("modelplug_echo.client", "from modelplug_spark.codes import MEANINGS", 1),
            ("modelplug_echo.client", "import pydantic, re, modelplug_echo.options", 0),
        ],
    )
    def test_a_stranger_is_seen(self, name: str, source: str, expected: int) -> None:
        """Libraries and other providers alike."""
        assert expected == len(strangers(Module(name, source)))

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("from modelplug import Delta", 0),
            ("from modelplug.transport.websocket import connect", 0),
            ("from modelplug.delta import Delta", 1),
            ("from modelplug import registry", 1),
            ("import modelplug.registry", 1),
        ],
    )
    def test_an_inner_import_is_seen(self, source: str, expected: int) -> None:
        """Only what is public is for providers."""
        assert expected == len(inner(Module("modelplug_acme.client", source)))

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("import os\nos.environ['A']", ["os.environ"]),
            ("import os as o\no.environ['A']", ["os.environ"]),
            ("from os import getenv", ["os.getenv"]),
            ("def f():\n    import os\n    return os.getenv('A')", ["os.getenv"]),
            ('"""os.environ"""', []),
            ("settings.environment", []),
        ],
    )
    def test_a_look_at_the_environment_is_seen(self, source: str, expected: list[str]) -> None:
        """In whatever form it is written, but not where it is only spoken of."""
        assert expected == uses(Module("modelplug.call", source), ENVIRONMENT)

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("import threading\nthreading.Thread()", ["threading.Thread"]),
            ("from threading import Thread", ["threading.Thread"]),
            ("import threading as t\nt.Thread()", ["threading.Thread"]),
            ("import concurrent.futures\nconcurrent.futures.Future()", []),
            ("import asyncio\nasyncio.run(f())", ["asyncio.run"]),
            ("import threading\nthreading.Lock()", []),
        ],
    )
    def test_a_thread_is_seen(self, source: str, expected: list[str]) -> None:
        """In whatever form it is written."""
        assert expected == uses(Module("modelplug.call", source), MAKERS)
