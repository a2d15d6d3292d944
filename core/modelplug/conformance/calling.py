"""A call of the plugin's in a process of its own, which may be interrupted, forked, or just left.

The service is the check's own, at its address. What has no address stands in for something of the
process that calls: there the process plays the scripts by itself. The other half is ``caller.py``.
"""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from typing import IO, Any, Literal, TypeAlias

from modelplug.conformance.directions import begun
from modelplug.conformance.lab import Lab
from modelplug.conformance.processes import Process, started
from modelplug.conformance.verdict import Violation
from modelplug.testing.steps import Step

__all__ = ["MARK", "Act", "Calling", "calling"]

Act: TypeAlias = Literal["cost", "fork", "interrupt", "leave", "memory"]
"""What a process does; see the functions of these names in ``caller.py``."""

MARK = "modelplug-told "
"""What a line begins with that a process has for its check; a plugin may print others."""

_PATIENCE = 60.0
"""Seconds until a process tells something: imports and slow machines included."""

_SHOWN = 300
"""Characters of what a process has complained of that are shown."""


class Calling:
    """A process that calls, while it runs.

    Attributes:
        lab: whose service it calls.
    """

    def __init__(self, lab: Lab, process: Process, complaints: IO[str]) -> None:
        self.lab = lab
        self._process = process
        self._complaints = complaints
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        begun(self._hear, name="modelplug-conformance-calling")

    def next(self, what: str) -> dict[str, Any]:
        """What it tells next, which is to be of this kind; gates are opened as it asks.

        Raises:
            Violation: it ended instead, didn't go on, or the plugin raised something.
        """
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(until - time.monotonic(), 0))
            except Empty:
                raise Violation("a process of the plugin's own doesn't go on") from None
            if line is None:
                raise Violation(f"a process of the plugin's own ended too early: {self.said()}")
            told: dict[str, Any] = json.loads(line)
            if told["what"] == what:
                return told
            if told["what"] == "failed":
                raise Violation(f"in a process of its own the plugin raised {told['error']}")
            if told["what"] == "release":
                self.lab.upstream.release(told["gate"])

    def wait_reached(self, gate: str) -> None:
        """Wait until the service's script has come to a gate."""
        if self.lab.upstream.wired:
            self.lab.upstream.wait_reached(gate, self.lab.direction.patience)
        else:
            self.next("reached")

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def let_go(self) -> None:
        """Have it go on, and end."""
        if self._process.stdin is not None:
            with suppress(OSError):  # it has gone already
                self._process.stdin.close()

    def ended(self, within: float) -> int | None:
        """Its exit status; None if it is there after so many seconds."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """The end of what it complained of."""
        self._complaints.seek(0)
        return self._complaints.read().strip()[-_SHOWN:] or "it said nothing"

    def _hear(self) -> None:
        for line in self._process.stdout or ():
            if line.startswith(MARK):
                self._lines.put(line.removeprefix(MARK))
        self._lines.put(None)


@contextmanager
def calling(
    lab: Lab, act: Act, *scripts: Sequence[Step], say: str = "", **more: object
) -> Iterator[Calling]:
    """A process that makes a client and does an act; it is gone after the block.

    Args:
        lab: whose plugin, service and direction.
        act: what it does.
        scripts: what the service answers, one call after the other.
        say: the same for a report, where the scripts are too long for it.
        more: what the act needs to know.
    """
    _play(lab, scripts, say)
    with (
        TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        started("caller", {**_task(lab, act), **more}, stderr=complaints) as process,
    ):
        try:
            if process.stdin is not None:
                process.stdin.write(f"{_written(lab, scripts)}\n")
                process.stdin.flush()
            yield Calling(lab, process, complaints)
        finally:
            process.kill()


def _task(lab: Lab, act: Act) -> dict[str, object]:
    return {
        "backend": lab.backend.name,
        "dist": lab.subject.plugin.dist,
        "account": asdict(lab.account),
        "direction": lab.direction.name,
        "patience": lab.direction.patience,
        "act": act,
        "url": lab.upstream.url if lab.upstream.wired else None,
    }


def _play(lab: Lab, scripts: Sequence[Sequence[Step]], say: str) -> None:
    """Have the service answer, where it is here, and the report say so in any case."""
    if say:
        lab.script.append(say)
    for steps in scripts:
        if not say:
            lab.play(*steps)
        elif lab.upstream.wired:
            lab.upstream.play(*steps)


def _written(lab: Lab, scripts: Sequence[Sequence[Step]]) -> str:
    """The scripts for a process that plays them by itself; empty where it needn't."""
    return "" if lab.upstream.wired else b64encode(pickle.dumps(scripts)).decode()
