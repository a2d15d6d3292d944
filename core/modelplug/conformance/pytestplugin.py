"""``pytest --conformance``: each check in each direction is a test, ``acme::STR-01[async-stream]``.

Cells are looked at in a process of their own, as by ``modelplug conformance --jobs``: what pytest
and a suite do to warnings, logging and standard output doesn't reach the plugin, and verdicts are
the same. Loaded by pytest-modelplug, a distribution of one file, which adds the options.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from modelplug.conformance.check import Check
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.failuretext import failure, plain
from modelplug.conformance.headline import level
from modelplug.conformance.processes import Looker, NotLoadedError
from modelplug.conformance.pytestoptions import Plan, is_node, node_of, plan_of
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.runner import places

__all__ = ["CheckItem", "Conformance", "ConformanceWarning", "configure"]

_TOLD = "conformance_cell"
"""The attribute of a test's last report that has its cell, as JSON."""


class ConformanceWarning(UserWarning):
    """A SHOULD is broken."""


class BrokenRuleError(AssertionError):
    """A rule is broken; the message says all that there is to say."""


def configure(config: pytest.Config) -> None:
    """Plan what options and configuration ask for, and take part.

    Raises:
        pytest.UsageError: there is no such backend, or an option is wrong.
    """
    plan = plan_of(config)
    if config.args_source is config.ArgsSource.ARGS:
        config.args = [each for each in config.args if not is_node(each, plan.plugins)]
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
        self._cells: dict[str, dict[str, Cell]] = {name: {} for name in plan.plugins}
        config.add_cleanup(self._close)

    def looker(self, name: str) -> Looker:
        """The process that looks at a backend."""
        if name not in self._lookers:
            plugin, made = self.plan.plugins[name], self.plan.conditions
            self._lookers[name] = Looker(
                plugin.name, plugin.dist, seed=made.seed or 0, quantum=made.quantum
            )
        return self._lookers[name]

    def faults(self, name: str) -> Sequence[str]:
        """What a backend's harness says wrongly by itself; then no check says anything.

        Raises:
            NotLoadedError: it can't be loaded, or the plugin can't.
        """
        if name not in self._faults:
            try:
                cells = self.looker(name).load()
            except NotLoadedError as error:
                self._faults[name] = [error.message]  # nobody tries again
                raise
            bad = [cell for cell in cells if cell.verdict == "harness"]
            self._faults[name] = [f"{cell.name} harness: {cell.told}" for cell in bad]
        return self._faults[name]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Load what will be looked at, before the first test.

        Raises:
            pytest.UsageError: it can't be loaded, or has no harness.
        """
        if session.config.option.collectonly or self._is_worker:
            return
        for name in dict.fromkeys(x.backend for x in session.items if isinstance(x, CheckItem)):
            try:
                self.faults(name)
            except NotLoadedError as error:
                told = [text for text in (error.message, error.cause, error.hint) if text]
                raise pytest.UsageError(f"--conformance: {'; '.join(told)}") from None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the backends to what a session has."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            for name in self.plan.plugins:
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
        order = [node_of(*place) for place in places(self.plan.scope.checks)]
        for name, found in self._cells.items():
            wanted = [f"{name}::{each}" for each in order]
            if wanted and all(each in found for each in wanted):
                cells = [found[each] for each in wanted]
                yield self.plan.report(name, cells, asked=self.plan.scope.level)

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
        for check, direction in places(self._kit.plan.scope.checks):
            name = node_of(check, direction)
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
        try:
            faults = self._kit.faults(self.backend)
        except NotLoadedError as error:  # in a worker of pytest-xdist's: else it was told before
            faults = [error.message]
        if faults:
            pytest.fail("\n".join(map(plain, faults)), pytrace=False)
        self.cell = self._kit.looker(self.backend).look(self._check, self._direction)
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


def _level(report: Report) -> str:
    told = f"conformance of {report.backend} {report.version}: {len(report.cells)} cells"
    if report.status == 3:
        return f"{told}, the harness is at fault, so the run says nothing of the plugin"
    failed = f"{len(report.failures)} failed" if report.failures else "nothing failed"
    return f"{told}, {failed}, level: {level(report)}"
