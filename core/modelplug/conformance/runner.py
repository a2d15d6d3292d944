"""Runs checks against a backend, one cell after the other, and says how each went."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from modelplug.backend import Backend
from modelplug.conformance import checks
from modelplug.conformance.check import Check, registered
from modelplug.conformance.directions import Direction, DirectionName, Loop
from modelplug.conformance.expect import Expect
from modelplug.conformance.harness import Harness
from modelplug.conformance.lab import Lab, told
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.verdict import NotApplicable, Untestable, Verdict, Violation
from modelplug.errors import ProxyLLMError, WrongUseError
from modelplug.plugins import InstalledPlugin, load_attribute
from modelplug.registry import registry

__all__ = ["Subject", "all_checks", "run"]

_PATIENCE = 20
"""Quanta after which a call of the plugin counts as hanging."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Who is checked: a backend, its plugin, and the harness that its author wrote."""

    backend: Backend
    plugin: InstalledPlugin
    harness: Harness

    @classmethod
    def of(cls, name: str, dist: str | None = None) -> Subject:
        """The installed backend called ``name``.

        Raises:
            WrongUseError: its plugin has no harness.
            PluginError: there is no such backend, or its plugin is faulty.
        """
        plugin = registry().find(name, dist)
        backend = registry().load(plugin.name, plugin.dist)
        if backend.harness is None:
            raise WrongUseError(
                f"{plugin.dist} {plugin.version} has no conformance harness for {name!r}",
                hint="its author names one by Backend(harness='module:attribute')",
            )
        harness = load_attribute(backend.harness, plugin)
        if not isinstance(harness, Harness):
            raise WrongUseError(f"{backend.harness} is no modelplug.conformance.Harness")
        return cls(backend=backend, plugin=plugin, harness=harness)


def all_checks() -> list[Check]:
    """All checks that there are."""
    for each in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}."):
        importlib.import_module(each.name)
    return registered()


def run(
    subject: Subject,
    chosen: Sequence[Check],
    *,
    directions: Sequence[DirectionName] | None = None,
    quantum: float = 0.25,
    expect: Expect | None = None,
    progress: Callable[[Cell], None] = lambda _: None,
) -> Report:
    """Look at every rule in every direction.

    Args:
        subject: who is checked.
        chosen: which checks.
        directions: which ways of asking; None for those that each check names.
        quantum: seconds; every limit of a check is a multiple of it.
        expect: other assertions, for the tests of the kit itself.
        progress: told of each cell when it is done.
    """
    cells = []
    with Loop.running() as loop:
        for check, name in _cells(chosen, directions):
            direction = Direction(name, loop, patience=_PATIENCE * quantum)
            cell = _looked(subject, check, direction, quantum=quantum, expect=expect)
            cells.append(cell if check.directions else replace(cell, direction="-"))
            progress(cells[-1])
    return Report(
        backend=subject.backend.name,
        distribution=subject.plugin.dist,
        version=subject.plugin.version,
        checks=tuple(chosen),
        cells=tuple(cells),
    )


def _cells(
    chosen: Sequence[Check], directions: Sequence[DirectionName] | None
) -> Iterator[tuple[Check, DirectionName]]:
    for check in chosen:
        for name in check.directions or ("async",):
            if directions is None or name in directions or not check.directions:
                yield check, name


def _looked(
    subject: Subject,
    check: Check,
    direction: Direction,
    *,
    quantum: float,
    expect: Expect | None,
) -> Cell:
    lab = Lab(subject.backend, subject.harness, direction=direction, quantum=quantum, expect=expect)
    started = time.monotonic()
    try:
        with lab:
            verdict, happened = _verdict(check, lab)
    except Exception as fault:  # noqa: BLE001  # the harness's own code
        verdict, happened = "harness", f"the harness raised {type(fault).__name__}: {fault}"
    last = lab.exchanges[-1] if lab.exchanges else None
    return Cell(
        check=check.id,
        direction=direction.name,
        verdict=verdict,
        told=happened,
        seconds=time.monotonic() - started,
        script=tuple(lab.script),
        timeline=tuple(told(lab.exchanges)),
        ended=f"{last.closed_by} {last.how}" if last and last.closed_by else "",
    )


def _verdict(check: Check, lab: Lab) -> tuple[Verdict, str]:
    broken: Verdict = "fail" if check.must else "warn"
    try:
        if check.needs is None or lab.claims(check.needs):
            check.look(lab)
            verdict: tuple[Verdict, str] = "pass", ""
        else:
            (check.twin or _pass)(lab)
            verdict = "n/a", f"{check.needs} isn't claimed"
    except NotApplicable as reason:
        verdict = "n/a", str(reason)
    except Untestable as reason:
        verdict = "untestable", str(reason)
    except Violation as violation:
        verdict = broken, str(violation)
    except ProxyLLMError as error:
        verdict = broken, f"the plugin raised {type(error).__name__}: {error}"
    except TimeoutError as hanging:
        verdict = broken, f"a call of the plugin didn't end in time ({type(hanging).__name__})"
    except Exception as error:  # noqa: BLE001  # a plugin may raise anything
        verdict = broken, f"the plugin raised {type(error).__name__}: {error}"
    return verdict


def _pass(_: Lab) -> None: ...
