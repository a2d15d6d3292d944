"""Minutes that pass at once, while a call waits on a real socket.

All clocks of a call go by its loop's time. So a leap of that time is what a long wait is to it,
and it comes only once the call has got as far as a test wants.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from unittest.mock import patch

from modelplug import stream
from modelplug.clock import Clock
from modelplug.errors import Phase

__all__ = ["drifting", "leaping"]

_LOOK = 0.004
"""Seconds between two looks at how far a call has come."""


@contextmanager
def drifting() -> Iterator[Callable[[float], None]]:
    """What has the time of all loops leap by so many seconds, until the block is left."""
    leapt = [0.0]

    def leap(seconds: float) -> None:
        leapt[0] += seconds

    with patch.object(asyncio.BaseEventLoop, "time", lambda _: time.monotonic() + leapt[0]):
        yield leap


@contextmanager
def leaping(
    seconds: float,
    *,
    phase: Phase,
    again: bool = False,
    after: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Have the time of all loops leap when a call that begins in the block waits in ``phase``.

    Args:
        seconds: how far it leaps.
        phase: ``connecting``, ``open``, ``sent`` or ``streaming``.
        again: whether it leaps for each piece that has come, and not just once.
        after: whether it may leap yet; of a service, say, that is still to see the question.
    """
    over = threading.Event()
    clocks: list[Clock] = []

    class Watched(Clock):
        def __init__(self) -> None:
            super().__init__()
            clocks.append(self)

    def watch() -> None:
        seen: set[float | None] = set()
        while not over.wait(_LOOK):
            for clock in list(clocks):
                if not _waits(clock, phase) or not after():
                    continue
                expires = clock._expires if again else None
                if expires not in seen:
                    seen.add(expires)
                    leap(seconds)
                    with suppress(RuntimeError):  # it is over already
                        clock.loop.call_soon_threadsafe(int)  # has the loop look at its time

    watcher = threading.Thread(target=watch, name="watcher")
    with drifting() as leap, patch.object(stream, "Clock", Watched):
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            clocks.clear()


def _waits(clock: Clock, phase: Phase) -> bool:
    """Whether a reader waits in this phase, with the limit that holds for it now."""
    return clock._phase == phase and clock._task is not None and not clock._has_progressed
