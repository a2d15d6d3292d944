"""What ``pytest --conformance`` is asked, by its options and by the configuration."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import NoReturn, cast

import pytest
from packaging.utils import canonicalize_name

from modelplug.conformance.baseline import Baseline, BaselineError, read
from modelplug.conformance.check import PROFILES, Check, Profile
from modelplug.conformance.conditions import QUANTUM, Conditions
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.runner import places
from modelplug.conformance.scope import Scope
from modelplug.conformance.standard import Standard
from modelplug.errors import ProxyLLMError
from modelplug.plugins import InstalledPlugin
from modelplug.registry import registry

__all__ = ["Plan", "is_node", "node_of", "plan_of"]

_NODES = "conformance_nodes"
"""Where the ids of the command line go: from there they come to pytest-xdist's workers, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        plugins: who is checked, by the name that ids begin with.
        scope: which checks.
        conditions: the numbers that a run has.
        standard: what its report is held against.
        nodes: ids that alone are wanted, or beginnings of them; none for all.
        options: what of the command line has to be repeated to see the same.
    """

    plugins: Mapping[str, InstalledPlugin]
    scope: Scope
    conditions: Conditions
    standard: Standard
    nodes: Sequence[str]
    options: Sequence[str]

    def wants(self, node: str) -> bool:
        """Whether a test is asked for."""
        return not self.nodes or any(
            node == each or node.startswith((f"{each}::", f"{each}[")) for each in self.nodes
        )

    def again(self, name: str, node: str) -> str:
        """The command that runs one test alone."""
        return shlex.join(["pytest", f"--conformance={name}", node, *self.options])

    def report(self, name: str, cells: Sequence[Cell], *, asked: Profile | None = None) -> Report:
        """A report of some cells, held against the baseline."""
        plugin = self.plugins[name]
        found = Report(
            backend=plugin.name,
            distribution=plugin.dist,
            version=plugin.version,
            checks=self.scope.checks,
            cells=tuple(cells),
            asked=asked,
            conditions=self.conditions,
        )
        return self.standard.held(found)


def plan_of(config: pytest.Config) -> Plan:
    """What options and configuration ask for.

    Raises:
        pytest.UsageError: there is no such backend, or an option is wrong.
    """
    plugins = {name: _plugin(name) for name in _backends(config)}
    strict = bool(config.getoption("conformance_strict") or config.getini("conformance_strict"))
    scope = Scope.of(_asked(config), strict=strict)
    made = Conditions.here(seed=_seed(config), quantum=_quantum(config))
    plan = Plan(
        plugins=plugins,
        scope=scope,
        conditions=replace(made, strict=scope.strict),
        standard=Standard.of(_baseline(config)),
        nodes=_nodes(config, plugins),
        options=_repeated(config, strict=scope.strict),
    )
    every = [f"{name}::{node_of(*place)}" for name in plugins for place in places(scope.checks)]
    for node in plan.nodes:
        if not any(replace(plan, nodes=[node]).wants(each) for each in every):
            raise pytest.UsageError(f"not found: {node}")
    return plan


def _asked(config: pytest.Config) -> Profile | None:
    level = config.getoption("conformance_level") or config.getini("conformance_level")
    if level and level not in PROFILES:
        raise pytest.UsageError(f"conformance_level: {level!r} is none of {', '.join(PROFILES)}")
    return cast(Profile, level) if level else None


def _backends(config: pytest.Config) -> list[str]:
    given = str(config.getoption("conformance"))
    if given and "::" not in given and (config.invocation_params.dir / given).exists():
        raise pytest.UsageError(
            f"--conformance takes {given!r} for a backend: name files before it"
        )
    if given:
        return [given.partition("::")[0]]
    if configured := config.getini("modelplug_backend"):
        return list(dict.fromkeys(configured))
    project = _project(config.rootpath)
    installed = registry().backends()
    own = [each.name for each in installed if project == canonicalize_name(each.dist)]
    if own:
        return own
    known = ", ".join(sorted({each.name for each in installed})) or "none"
    brings = f"{project} brings no backend" if project else "no project's pyproject.toml is here"
    raise pytest.UsageError(
        f"--conformance: {brings}, as far as is installed; name one by --conformance=BACKEND, or by"
        f" modelplug_backend in pytest's configuration (installed: {known})"
    )


def _project(root: Path) -> str:
    """The distribution that is under test; empty where nothing tells."""
    try:
        document = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    name = document.get("project", {}).get("name")
    return canonicalize_name(name) if isinstance(name, str) else ""


def _plugin(given: str) -> InstalledPlugin:
    name, _, dist = given.partition("@")
    try:
        return registry().find(name, dist or None)
    except ProxyLLMError as error:
        _refuse("--conformance", error)


def _refuse(what: str, error: ProxyLLMError) -> NoReturn:
    hint = f"; {error.hint}" if error.hint else ""
    raise pytest.UsageError(f"{what}: {error}{hint}") from None


def _quantum(config: pytest.Config) -> float:
    given = config.getoption("conformance_quantum")
    told = config.getini("conformance_quantum") or QUANTUM if given is None else given
    try:
        quantum = float(told)
    except ValueError:
        quantum = 0.0
    if not 0.01 <= quantum <= 60:
        raise pytest.UsageError(f"a quantum is between 0.01 and 60 seconds, and not {told}")
    return quantum


def _seed(config: pytest.Config) -> int:
    """One for the whole run, pytest-xdist's workers included."""
    given = config.getoption("conformance_seed")
    return int(given or 0)


def _baseline(config: pytest.Config) -> Baseline:
    given = config.getoption("conformance_baseline")
    paths = (
        [config.invocation_params.dir / given] if given else config.getini("conformance_baseline")
    )
    try:
        return Baseline(xfail=tuple(each for path in paths for each in read(path).xfail))
    except BaselineError as error:
        _refuse("--conformance", error)


def _nodes(config: pytest.Config, plugins: Mapping[str, InstalledPlugin]) -> Sequence[str]:
    """Ids of the command line."""
    if not hasattr(config.option, _NODES):
        found = [
            _head(each) + each.removeprefix(each.partition("::")[0])
            for each in (config.getoption("conformance"), *config.args)
            if is_node(each, plugins)
        ]
        setattr(config.option, _NODES, found)
    nodes: Sequence[str] = getattr(config.option, _NODES)
    return nodes


def _repeated(config: pytest.Config, *, strict: bool) -> Sequence[str]:
    options = {"quantum": "--conformance-quantum", "seed": "--conformance-seed"}
    given = {name: config.getoption(f"conformance_{name}") for name in options}
    told = [f"{options[name]}={value:g}" for name, value in given.items() if value is not None]
    return [*told, "--conformance-strict"] if strict else told


def node_of(check: Check, direction: DirectionName) -> str:
    """What the test of a check in a direction is called, but for the backend."""
    return f"{check.id}[{direction}]" if check.directions else check.id


def _head(argument: str) -> str:
    """The backend in an id, which pytest shows relative to where it was called."""
    return PurePath(argument.partition("::")[0]).name


def is_node(argument: str, plugins: Mapping[str, InstalledPlugin]) -> bool:
    """Whether an argument of the command line is the id of a check's test, or begins one."""
    return "::" in argument and _head(argument) in plugins
