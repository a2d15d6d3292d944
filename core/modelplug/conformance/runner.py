"""Runs checks against a backend, and says how each cell went."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from random import Random

from modelplug.capabilities import Support
from modelplug.conformance import checks
from modelplug.conformance.check import Check, registered
from modelplug.conformance.conditions import Conditions, drawn
from modelplug.conformance.directions import Direction, DirectionName, Loop
from modelplug.conformance.expect import Expect
from modelplug.conformance.lab import Lab, told
from modelplug.conformance.processes import Looker, Place, looked
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.selfcheck import SELF_CHECKS, self_checked
from modelplug.conformance.subject import Subject
from modelplug.conformance.verdict import NotApplicable, Untestable, Verdict, Violation
from modelplug.conformance.watching import unprinted
from modelplug.errors import ProxyLLMError

__all__ = ["all_checks", "look", "places", "run"]

_PATIENCE = 20
"""Quanta after which a call of the plugin counts as hanging."""


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
    report = Report(
        backend=subject.backend.name,
        distribution=subject.plugin.dist,
        version=subject.plugin.version,
        checks=SELF_CHECKS,
        cells=tuple(self_checked(subject.harness)),
        conditions=Conditions.here(seed=seed, quantum=quantum),
    )
    if report.failures:  # nothing that the plugin does would count
        return report
    todo = list(places(chosen, directions))
    cells = []
    with closing(_found(subject, todo, report.conditions, expect=expect, jobs=jobs)) as found:
        for cell in found:
            cells.append(cell)
            progress(cell)
    claims = _claims(subject, quantum=quantum)
    return replace(report, checks=tuple(chosen), cells=tuple(cells), claims=claims)


def places(
    chosen: Sequence[Check], directions: Sequence[DirectionName] | None = None
) -> Iterator[Place]:
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
        subject,
        direction=Direction(name, loop, patience=_PATIENCE * quantum),
        quantum=quantum,
        expect=expect,
        random=Random(f"{seed} {check.id} {name}"),  # noqa: S311  # nothing of it is secret
    )
    return _looked(check, lab)


def _found(
    subject: Subject,
    todo: Sequence[Place],
    made: Conditions,
    *,
    expect: Expect | None,
    jobs: int,
) -> Generator[Cell]:
    """What comes of each place, in their order, by so many processes, or by this one."""
    seed, quantum = made.seed or 0, made.quantum
    jobs = min(jobs, len(todo))
    if jobs > 1 and expect is not None:
        raise ValueError("other assertions are for one job")
    if jobs > 1:
        name, dist = subject.plugin.name, subject.plugin.dist
        yield from looked(
            [Looker(name, dist, seed=seed, quantum=quantum) for _ in range(jobs)], todo
        )
        return
    with Loop.running() as loop:
        for check, name in todo:
            yield look(subject, check, name, loop=loop, seed=seed, quantum=quantum, expect=expect)


def _claims(subject: Subject, *, quantum: float) -> Mapping[str, Support]:
    """What the plugin claims; nothing if it can't say."""
    try:
        with Loop.running() as loop:
            direction = Direction("sync", loop, patience=_PATIENCE * quantum)
            lab = Lab(subject, direction=direction, quantum=quantum)
            with lab:
                return lab.claimed().to_dict()
    except Exception:  # noqa: BLE001  # a plugin may raise anything; checks have told what
        return {}


def _looked(check: Check, lab: Lab) -> Cell:
    started = time.monotonic()
    try:
        with unprinted(), lab:
            verdict, happened = _verdict(check, lab)
    except Exception as fault:  # noqa: BLE001  # the harness's own code
        verdict, happened = "harness", f"the harness raised {type(fault).__name__}: {fault}"
    last = lab.exchanges[-1] if lab.exchanges else None
    return Cell(
        check=check.id,
        direction=check.column(lab.direction.name),
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
