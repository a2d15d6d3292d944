"""Processes of the kit's, and those that look at cells.

Checks look at what a process holds, its threads, files, logging and standard output, and so no two
may share one at a time. And a plugin may hang, or end its process: no word of its is lost then.
A process that looks is asked by a line of JSON and answers by one; its other half is
``looker.py``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import IO, Any, Self, TypeAlias, TypeVar

from modelplug.capabilities import Support
from modelplug.conformance.check import Check
from modelplug.conformance.directions import DirectionName, begun
from modelplug.conformance.report import Cell
from modelplug.conformance.verdict import Verdict

__all__ = ["Looker", "NotLoadedError", "Place", "Process", "fate", "looked", "started", "usable"]

T = TypeVar("T")

Place: TypeAlias = tuple[Check, DirectionName]
"""A check, and a direction; where it isn't a call, any."""

Process: TypeAlias = subprocess.Popen[str]
"""One that is told and heard by lines of text."""

_START = """\
import json, sys
from importlib.util import module_from_spec, spec_from_file_location
task = json.loads(sys.argv[1])
sys.path[:] = task["path"]
spec = spec_from_file_location("conformance_process", task["file"])
process = module_from_spec(spec)
spec.loader.exec_module(process)
process.main(task)
"""
"""Nothing of anybody's is imported before the path is its parent's, nor the kit for its sake."""

_MOST = 4
"""Processes that are used unasked: more make clocks unsteady before they make a run shorter."""

_GOODBYE = 2.0
"""Seconds that a process has to end by itself."""

_LIMIT = 480
"""Quanta that a process has for an answer: no cell of a plugin that goes on takes so long."""

_LEAST = 120.0
"""Seconds that it has in any case, on the busiest machine."""

_HANGS = 3
"""After so many cells in a row that didn't end, a looker waits for no more of them."""


class NotLoadedError(Exception):
    """A plugin, or its harness, can't be loaded.

    Attributes:
        message: what happened.
        cause: what lies behind it, where there is more to say.
        hint: what to do.
        of_harness: whether it is the harness.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        hint: str | None = None,
        of_harness: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.hint = hint
        self.of_harness = of_harness


class _LostError(Exception):
    """There is no answer; the message says why."""


class _HangingError(_LostError):
    """There is none in time."""


def usable() -> int:
    """How many processes this machine has room for."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(_MOST, len(affinity(0)) if affinity else os.cpu_count() or 1)


def started(
    module: str,
    task: Mapping[str, object],
    *,
    stderr: int | IO[str] | None = None,
    group: int | None = None,
) -> Process:
    """A process in which ``main`` of a module beside this one is called.

    Args:
        module: its name within this package.
        task: what ``main`` is told, for JSON; ``path`` and ``file`` come to it.
        stderr: where standard error goes, as ``subprocess`` has it; None is this process's own.
        group: the process group that it joins; 0 is one of its own, None this process's.
    """
    file = Path(__file__).with_name(f"{module}.py")
    told = json.dumps({**task, "path": sys.path, "file": str(file)})
    return subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", _START, told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        encoding="utf-8",
        errors="replace",
        process_group=group,
    )


class Looker:
    """A process that looks at one cell after the other; one that has died has a successor.

    Args:
        backend, dist: who is looked at.
        seed: what random choices come from.
        quantum: seconds that limits are multiples of.
        limit: seconds that a process has for an answer; None is as many as are ever needed.
    """

    def __init__(
        self, backend: str, dist: str, *, seed: int, quantum: float, limit: float | None = None
    ) -> None:
        self._task = {"backend": backend, "dist": dist, "seed": seed, "quantum": quantum}
        self._limit = limit or max(_LEAST, _LIMIT * quantum)
        self._hanging = 0  # cells, the last ones in a row
        self._process: Process | None = None
        self._closed = False
        self._lock = Lock()  # of the two above: who starts a process while another closes

    def load(self) -> list[Cell]:
        """Load the plugin and its harness; what the self-checks of that one find.

        Raises:
            NotLoadedError: one of them can't be loaded, or the process died or hangs of it.
            CancelledError: it was closed, before or meanwhile.
        """
        self._loaded("load", of_harness=False)
        return self._loaded("harness", of_harness=True)

    def look(self, check: Check, direction: DirectionName) -> Cell:
        """What comes of a cell; that its process died of it, or never ends, breaks the rule.

        Raises:
            CancelledError: it was closed, before or meanwhile.
        """
        verdict: Verdict = "fail" if check.must else "warn"
        if self._hanging >= _HANGS:
            verdict, told = "untestable", f"not looked at: the {_HANGS} cells before didn't end"
        else:
            try:
                cell, goes_on = self._ask("look", check.id, direction, found=_cell)
            except _HangingError as hanging:
                self._hanging += 1
                told = f"the process that looked at it {hanging}"
            except _LostError as lost:
                told = f"the process that looked at it {lost}"
            else:
                self._hanging = 0
                if not goes_on:
                    self._buried(within=0)
                return cell
        return Cell(check=check.id, direction=check.column(direction), verdict=verdict, told=told)

    def claims(self) -> Mapping[str, Support]:
        """What the plugin claims; nothing if it can't say.

        Raises:
            CancelledError: it was closed, before or meanwhile.
        """
        try:
            return self._ask("claims", found=_claims)
        except _LostError:
            return {}

    def close(self, *, at_once: bool = False) -> None:
        """End the process; without ``at_once`` it may clean up first."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
            if process is not None:
                _end(process, within=0 if at_once else _GOODBYE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(at_once=exc_type is not None)

    def _running(self) -> Process:
        with self._lock:
            if self._closed:
                raise CancelledError
            if self._process is None:
                # In a group of its own: what interrupts the run ends it, and not the terminal.
                own = 0 if os.name == "posix" else None
                self._process = started("looker", self._task, group=own)
            return self._process

    def _loaded(self, what: str, *, of_harness: bool) -> list[Cell]:
        """What is found where something is loaded."""
        try:
            cells, error = self._ask(what, found=_loaded)
        except _LostError as lost:
            loads = "asks the harness" if of_harness else "loads the plugin"
            raise NotLoadedError(
                f"the process that {loads} of {self._task['dist']} {lost}", of_harness=of_harness
            ) from None
        if error:
            raise NotLoadedError(**error, of_harness=of_harness)
        return cells

    def _ask(self, *question: str, found: Callable[[Mapping[str, Any]], T]) -> T:
        """What is found in the answer to a question.

        Raises:
            _LostError: there is none, and the process has gone.
            CancelledError: it was closed, before or meanwhile.
        """
        process = self._running()
        try:
            line = json.dumps(question)
            answer = begun(lambda: _answer(process, line)).result(self._limit)
        except TimeoutError:
            self._buried(within=0)
            raise _HangingError(f"didn't answer in {self._limit:g} s, and was killed") from None
        except BaseException:
            self.close(at_once=True)
            raise
        if not answer:
            raise _LostError(f"died: {fate(self._buried())}")
        try:
            return found(json.loads(answer))
        except (LookupError, TypeError, ValueError):
            self._buried(within=0)
            raise _LostError("answered what is no answer, and was killed") from None

    def _buried(self, *, within: float = _GOODBYE) -> int:
        """The exit status of a process that has died, or has to."""
        with self._lock:
            process, self._process = self._process, None
            if self._closed or process is None:
                raise CancelledError
            return _end(process, within=within)


def looked(lookers: Sequence[Looker], places: Sequence[Place]) -> Generator[Cell]:
    """What comes of each place, in their order; close it to end all lookers at once."""
    free: SimpleQueue[Looker] = SimpleQueue()
    for looker in lookers:
        free.put(looker)

    def one(place: Place) -> Cell:
        looker = free.get()
        try:
            return looker.look(*place)
        finally:
            free.put(looker)

    with ExitStack() as ending:
        waiting = ThreadPoolExecutor(len(lookers), "modelplug-conformance-jobs")
        ending.callback(waiting.shutdown, cancel_futures=True)
        for looker in lookers:  # before the threads that wait for them
            ending.enter_context(looker)
        yield from waiting.map(one, places)


def _loaded(answer: Mapping[str, Any]) -> tuple[list[Cell], Mapping[str, Any]]:
    return [Cell(**each) for each in answer["cells"]], answer["error"]


def _cell(answer: Mapping[str, Any]) -> tuple[Cell, bool]:
    return Cell(**answer["cell"]), answer["goes_on"]


def _claims(answer: Mapping[str, Any]) -> Mapping[str, Support]:
    return {**answer["claims"]}


def _answer(process: Process, line: str) -> str:
    """What a process answers; nothing if it died."""
    if process.stdin is None or process.stdout is None:  # never, as both are pipes
        return ""
    with suppress(BrokenPipeError):
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return process.stdout.readline()


def _end(process: Process, *, within: float) -> int:
    """End a process and what it has started; its exit status."""
    with suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()
    if within:
        with suppress(subprocess.TimeoutExpired):
            process.wait(within)
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    status = process.wait()
    if process.stdout is not None:
        process.stdout.close()  # whoever reads it has come to its end
    return status


def fate(status: int) -> str:
    """How a process ended, in words; below 0 is the number of a signal."""
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"ended by {signal.Signals(-status).name}"
    return f"ended by signal {-status}"
