"""What a process holds: descriptors, threads, tasks, memory; and how memory grows."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

__all__ = ["Held", "Slope", "has_gone"]

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_STATM = Path("/proc/self/statm")
_SETTLING_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the process holds at a moment at which nothing is under way.

    Attributes:
        at: ``time.monotonic()``.
        descriptors, threads, tasks: how many; tasks of all loops that aren't done.
        rss: resident memory in MB; 0 where the system doesn't tell.
        blocks: those that Python has allocated.
    """

    at: float
    descriptors: int
    threads: int
    tasks: int
    rss: float
    blocks: int

    @classmethod
    def now(cls) -> Held:
        """Collect, and look."""
        gc.collect()
        tasks = [each for each in gc.get_objects() if isinstance(each, asyncio.Task)]
        told = _STATM.read_text(encoding="ascii").split() if _STATM.exists() else ["0", "0"]
        return cls(
            at=time.monotonic(),
            descriptors=len(os.listdir("/dev/fd")),
            threads=threading.active_count(),
            tasks=sum(not each.done() for each in tasks),
            rss=int(told[1]) * _PAGE / 2**20,
            blocks=sys.getallocatedblocks(),
        )

    def beyond(self, before: Held) -> dict[str, int]:
        """What is left over since ``before``."""
        return {
            "descriptors": self.descriptors - before.descriptors,
            "threads": self.threads - before.threads,
            "tasks": self.tasks - before.tasks,
        }


async def has_gone(before: Held) -> Held:
    """What is held once all that was taken since ``before`` has gone, or after some seconds."""
    until = time.monotonic() + _SETTLING_SECONDS
    while True:
        held = Held.now()
        if max(held.beyond(before).values()) <= 0 or time.monotonic() > until:
            return held
        await asyncio.sleep(0.05)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slope:
    """Growth by an hour, by Theil and Sen: the median of the slopes between any two samples.

    Attributes:
        an_hour: the slope.
        low, high: between these it is, with 95 % confidence (Sen 1968, section 6).
    """

    an_hour: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[tuple[float, float]]) -> Slope | None:
        """The slope of values over seconds; None of fewer than three."""
        count = len(samples)
        if count < 3:
            return None
        slopes = sorted(
            3600 * (later - earlier) / (end - start)
            for (start, earlier), (end, later) in combinations(samples, 2)
        )
        spread = 1.96 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
        first = max(0, math.floor((len(slopes) - spread) / 2))
        last = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
        return cls(an_hour=median(slopes), low=slopes[first], high=slopes[last])

    def __str__(self) -> str:
        return f"{self.an_hour:+,.2f} an hour (95 %: {self.low:+,.2f} to {self.high:+,.2f})"
