"""What the measured process knows of itself: CPU, wall, memory."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from benchmarks.case import Reading

__all__ = ["Meter", "peak", "resident"]

_STATM = Path("/proc/self/statm")
_STATUS = Path("/proc/self/status")


def resident() -> float:
    """Bytes of memory that the process has now; 0 where the system doesn't tell."""
    if not _STATM.exists():
        return 0.0
    return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> float:
    """Bytes that the process had at the most.

    Not from ``getrusage`` where there is a choice: a new process inherits its parent's peak there.
    """
    if _STATUS.exists():
        lines = _STATUS.read_text("ascii").splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most if sys.platform == "darwin" else most * 1024)


class Meter:
    """Measures from where it is made: CPU of all threads of the process, and wall."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def reading(self, units: float, *, rounds: int = 1, **more: float) -> Reading:
        """What has been used since: CPU for each unit, wall for each round; and ``more``."""
        cpu = time.process_time() - self._cpu
        wall = time.perf_counter() - self._wall
        return {"cpu": cpu / units, "wall": wall / rounds, "peak": peak(), **more}
