"""Runs checks against a backend, and says how each cell went."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from random import Random

from modelplug.backend import Backend
from modelplug.capabilities import Support
from modelplug.conformance import checks
from modelplug.conformance.check import Check, registered
from modelplug.conformance.conditions import Conditions, drawn
from modelplug.conformance.directions import Direction, DirectionName, Loop
from modelplug.conformance.expect import Expect
from modelplug.conformance.harness import Harness
from modelplug.conformance.lab import Lab, told
from modelplug.conformance.processes import Looker, Place, looked
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.selfcheck import SELF_CHECKS, self_checked
from modelplug.conformance.verdict import NotApplicable, Untestable, Verdict, Violation
from modelplug.errors import ProxyLLMError, WrongUseError
from modelplug.plugins import InstalledPlugin, load_attribute
from modelplug.registry import registry

__all__ = ["Subject", "all_checks", "look", "places", "run"]

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
    seed: int | None = None,
    expect: Expect | None = None,
    progress: Callable[[Cell], None] = lambda _: None,
    jobs: int = 1,
) -> Report:
    """Look at every rule in every direction, unless the harness itself is at fault.

    Args:
        subject: who is checked.
        chosen: which checks; where there are several jobs, those of ``all_checks`` alone.
        directions: which ways of asking; None for those that each check names.
        quantum: seconds; every limit of a check is a multiple of it.
        seed: what random choices come from; None draws one.
        expect: other assertions, for the tests of the kit itself.
        progress: told of each cell when it and all before it are done.
        jobs: how many processes look, each at one cell at a time; 1 is this process itself.

    Raises:
        ValueError: other assertions can't be taken to other processes.
    """
    seed = drawn() if seed is None else seed
    own = self_checked(subject.harness)
    if any(cell.verdict == "harness" for cell in own):  # nothing that the plugin does would count
        return Report(
            backend=subject.backend.name,
            distribution=subject.plugin.dist,
            version=subject.plugin.version,
            checks=SELF_CHECKS,
            cells=tuple(own),
            conditions=Conditions.here(seed=seed, quantum=quantum),
        )
    todo = list(places(chosen, directions))
    jobs = min(jobs, len(todo))
    if jobs > 1 and expect is not None:
        raise ValueError("other assertions are for one job")
    found = (
        _by_processes(subject, todo, seed=seed, quantum=quantum, jobs=jobs)
        if jobs > 1
        else _by_itself(subject, todo, seed=seed, quantum=quantum, expect=expect)
    )
    cells = []
    with closing(found):
        for cell in found:
            cells.append(cell)
            progress(cell)
    return Report(
        backend=subject.backend.name,
        distribution=subject.plugin.dist,
        version=subject.plugin.version,
        checks=tuple(chosen),
        cells=tuple(cells),
        conditions=Conditions.here(seed=seed, quantum=quantum),
        claims=_claims(subject, quantum=quantum),
    )


def places(
    chosen: Sequence[Check], directions: Sequence[DirectionName] | None = None
) -> Iterator[tuple[Check, DirectionName]]:
    """What there is to look at, in the order of a report; what isn't a call is looked at once."""
    for check in chosen:
        for name in check.directions or ("async",):
            if directions is None or name in directions or not check.directions:
                yield check, name


def look(
    subject: Subject,
    check: Check,
    name: DirectionName,
    *,
    loop: Loop,
    seed: int,
    quantum: float,
    expect: Expect | None = None,
) -> Cell:
    """Look at one rule in one direction, in this process."""
    lab = Lab(
        subject.backend,
        subject.harness,
        direction=Direction(name, loop, patience=_PATIENCE * quantum),
        quantum=quantum,
        expect=expect,
        random=Random(f"{seed} {check.id} {name}"),  # noqa: S311  # nothing of it is secret
    )
    cell = _looked(check, lab)
    return cell if check.directions else replace(cell, direction="-")


def _by_itself(
    subject: Subject,
    todo: Sequence[tuple[Check, DirectionName]],
    *,
    seed: int,
    quantum: float,
    expect: Expect | None,
) -> Generator[Cell]:
    with Loop.running() as loop:
        for check, name in todo:
            yield look(subject, check, name, loop=loop, seed=seed, quantum=quantum, expect=expect)


def _by_processes(
    subject: Subject,
    todo: Sequence[tuple[Check, DirectionName]],
    *,
    seed: int,
    quantum: float,
    jobs: int,
) -> Generator[Cell]:
    name, dist = subject.plugin.name, subject.plugin.dist
    asked: list[Place] = [(check.id, direction) for check, direction in todo]
    lookers = [Looker(name, dist, seed=seed, quantum=quantum) for _ in range(jobs)]
    with closing(looked(lookers, asked)) as found:
        for (check, _), cell in zip(todo, found, strict=True):
            yield cell if check.directions else replace(cell, direction="-")


def _claims(subject: Subject, *, quantum: float) -> Mapping[str, Support]:
    """What the plugin claims; nothing if it can't say."""
    try:
        with Loop.running() as loop:
            direction = Direction("sync", loop, patience=_PATIENCE * quantum)
            lab = Lab(subject.backend, subject.harness, direction=direction, quantum=quantum)
            with lab:
                return lab.claimed().to_dict()
    except Exception:  # noqa: BLE001  # a plugin may raise anything; checks have told what
        return {}


def _looked(check: Check, lab: Lab) -> Cell:
    started = time.monotonic()
    try:
        with lab:
            verdict, happened = _verdict(check, lab)
    except Exception as fault:  # noqa: BLE001  # the harness's own code
        verdict, happened = "harness", f"the harness raised {type(fault).__name__}: {fault}"
    last = lab.exchanges[-1] if lab.exchanges else None
    return Cell(
        check=check.id,
        direction=lab.direction.name,
        verdict=verdict,
        told=happened,
        seconds=time.monotonic() - started,
        script=tuple(lab.script),
        timeline=tuple(told(lab.exchanges, wired=lab.upstream.wired)),
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
