"""Whether a target is worth asking: what a breaker decides, without any I/O."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Literal, TypeAlias

from modelplug.policies.forks import mind_forks

__all__ = ["Circuit", "CircuitLimits", "State"]

_MOST_DOUBLINGS = 64
"""Of a rest: no longest one is reached later, and a power of 2 that is larger is no number."""

State: TypeAlias = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitLimits:
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
        limits: see CircuitLimits.
        now: seconds of a clock that never goes back.
        jitter: gives a number from 0 to 1, by which openings differ.
    """

    def __init__(
        self,
        limits: CircuitLimits | None = None,
        *,
        now: Callable[[], float] = monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits or CircuitLimits()
        self._now, self._jitter = now, jitter
        self.begin_anew()
        mind_forks(self)

    def begin_anew(self) -> None:
        """Know of no call, as at first."""
        # One that its holder may take again: a stream that the collector finds tells of its end
        # wherever this thread just is, and that may be here.
        self._lock = threading.RLock()
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque()
        self._failures = 0  # among these
        self._rests_until = self._pauses_until = 0.0
        self._times_open = 0
        self._is_open = False
        self._probe: object | None = None
        self._insisting: set[object] = set()

    @property
    def state(self) -> State:
        """How it stands now."""
        with self._lock:
            return self._state()

    def retry_after(self) -> float:
        """Seconds until it has rested; 0 also while a probe is out, whose end nobody can tell."""
        with self._lock:
            return max(0.0, self._rests_until - self._now(), self._pauses_until - self._now())

    def admit(self, call: object) -> bool:
        """Whether ``call`` may pass now; its end is to be told of by one of what follows."""
        with self._lock:
            state = self._state()
            if state == "half-open" and self._probe is None:
                self._probe = call
                return True
            return state == "closed"

    def insist(self, call: object) -> None:
        """``call`` passes though it may not, as nobody else would be asked.

        That it begins to be answered shows as much as where a probe does.
        """
        with self._lock:
            if self._is_open:
                self._insisting.add(call)

    def began(self, call: object) -> None:
        """A call begins to be answered: whatever was wrong is over, so it seems.

        What the answer comes to is to be told of by ``succeeded`` or ``failed``. Until one has
        come to its end the failures before count on: a single further one opens it again.
        While it is open a call from before shows nothing.
        """
        with self._lock:
            if self._probe is call or call in self._insisting:
                self._close()

    def succeeded(self) -> None:
        """An answer came to its end, or as far as its caller wanted.

        While it is open that is one from before, and says nothing.
        """
        with self._lock:
            if not self._is_open:
                self._note(failed=False)
                self._in_a_row = self._times_open = 0

    def failed(self, call: object) -> None:
        """A call failed by the target's fault, before its answer or in the midst of it."""
        with self._lock:
            self._note(failed=True)
            self._in_a_row += 1
            self._insisting.discard(call)
            # Other calls than the probe were begun before, or against advice: nothing new.
            is_probe = self._probe is not None and self._probe is call
            if is_probe or (not self._is_open and self._is_too_much()):
                self._open()

    def ended(self, call: object) -> None:
        """A call ended in a way that says nothing of the target: cancelled, refused, wrong."""
        with self._lock:
            self._forget(call)

    def cool_down(self, call: object, seconds: float) -> None:
        """Let no call pass for so long, as the target itself asked; never shortens a wait."""
        with self._lock:
            self._forget(call)  # first, whatever the target asks for
            until = self._now() + min(seconds, self._limits.pause)
            self._pauses_until = max(self._pauses_until, until)

    def _forget(self, call: object) -> None:
        self._insisting.discard(call)
        if self._probe is call:
            self._probe = None

    def _state(self) -> State:
        if self._now() < max(self._rests_until, self._pauses_until):
            return "open"
        return "half-open" if self._is_open else "closed"

    def _note(self, *, failed: bool) -> None:
        now = self._now()
        self._recent.append((now, failed))
        self._failures += failed
        while self._recent and self._recent[0][0] < now - self._limits.window:
            _, had_failed = self._recent.popleft()
            self._failures -= had_failed

    def _is_too_much(self) -> bool:
        calls = len(self._recent)
        limits = self._limits
        return self._in_a_row >= limits.failures or (
            calls >= limits.calls and self._failures >= limits.share * calls
        )

    def _open(self) -> None:
        doublings = self._times_open
        self._times_open = min(doublings + 1, _MOST_DOUBLINGS)
        self._is_open, self._probe = True, None
        self._insisting.clear()
        self._recent.clear()
        self._failures = 0
        seconds = min(self._limits.longest, self._limits.opening * 2**doublings)
        # A fifth more or less, so that the clients of one service don't all probe it together.
        self._rests_until = self._now() + seconds * (0.8 + 0.4 * self._jitter())

    def _close(self) -> None:
        self._is_open, self._probe = False, None
        self._insisting.clear()
        self._rests_until = 0.0
