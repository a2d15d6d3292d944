"""Whether a target is worth asking: what a breaker decides, without any I/O."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Literal, TypeAlias

__all__ = ["Circuit", "Limits", "State"]

State: TypeAlias = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """When a circuit opens, and for how long; times in seconds.

    Attributes:
        failures: so many in a row open it.
        share: so large a share of failures among the calls of ``window`` seconds opens it, too,
            once there are ``calls`` of them.
        calls, window: see there.
        opening: how long it stays open at first; doubled each time that the probe fails.
        longest: the longest that it stays open.
        pause: the longest pause that a target may ask for.
    """

    failures: int = 5
    share: float = 0.5
    calls: int = 20
    window: float = 60.0
    opening: float = 5.0
    longest: float = 60.0
    pause: float = 600.0


class Circuit:
    """One target's health, as its calls tell it; shared by threads.

    ``closed``: calls pass. ``open``: none does, for a while. ``half-open``: one passes, as a
    probe, and its end decides.

    Args:
        limits: see Limits.
        now: seconds of a clock that never goes back.
        chance: gives a number from 0 to 1, by which openings differ.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        now: Callable[[], float] = monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits or Limits()
        self._now, self._chance = now, chance
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque()
        self._closed_again = 0.0
        self._times_open = 0
        self._is_open = False
        self._probe: object | None = None

    @property
    def state(self) -> State:
        """How it stands now."""
        with self._lock:
            return self._state()

    def wait(self) -> float:
        """Seconds until a call may pass; 0 if one may now."""
        with self._lock:
            return max(0.0, self._closed_again - self._now())

    def admit(self, call: object) -> bool:
        """Whether ``call`` may pass now; its end is to be told of by one of what follows."""
        with self._lock:
            state = self._state()
            if state == "half-open" and self._probe is None:
                self._probe = call
                return True
            return state == "closed"

    def succeeded(self) -> None:
        """A call is answered: whatever was wrong is over."""
        with self._lock:
            self._note(failed=False)
            self._in_a_row = self._times_open = 0
            self._is_open, self._probe = False, None

    def failed(self, call: object) -> None:
        """A call failed by the target's fault; before it was answered."""
        with self._lock:
            self._note(failed=True)
            self._in_a_row += 1
            # Other calls than the probe were begun before, or against advice: nothing new.
            is_probe = self._probe is not None and self._probe is call
            if is_probe or (not self._is_open and self._is_too_much()):
                self._open()

    def broke_off(self) -> None:
        """A call that had succeeded failed after all, in the midst of its answer."""
        with self._lock:
            for i in range(len(self._recent) - 1, -1, -1):
                if not self._recent[i][1]:
                    del self._recent[i]  # its success
                    break
            self._note(failed=True)
            self._in_a_row += 1
            if not self._is_open and self._is_too_much():
                self._open()

    def ended(self, call: object) -> None:
        """A call ended in a way that says nothing of the target: cancelled, refused, wrong."""
        with self._lock:
            if self._probe is call:
                self._probe = None

    def cool_down(self, call: object, seconds: float) -> None:
        """Let no call pass for so long, as the target itself asked; never shortens a wait."""
        with self._lock:
            until = self._now() + min(seconds, self._limits.pause)
            self._closed_again = max(self._closed_again, until)
            if self._probe is call:
                self._probe = None

    def _state(self) -> State:
        if self._now() < self._closed_again:
            return "open"
        return "half-open" if self._is_open else "closed"

    def _note(self, *, failed: bool) -> None:
        now = self._now()
        self._recent.append((now, failed))
        while self._recent and self._recent[0][0] < now - self._limits.window:
            self._recent.popleft()

    def _is_too_much(self) -> bool:
        calls = len(self._recent)
        failures = sum(failed for _, failed in self._recent)
        limits = self._limits
        return self._in_a_row >= limits.failures or (
            calls >= limits.calls and failures >= limits.share * calls
        )

    def _open(self) -> None:
        seconds = min(self._limits.longest, self._limits.opening * 2**self._times_open)
        self._times_open += 1
        self._is_open, self._probe = True, None
        self._recent.clear()
        # A fifth more or less, so that the clients of one service don't all probe it together.
        until = self._now() + seconds * (0.8 + 0.4 * self._chance())
        self._closed_again = max(self._closed_again, until)
