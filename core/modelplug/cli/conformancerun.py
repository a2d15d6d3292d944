"""A run of the conformance kit as the command line asks for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, cast
from unittest.mock import patch

import click

from modelplug.cli.failure import FAILED, Failure
from modelplug.cli.progress import Progress
from modelplug.conformance.baseline import Baseline, BaselineError, read
from modelplug.conformance.check import Check, Profile, Rule
from modelplug.conformance.conditions import QUANTUM, QUICK_QUANTUM, drawn
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.processes import NotLoadedError, usable
from modelplug.conformance.repeats import merged
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.requirements import NEWEST
from modelplug.conformance.runner import all_checks, run, spread
from modelplug.conformance.scope import Scope
from modelplug.conformance.standard import Standard
from modelplug.conformance.subject import Subject
from modelplug.errors import BackendNotFoundError, PluginConflictError, ProxyLLMError
from modelplug.plugins import InstalledPlugin
from modelplug.registry import registry

__all__ = ["Plan", "found", "listed"]

_HARNESS = 3
"""Exit status where the harness is at fault, or where there is none."""

_TERMINATED = 143
"""SIGTERM: 128 and the signal's number, as shells count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        checks: which checks.
        directions: which ways of asking; None for all.
        level: the level that is asked for; None shows the highest.
        asked: the level up to which nothing was left out; None if something was.
        quantum: seconds that limits are multiples of.
        repeat: how many times.
        jobs: how many processes look; 1 is this process itself, for a debugger.
        seed: what random choices come from; None draws one.
        strict: whether warnings fail.
        set_name: the requirement set that says what counts.
    """

    checks: Sequence[Check]
    directions: Sequence[DirectionName] | None
    level: Profile | None
    asked: Profile | None
    quantum: float
    repeat: int
    jobs: int = 1
    seed: int | None = None
    strict: bool = False
    set_name: str = NEWEST

    @classmethod
    def of(
        cls,
        *,
        level: str | None,
        ids: Sequence[str],
        directions: Sequence[DirectionName],
        quantum: float | None = None,
        repeat: int = 1,
        jobs: int | None = None,
        seed: int | None = None,
        quick: bool = False,
        strict: bool = False,
        set_name: str | None = None,
    ) -> Plan:
        """What options ask for.

        Raises:
            click.UsageError: there is no such check, or nothing is left to look at.
        """
        profile = cast(Profile | None, level)
        scope = Scope.of(profile, strict=strict)
        if unknown := sorted(set(ids) - {each.id for each in all_checks()}):
            raise click.UsageError(f"there is no check {unknown[0]!r}; --list tells which are")
        checks = [each for each in scope.checks if not ids or each.id in ids]
        if not checks:
            raise click.UsageError(f"{', '.join(ids)}: not of the level {scope.level}")
        if directions and not any(_is_looked(each, directions) for each in checks):
            raise click.UsageError(f"none of these checks is made in {', '.join(directions)}")
        return cls(
            checks=[_in_one(each, directions) for each in checks] if quick else checks,
            directions=tuple(directions) or None,
            level=profile,
            asked=None if ids or directions or quick else scope.level,
            quantum=quantum or (QUICK_QUANTUM if quick else QUANTUM),
            repeat=repeat,
            # Unasked never in this process, which a plugin could end; and a quick look, which
            # gives no level, waits half of its time.
            jobs=jobs or max(2, usable() + quick),
            seed=seed,
            strict=scope.strict,
            set_name=set_name or NEWEST,
        )


class NoHarnessError(Failure):
    """Without a harness, nothing can be said."""

    exit_code = _HARNESS


def found(backend: str, plan: Plan, baseline: Path | None) -> Report:
    """What a run of the plan finds, held against the baseline.

    Raises:
        click.UsageError: there is no such backend, or the baseline can't be read.
        NoHarnessError: there is no harness, or it can't be loaded.
        Failure: the plugin can't be loaded; PluginError, where it is loaded in this process.
        click.exceptions.Exit: SIGTERM came.
    """
    standard = Standard.of(_baseline(baseline), set_name=plan.set_name)
    look = _looking(_plugin(backend), plan)
    seed = drawn() if plan.seed is None else plan.seed
    started = time.monotonic()
    with Progress.of(plan.checks, plan.directions, times=plan.repeat) as progress:
        reports = [look(seed + number, progress) for number in range(plan.repeat)]
    report = merged(reports)
    made = replace(report.conditions, strict=plan.strict, dist=backend.partition("@")[2])
    seconds = time.monotonic() - started
    return standard.held(replace(report, asked=plan.asked, conditions=made, seconds=seconds))


def listed(checks: Sequence[Rule]) -> list[str]:
    """A line for each check: id, area, level, whether it must hold, title and rule."""
    return [
        "\t".join(
            (
                each.id,
                each.area,
                each.profile,
                "MUST" if each.must else "SHOULD",
                f"{each.title}: {each.rule}",
            )
        )
        for each in checks
    ]


def _in_one(check: Check, directions: Sequence[DirectionName]) -> Check:
    """The check in one of its directions: by its number, so that all directions have their turn."""
    left = [each for each in check.directions if not directions or each in directions]
    return replace(check, directions=left[int(check.id[4:]) % len(left) :][:1]) if left else check


def _is_looked(check: Check, directions: Sequence[DirectionName]) -> bool:
    return not check.directions or bool(set(check.directions) & set(directions))


def _baseline(path: Path | None) -> Baseline:
    try:
        return read(path) if path else Baseline()
    except BaselineError as error:
        message = error.message
    raise click.UsageError(message)


def _plugin(backend: str) -> InstalledPlugin:
    name, _, dist = backend.partition("@")
    try:
        return registry().find(name, dist or None)
    except (BackendNotFoundError, PluginConflictError) as error:
        message = f"{error}; {error.hint}" if error.hint else str(error)
    raise click.UsageError(message)


def _looking(
    plugin: InstalledPlugin, plan: Plan
) -> Callable[[int, Callable[[Cell], None]], Report]:
    """What makes a run of a seed, and tells of each cell."""

    def here(seed: int, progress: Callable[[Cell], None]) -> Report:
        with _never_succeeding():
            return run(
                _subject(plugin),
                plan.checks,
                directions=plan.directions,
                quantum=plan.quantum,
                seed=seed,
                progress=progress,
            )

    def elsewhere(seed: int, progress: Callable[[Cell], None]) -> Report:
        with _terminable():
            return spread(
                plugin,
                plan.checks,
                directions=plan.directions,
                quantum=plan.quantum,
                seed=seed,
                progress=progress,
                jobs=plan.jobs,
            )

    def loaded(seed: int, progress: Callable[[Cell], None]) -> Report:
        try:
            return elsewhere(seed, progress)
        except NotLoadedError as error:
            kind = NoHarnessError if error.of_harness else Failure
            failure = kind(error.message, cause=error.cause, hint=error.hint)
        raise failure

    return here if plan.jobs == 1 else loaded


def _subject(plugin: InstalledPlugin) -> Subject:
    """The plugin, loaded in this process."""
    registry().load(plugin.name, plugin.dist)
    try:
        return Subject.of(plugin.name, plugin.dist)
    except ProxyLLMError as error:
        message, hint = str(error), error.hint
    raise NoHarnessError(message, hint=hint)


class _TerminatedError(BaseException):
    """SIGTERM came; like Ctrl-C, nothing on the way catches it."""


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM leaves the block, and so ends the processes that look, before it ends this one."""

    def end(*_: object) -> NoReturn:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _TerminatedError:
        raise click.exceptions.Exit(_TERMINATED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _never_succeeding() -> Iterator[None]:
    """A plugin that ends this process in the block doesn't make it look like success."""
    leave, own = os._exit, os.getpid()

    def end(status: int) -> NoReturn:
        if os.getpid() != own:
            leave(status)
        click.echo(f"error: the plugin ended this process: exit status {status}", err=True)
        leave(status or FAILED)

    with patch("os._exit", end):
        yield
