"""What became of all calls, and which promises were broken."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from modelplug.testing import Exchange
from stress.calls import Outcome

__all__ = ["Latencies", "Tally"]

_MOST_TOLD = 20
"""Broken promises that are told in full: the first ones say it."""


class Latencies:
    """Durations, counted by their first two digits: a run of hours has very many."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()
        self._longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[float(f"{1000 * seconds:.2g}")] += 1
        self._longest = max(self._longest, seconds)

    def __str__(self) -> str:
        count = self._counts.total()
        if not count:
            return "of no calls"
        p50, p99 = self._quantile(0.5), self._quantile(0.99)
        longest = 1000 * self._longest
        return f"p50 {p50:g} ms, p99 {p99:g} ms, max {longest:.1f} ms, of {count:,} calls"

    def _quantile(self, share: float) -> float:
        """Milliseconds that at least this share doesn't exceed."""
        wanted, seen = share * self._counts.total(), 0
        for milliseconds in sorted(self._counts):
            seen += self._counts[milliseconds]
            if seen >= wanted:
                return milliseconds
        return 1000 * self._longest


class Tally:
    """Outcomes as they come, from any thread.

    Attributes:
        words: how many there were of each.
        untyped: how many failures weren't typed.
        broken: promises that were.
        slowest: the longest that a call took beyond its deadline, in seconds.
        latencies: from each cut to its connection's end.
    """

    def __init__(self) -> None:
        self.words: Counter[str] = Counter()
        self.untyped = 0
        self.broken: list[str] = []
        self.slowest = 0.0
        self.latencies = Latencies()
        self._lock = threading.Lock()
        self._cuts: list[tuple[float, Exchange]] = []

    @property
    def count(self) -> int:
        """How many calls there were."""
        return self.words.total()

    def add(self, outcome: Outcome) -> None:
        """Count a call."""
        limit = outcome.program.timeouts.total or 0.0
        with self._lock:
            self.words[outcome.word] += 1
            self.untyped += outcome.is_untyped
            self.slowest = max(self.slowest, outcome.seconds - limit)
            if outcome.cut_at is not None and outcome.served and outcome.served.exchanges:
                self._cuts.append((outcome.cut_at, outcome.served.exchanges[-1]))
        for each in outcome.broken:
            self.broke(f"{each}\n    again: {outcome.program.again}\n    {outcome.program}")

    def take_over(self, other: Tally) -> None:
        """Note what another one found, besides how many there were."""
        with self._lock:
            self.untyped += other.untyped
            self.broken += other.broken

    def broke(self, what: str) -> None:
        """Note a promise that was broken."""
        with self._lock:
            self.broken.append(what)

    def settle(self) -> None:
        """Take the time from each cut to its connection's end, as far as those have ended."""
        with self._lock:
            cuts, self._cuts = self._cuts, []
        for cut_at, exchange in cuts:
            if exchange.closed is None:
                self._cuts.append((cut_at, exchange))
            elif exchange.closed_by == "client" and exchange.closed >= cut_at:
                self.latencies.add(exchange.closed - cut_at)

    @property
    def unsettled(self) -> int:
        """How many connections are open whose callers have gone."""
        return len(self._cuts)

    def told(self) -> Iterator[str]:
        """The table of outcomes, and of broken promises."""
        yield f"{'outcome':<28}{'calls':>9}"
        for word, count in self.words.most_common():
            yield f"{word:<28}{count:>9,}"
        yield f"{'all':<28}{self.count:>9,}"
        yield f"{'untyped':<28}{self.untyped:>9,}"
        yield f"{'promises broken':<28}{len(self.broken):>9,}"
        yield f"longest past its deadline: {max(0.0, self.slowest):.3f} s"

    def faults(self) -> Iterator[str]:
        """The broken promises."""
        for each in self.broken[:_MOST_TOLD]:
            yield f"BROKEN: {each}"
        if len(self.broken) > _MOST_TOLD:
            yield f"... and {len(self.broken) - _MOST_TOLD} more"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what is told to nobody: logged, raised in a finaliser or a thread, or warned of."""
        handler = _Listener(self)
        hooks = sys.unraisablehook, threading.excepthook
        sys.unraisablehook = lambda told: self.broke(f"untold: {told.exc_value!r} {told.object!r}")
        threading.excepthook = lambda told: self.broke(f"untold, in a thread: {told.exc_value!r}")
        logging.getLogger().addHandler(handler)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                # What an abandoned stream is told of, rightly.
                warnings.filterwarnings("ignore", "a model stream was dropped", ResourceWarning)
                yield
        finally:
            logging.getLogger().removeHandler(handler)
            sys.unraisablehook, threading.excepthook = hooks


class _Listener(logging.Handler):
    """Warnings and errors of the log are broken promises: nothing here is an app's fault."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.WARNING)
        self._tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        """Note one."""
        cause = record.exc_info[1] if record.exc_info else None
        self._tally.broke(f"untold, logged by {record.name}: {record.getMessage()} {cause!r}")
