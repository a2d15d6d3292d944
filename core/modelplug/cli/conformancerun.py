"""A run of the conformance kit as the command line asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import click

from modelplug.cli.failure import Failure
from modelplug.cli.progress import Progress
from modelplug.conformance.baseline import Baseline, BaselineError, read
from modelplug.conformance.check import Check, Profile, Rule
from modelplug.conformance.conditions import QUANTUM, QUICK_QUANTUM, drawn
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.processes import usable
from modelplug.conformance.repeats import merged
from modelplug.conformance.report import Report
from modelplug.conformance.requirements import NEWEST
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.scope import Scope
from modelplug.conformance.standard import Standard
from modelplug.conformance.subject import Subject
from modelplug.errors import BackendNotFoundError, PluginConflictError, ProxyLLMError
from modelplug.registry import registry

__all__ = ["Plan", "found", "listed"]

_HARNESS = 3
"""Exit status where the harness is at fault, or where there is none."""


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
        jobs: how many processes look.
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
            jobs=jobs or usable() + quick,  # it gives no level, and waits half of its time
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
        PluginError: the plugin can't be loaded.
    """
    standard = Standard.of(_baseline(baseline), set_name=plan.set_name)
    subject = _subject(backend)
    seed = drawn() if plan.seed is None else plan.seed
    with Progress.of(plan.checks, plan.directions, times=plan.repeat) as progress:
        reports = [
            run(
                subject,
                plan.checks,
                directions=plan.directions,
                quantum=plan.quantum,
                jobs=plan.jobs,
                seed=seed + number,
                progress=progress,
            )
            for number in range(plan.repeat)
        ]
    report = merged(reports)
    made = replace(report.conditions, strict=plan.strict, dist=backend.partition("@")[2])
    return standard.held(replace(report, asked=plan.asked, conditions=made))


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


def _subject(backend: str) -> Subject:
    name, _, dist = backend.partition("@")
    try:
        registry().find(name, dist or None)
    except (BackendNotFoundError, PluginConflictError) as error:
        message = f"{error}; {error.hint}" if error.hint else str(error)
        raise click.UsageError(message) from None
    registry().load(name, dist or None)
    try:
        return Subject.of(name, dist or None)
    except ProxyLLMError as error:
        message, hint = str(error), error.hint
    raise NoHarnessError(message, hint=hint)
