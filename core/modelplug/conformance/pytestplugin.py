"""``pytest --conformance``: each check in each direction is a test, ``acme::STR-01[async-stream]``.

Cells are looked at in a process of their own, as by ``modelplug conformance --jobs``: what pytest
and a suite do to warnings, logging and standard output doesn't reach the plugin, and verdicts are
the same. Loaded by pytest-modelplug, a distribution of one file, which adds the options.
"""

from __future__ import annotations

import json
import shlex
import tomllib
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path, PurePath
from typing import Any, NoReturn, cast

import pytest
from packaging.utils import canonicalize_name

from modelplug.conformance.baseline import Baseline, BaselineError, apply, read
from modelplug.conformance.check import PROFILES, Check, Profile
from modelplug.conformance.conditions import QUANTUM, Conditions
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.processes import Looker
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.requirements import NEWEST, named, scored
from modelplug.conformance.runner import Subject, all_checks, places
from modelplug.conformance.selfcheck import self_checked
from modelplug.conformance.telling import failure, plain
from modelplug.errors import ProxyLLMError
from modelplug.registry import registry

__all__ = ["CheckItem", "Conformance", "ConformanceWarning", "Plan", "configure"]

_NODES = "conformance_nodes"
"""Where the ids of the command line go: from there they come to pytest-xdist's workers, too."""

_TOLD = "conformance_cell"
"""The attribute of a test's last report that has its cell, as JSON."""


class ConformanceWarning(UserWarning):
    """A SHOULD is broken."""


class BrokenRuleError(AssertionError):
    """A rule is broken; the message says all that there is to say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        subjects: who is checked, by the name that ids begin with.
        checks: which checks.
        level: the level up to which everything is looked at.
        quantum: seconds that limits are multiples of.
        seed: what random choices come from.
        baseline: what is known to fail.
        strict: whether warnings fail.
        nodes: ids that alone are wanted, or beginnings of them; none for all.
        options: what of the command line has to be repeated to see the same.
    """

    subjects: Mapping[str, Subject]
    checks: Sequence[Check]
    level: Profile
    quantum: float
    seed: int
    baseline: Baseline
    strict: bool
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
        subject = self.subjects[name]
        found = Report(
            backend=subject.backend.name,
            distribution=subject.plugin.dist,
            version=subject.plugin.version,
            checks=tuple(self.checks),
            cells=tuple(cells),
            asked=asked,
            conditions=replace(
                Conditions.here(seed=self.seed, quantum=self.quantum), strict=self.strict
            ),
        )
        known = {each.id for each in all_checks()}
        today = date.today()  # noqa: DTZ011  # the user's
        return apply(scored(found, named(NEWEST)), self.baseline, known=known, today=today)


def configure(config: pytest.Config) -> None:
    """Plan what options and configuration ask for, and take part.

    Raises:
        pytest.UsageError: there is no such backend, it has no harness, or an option is wrong.
    """
    plan = _plan(config)
    if config.args_source is config.ArgsSource.ARGS:
        config.args = [each for each in config.args if not _is_node(each, plan.subjects)]
    else:  # nobody named the suite's own tests
        config.args = []
    config.pluginmanager.register(Conformance(config, plan), "modelplug-conformance")


class Conformance:
    """Collects the checks, and tells of the level."""

    def __init__(self, config: pytest.Config, plan: Plan) -> None:
        self.plan = plan
        self._is_worker = hasattr(config, "workerinput")
        self._lookers: dict[str, Looker] = {}
        self._faults: dict[str, Sequence[str]] = {}
        self._cells: dict[str, dict[str, Cell]] = {name: {} for name in plan.subjects}
        config.add_cleanup(self._close)

    def looker(self, name: str) -> Looker:
        """The process that looks at a backend."""
        if name not in self._lookers:
            plugin = self.plan.subjects[name].plugin
            self._lookers[name] = Looker(
                plugin.name, plugin.dist, seed=self.plan.seed, quantum=self.plan.quantum
            )
        return self._lookers[name]

    def faults(self, name: str) -> Sequence[str]:
        """What a backend's harness says wrongly by itself; then no check says anything."""
        if name not in self._faults:
            cells = self_checked(self.plan.subjects[name].harness)
            bad = [cell for cell in cells if cell.verdict == "harness"]
            self._faults[name] = [f"{cell.name} harness: {cell.told}" for cell in bad]
        return self._faults[name]

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the backends to what a session has."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            for name in self.plan.subjects:
                node = _BackendNode.from_parent(collector, name=name, nodeid=name, kit=self)
                report.result.append(node)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give a test's last report its cell."""
        report = yield
        if report.when == "teardown" and isinstance(item, CheckItem) and item.cell:
            setattr(report, _TOLD, json.dumps([item.backend, asdict(item.cell)]))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the cell."""
        if told := getattr(report, _TOLD, None):
            name, cell = json.loads(told)
            self._cells[name][report.nodeid] = Cell(**cell)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Fail the run where the baseline is stale."""
        done = yield
        if not self._is_worker:
            session.testsfailed += sum(len(report.stale) for report in self._reports())
        return done

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the level, where everything was run, and what is stale."""
        for report in self._reports():
            for cell in report.stale:
                terminalreporter.line(plain(f"{cell.name} STALE: {cell.told}"), red=True)
            terminalreporter.line(_level(report))

    def _reports(self) -> Iterator[Report]:
        """Those of the backends of which everything was run."""
        order = [_node(check, name) for check, name in places(self.plan.checks)]
        for name, found in self._cells.items():
            wanted = [f"{name}::{each}" for each in order]
            if wanted and all(each in found for each in wanted):
                cells = [found[each] for each in wanted]
                yield self.plan.report(name, cells, asked=self.plan.level)

    def _close(self) -> None:
        for looker in self._lookers.values():
            looker.close()


class _BackendNode(pytest.Collector):
    """A backend: its tests are the checks, in each direction."""

    def __init__(self, *, kit: Conformance, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._kit = kit

    def collect(self) -> Iterator[pytest.Item]:
        """All that is asked for, in the order of the catalogue."""
        for check, direction in places(self._kit.plan.checks):
            name = _node(check, direction)
            if self._kit.plan.wants(f"{self.name}::{name}"):
                yield CheckItem.from_parent(
                    self,
                    name=name,
                    nodeid=f"{self.name}::{name}",  # as it is read back by --lf
                    kit=self._kit,
                    check=check,
                    direction=direction,
                )


class CheckItem(pytest.Item):
    """One check in one direction.

    Attributes:
        backend: whose it is.
        cell: what came of it, once it was looked at.
    """

    def __init__(
        self, *, kit: Conformance, check: Check, direction: DirectionName, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.backend = "" if self.parent is None else self.parent.name
        self.cell: Cell | None = None
        self._kit = kit
        self._check = check
        self._direction = direction

    def setup(self) -> None:
        """Look: what fails here is an error, as it is where the harness is at fault."""
        if faults := self._kit.faults(self.backend):
            pytest.fail("\n".join(map(plain, faults)), pytrace=False)
        self.cell = self._kit.looker(self.backend).look(self._check.id, self._direction)
        if self.cell.verdict == "harness":
            pytest.fail(self._failure(self.cell), pytrace=False)

    def runtest(self) -> None:
        """Say what came of it."""
        if self.cell is None:  # never, as it is set up before
            return
        report = self._kit.plan.report(self.backend, [self.cell])
        cell = report.cells[0]
        if report.fails(cell):
            raise BrokenRuleError(self._failure(cell))
        if cell.verdict == "n/a":
            pytest.skip(plain(cell.told))
        if cell.verdict == "xfail":
            pytest.xfail(plain(cell.told))
            raise BrokenRuleError(self._failure(self.cell))  # with --runxfail nothing is expected
        if cell.verdict != "pass":
            self._warn(f"{cell.name} {cell.verdict}: {self._check.rule} {cell.told}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What happened, instead of the kit's own frames."""
        if isinstance(excinfo.value, BrokenRuleError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The project, and the check's id."""
        return self.path, 0, f"{self.backend}::{self.name}"

    def _failure(self, cell: Cell) -> str:
        again = self._kit.plan.again(self.backend, self.nodeid)
        return "\n".join(failure(self._check, cell, again=again))

    def _warn(self, told: str) -> None:
        """Warn, and no more than that: a suite that makes errors of warnings means its own."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", ConformanceWarning)
            self.warn(ConformanceWarning(plain(told)))


def _node(check: Check, direction: DirectionName) -> str:
    return f"{check.id}[{direction}]" if check.directions else check.id


def _head(argument: str) -> str:
    """The backend in an id, which pytest shows relative to where it was called."""
    return PurePath(argument.partition("::")[0]).name


def _is_node(argument: str, subjects: Mapping[str, Subject]) -> bool:
    return "::" in argument and _head(argument) in subjects


def _level(report: Report) -> str:
    told = f"conformance of {report.backend} {report.version}: {len(report.cells)} cells"
    if report.status == 3:
        return f"{told}, the harness is at fault, so the run says nothing of the plugin"
    failed = f"{len(report.failures)} failed" if report.failures else "nothing failed"
    return f"{told}, {failed}, level: {report.level or 'none'}"


# ---------------------------------------------------------------------- options


def _plan(config: pytest.Config) -> Plan:
    subjects = {name: _subject(name) for name in _backends(config)}
    level = _asked(config)
    upto = PROFILES[: PROFILES.index(level) + 1]
    checks = [each for each in all_checks() if each.profile in upto]
    plan = Plan(
        subjects=subjects,
        checks=checks,
        level=level,
        quantum=_quantum(config),
        seed=_seed(config),
        baseline=_baseline(config),
        strict=bool(config.getoption("conformance_strict") or config.getini("conformance_strict")),
        nodes=_nodes(config, subjects),
        options=_repeated(config),
    )
    every = [f"{name}::{_node(*place)}" for name in subjects for place in places(checks)]
    for node in plan.nodes:
        if not any(replace(plan, nodes=[node]).wants(each) for each in every):
            raise pytest.UsageError(f"not found: {node}")
    return plan


def _asked(config: pytest.Config) -> Profile:
    level = config.getoption("conformance_level") or config.getini("conformance_level")
    if level and level not in PROFILES:
        raise pytest.UsageError(f"conformance_level: {level!r} is none of {', '.join(PROFILES)}")
    return cast(Profile, level) if level else PROFILES[-1]


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


def _subject(given: str) -> Subject:
    name, _, dist = given.partition("@")
    try:
        return Subject.of(name, dist or None)
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


def _nodes(config: pytest.Config, subjects: Mapping[str, Subject]) -> Sequence[str]:
    """Ids of the command line."""
    if not hasattr(config.option, _NODES):
        found = [
            _head(each) + each.removeprefix(each.partition("::")[0])
            for each in (config.getoption("conformance"), *config.args)
            if _is_node(each, subjects)
        ]
        setattr(config.option, _NODES, found)
    nodes: Sequence[str] = getattr(config.option, _NODES)
    return nodes


def _repeated(config: pytest.Config) -> Sequence[str]:
    options = {"quantum": "--conformance-quantum", "seed": "--conformance-seed"}
    given = {name: config.getoption(f"conformance_{name}") for name in options}
    return [f"{options[name]}={value:g}" for name, value in given.items() if value is not None]
