"""Processes that look at cells: each has its own threads, files, logging and standard output.

Checks look at what a process holds, and so no two may share one at a time. A process is told of a
cell by a line of JSON and answers by one; its other half is ``looker.py``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Self, TypeAlias

from modelplug.conformance.directions import DirectionName
from modelplug.conformance.report import Cell

__all__ = ["Looker", "Place", "looked", "usable"]

Place: TypeAlias = tuple[str, DirectionName]
"""A check's id, and a direction."""

_START = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])["path"]
from modelplug.conformance.looker import main
main()
"""
"""Nothing is imported before the path is its parent's."""

_MOST = 4
"""Processes that are used unasked: more make clocks unsteady before they make a run shorter."""

_GOODBYE = 2.0
"""Seconds that a process has to end by itself."""


def usable() -> int:
    """How many processes this machine has room for."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(_MOST, len(affinity(0)) if affinity else os.cpu_count() or 1)


class Looker:
    """A process that looks at one cell after the other; one that has died has a successor.

    Args:
        backend, dist: who is looked at.
        seed: what random choices come from.
        quantum: seconds that limits are multiples of.
    """

    def __init__(self, backend: str, dist: str, *, seed: int, quantum: float) -> None:
        self._task = {"backend": backend, "dist": dist, "seed": seed, "quantum": quantum}
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = Lock()  # of the two above: who starts a process while another closes

    def look(self, check: str, direction: DirectionName) -> Cell:
        """What comes of a cell; the harness is at fault where the process died of it.

        Raises:
            CancelledError: it was closed, before or meanwhile.
        """
        process = self._running()
        try:
            answer = _answer(process, json.dumps([check, direction]))
        except BaseException:
            self.close(at_once=True)
            raise
        if answer:
            return Cell(**json.loads(answer))
        return Cell(
            check=check,
            direction=direction,
            verdict="harness",
            told=f"the process that looked at it died: {_fate(self._buried())}",
        )

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

    def _running(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._closed:
                raise CancelledError
            if self._process is None:
                self._process = _started({**self._task, "path": sys.path})
            return self._process

    def _buried(self) -> int:
        """The exit status of a process that has died."""
        with self._lock:
            process, self._process = self._process, None
            if self._closed or process is None:
                raise CancelledError
            return _end(process, within=_GOODBYE)


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


def _started(task: dict[str, object]) -> subprocess.Popen[str]:
    """A process, in a group of its own: what interrupts the run ends it, and not the terminal."""
    return subprocess.Popen(
        [sys.executable, "-c", _START, json.dumps(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        process_group=0 if os.name == "posix" else None,
    )


def _answer(process: subprocess.Popen[str], line: str) -> str:
    """What a process answers; nothing if it died."""
    if process.stdin is None or process.stdout is None:  # never, as both are pipes
        return ""
    with suppress(BrokenPipeError):
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return process.stdout.readline()


def _end(process: subprocess.Popen[str], *, within: float) -> int:
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


def _fate(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"ended by {signal.Signals(-status).name}"
    return f"ended by signal {-status}"
