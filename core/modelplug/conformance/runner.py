"""Runs checks against a backend, and says how each cell went."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from traceback import walk_tb

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
from modelplug.conformance.voice import HarnessFaultError
from modelplug.conformance.watching import unprinted
from modelplug.errors import ProxyLLMError
from modelplug.plugins import InstalledPlugin
from modelplug.registry import registry

__all__ = ["all_checks", "claims", "look", "places", "run", "spread"]

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
    if jobs > 1 and expect is not None:
        raise ValueError("other assertions are for one job")
    if jobs > 1:
        return spread(
            subject.plugin,
            chosen,
            directions=directions,
            quantum=quantum,
            seed=seed,
            progress=progress,
            jobs=jobs,
        )
    report = _begun(subject.plugin, seed=seed, quantum=quantum)
    report = replace(report, cells=tuple(self_checked(subject.harness)))
    if report.failures:  # nothing that the plugin does would count
        return report
    cells = []
    seed = report.conditions.seed or 0
    for check, name in places(chosen, directions):
        with Loop.running() as loop:
            cell = look(subject, check, name, loop=loop, seed=seed, quantum=quantum, expect=expect)
        cells.append(cell)
        progress(cell)
    claimed = claims(subject, quantum=quantum)
    return replace(report, checks=tuple(chosen), cells=tuple(cells), claims=claimed)


def spread(
    plugin: InstalledPlugin,
    chosen: Sequence[Check],
    *,
    directions: Sequence[DirectionName] | None = None,
    quantum: float = 0.25,
    seed: int | None = None,
    progress: Callable[[Cell], None] = lambda _: None,
    jobs: int = 1,
    limit: float | None = None,
) -> Report:
    """The same by other processes: nothing of the plugin's is imported here.

    Args:
        plugin: who is checked.
        chosen: which checks of ``all_checks``.
        directions: which ways of asking; None for those that each check names.
        quantum: seconds; every limit of a check is a multiple of it.
        seed: what random choices come from; None draws one.
        progress: told of each cell when it and all before it are done.
        jobs: how many processes look, each at one cell at a time.
        limit: seconds that one has for an answer, as ``Looker`` has it.

    Raises:
        NotLoadedError: the plugin or its harness can't be loaded.
    """
    report = _begun(plugin, seed=seed, quantum=quantum)
    todo = list(places(chosen, directions))
    lookers = [
        Looker(
            plugin.name,
            plugin.dist,
            seed=report.conditions.seed or 0,
            quantum=quantum,
            limit=limit,
        )
        for _ in range(max(1, min(jobs, len(todo))))
    ]
    with lookers[0] as first:
        report = replace(report, cells=tuple(first.load()))
        if report.failures:  # nothing that the plugin does would count
            return report
        claimed = first.claims()
        cells = []
        with closing(looked(lookers, todo)) as found:
            for cell in found:
                cells.append(cell)
                progress(cell)
    return replace(report, checks=tuple(chosen), cells=tuple(cells), claims=claimed)


def _begun(plugin: InstalledPlugin, *, seed: int | None, quantum: float) -> Report:
    """A report that has no cells yet."""
    return Report(
        backend=plugin.name,
        distribution=plugin.dist,
        version=plugin.version,
        checks=SELF_CHECKS,
        cells=(),
        conditions=Conditions.here(seed=drawn() if seed is None else seed, quantum=quantum),
    )


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
    started = time.monotonic()
    lab: Lab | None = None
    try:
        lab = Lab(
            subject,
            direction=Direction(name, loop, patience=_PATIENCE * quantum),
            quantum=quantum,
            expect=expect,
            random=Random(f"{seed} {check.id} {name}"),  # noqa: S311  # nothing of it is secret
        )
        with unprinted(), lab:
            verdict, happened = _verdict(check, lab)
    except BaseException as fault:
        if _is_interrupt(fault):
            raise
        verdict, happened = _blamed(fault, check, subject)
    exchanges = lab.exchanges if lab else ()
    last = exchanges[-1] if exchanges else None
    return Cell(
        check=check.id,
        direction=check.column(name),
        verdict=verdict,
        told=happened,
        seconds=time.monotonic() - started,
        script=tuple(lab.script) if lab else (),
        timeline=tuple(told(exchanges, wired=lab.upstream.wired)) if lab else (),
        ended=f"{last.closed_by} {last.how}" if last and last.closed_by else "",
    )


def claims(subject: Subject, *, quantum: float) -> Mapping[str, Support]:
    """What the plugin claims; nothing if it can't say."""
    try:
        with Loop.running() as loop:
            direction = Direction("sync", loop, patience=_PATIENCE * quantum)
            with Lab(subject, direction=direction, quantum=quantum) as lab:
                return lab.claimed().to_dict()
    except BaseException as error:  # a plugin may raise anything; checks have told what
        if _is_interrupt(error):
            raise
        return {}


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
    except HarnessFaultError as fault:
        verdict = "harness", str(fault)
    except ProxyLLMError as error:
        verdict = broken, f"the plugin raised {type(error).__name__}: {_text(error)}"
    except TimeoutError as hanging:
        verdict = broken, f"a call of the plugin didn't end in time ({type(hanging).__name__})"
    except BaseException as error:  # a plugin may raise anything
        if _is_interrupt(error):
            raise
        verdict = broken, f"the plugin raised {type(error).__name__}: {_text(error)}"
    return verdict


def _pass(_: Lab) -> None: ...


def _is_interrupt(error: BaseException) -> bool:
    """Whether an error is Ctrl-C: where that one would end the process, a plugin raised it."""
    is_told = signal.getsignal(signal.SIGINT) is not signal.SIG_DFL
    return isinstance(error, KeyboardInterrupt) and is_told


def _text(error: BaseException) -> str:
    """What an error says, if it can."""
    try:
        return str(error)
    except BaseException as another:  # noqa: BLE001  # it is a plugin's
        return f"(its text raises {type(another).__name__})"


def _blamed(fault: BaseException, check: Check, subject: Subject) -> tuple[Verdict, str]:
    """Whose fault it is that a service failed, and where: the last line of the author's own."""
    if unloadable := _unloadable(subject):  # its service may be a library that it imports
        return "fail" if check.must else "warn", unloadable
    module = inspect.getmodule(type(subject.harness.codec))
    frames = [*walk_tb(fault.__traceback__)]
    name = getattr(module, "__file__", None)
    own = [each for each in frames if each[0].f_code.co_filename == name]
    told = f"{type(fault).__name__}: {_text(fault)}"
    if own:
        frame, line = own[-1]
        place = f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}, line {line})"
        return "harness", f"the harness's {place} raised {told}"
    return "harness", f"the service that the harness names by wire= raised {told}"


def _unloadable(subject: Subject) -> str:
    """What the plugin raises where its client is loaded; empty if it does load."""
    try:
        registry().load_client(subject.backend, subject.plugin)
    except BaseException as error:
        if _is_interrupt(error):
            raise
        return f"the plugin raised {type(error).__name__}: {_text(error)}"
    return ""
