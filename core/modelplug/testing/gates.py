"""Gates: a script waits at one until the test opens it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

__all__ = ["Gates"]


class Gates:
    """Named gates, shut at first; from any thread, for waiters on any event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[str, Future[None]] = {}
        self._reached: dict[str, threading.Event] = {}

    def release(self, name: str) -> None:
        """Open a gate for good, whether or not somebody waits there."""
        opened = self._of(name)[0]
        with self._lock:
            if not opened.done():
                opened.set_result(None)

    def wait_reached(self, name: str, within: float = 10.0) -> bool:
        """Wait until a script has come to a gate, ``within`` seconds; whether it has."""
        return self._of(name)[1].wait(within)

    async def wait(self, name: str) -> None:
        """Wait for a gate to open."""
        # Shielded, because a waiter that is cancelled would cancel the gate for all others.
        await asyncio.shield(asyncio.wrap_future(self.reach(name)))

    def reach(self, name: str) -> Future[None]:
        """Come to a gate: what it gives is done once that is open, and isn't to be cancelled."""
        opened, reached = self._of(name)
        reached.set()
        return opened

    def _of(self, name: str) -> tuple[Future[None], threading.Event]:
        with self._lock:
            opened = self._opened.setdefault(name, Future())
            return opened, self._reached.setdefault(name, threading.Event())
