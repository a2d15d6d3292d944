"""What the emulated service counts: requests in a minute, and answers under way."""

from __future__ import annotations

from collections import deque

from modelplug_openai.emulation.settings import EmulatorSettings

__all__ = ["Limits"]

_MINUTE = 60.0


class Limits:
    """The counts of one service, for one loop."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._asked: deque[float] = deque()
        self.running = 0

    def wait(self, now: float) -> float | None:
        """Seconds until the next request may come; None if it may come now.

        Args:
            now: seconds. If the clock is set back, what is yet to come counts for nothing.
        """
        while self._asked and not now - _MINUTE < self._asked[0] <= now:
            self._asked.popleft()
        most, concurrent = self._settings.per_minute, self._settings.concurrent
        if most is not None and len(self._asked) >= most:
            return self._asked[0] + _MINUTE - now if self._asked else _MINUTE
        if concurrent is not None and self.running >= concurrent:
            return 1.0
        return None

    def enter(self, now: float) -> None:
        """Count a request in."""
        self._asked.append(now)
        self.running += 1

    def leave(self) -> None:
        """An answer is over."""
        self.running -= 1
