"""What an app's licence allows, and what it has used of it.

The decisions are functions of this state and a time that is given. Not safe between threads: the
emulator asks from one loop. Tokens and days are counted for each domain, because each version
has an account of its own (D-Web; section 7 of the protocol notes); seconds and answers at once
for the app, because that is where the console shows them (L-sparkpy39). A question that is
refused uses nothing up (G).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from modelplug_spark.emulation.faults import BEIJING, Fault, fault
from modelplug_spark.emulation.settings import EmulatorSettings

__all__ = ["Limits", "Wish"]

_DAY = 86_400


class Wish(NamedTuple):
    """A question, as far as limits go: of which domain, from which user, when."""

    domain: str
    user: str | None
    now: float

    @property
    def day(self) -> int:
        """The number of the day in Beijing (R; section 5.1)."""
        return int((self.now + BEIJING.total_seconds()) // _DAY)


class Limits:
    """The state of one app's licence."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._spent: Counter[str] = Counter()
        self._asked: Counter[tuple[str, int]] = Counter()
        self._recent: list[float] = []
        self._running: dict[int, str | None] = {}
        self._entered = 0

    @property
    def running(self) -> int:
        """How many answers are under way."""
        return len(self._running)

    def refusal(self, wish: Wish) -> Fault | None:
        """The first limit that a question would break, in section 5.3's order (R)."""
        return next(self._broken(wish), None)

    def enter(self, wish: Wish) -> int:
        """Count a question that is not refused; the number given is to be released."""
        self._forget(wish)
        self._asked[wish.domain, wish.day] += 1
        self._recent.append(wish.now)
        self._entered += 1
        self._running[self._entered] = wish.user
        return self._entered

    def release(self, number: int) -> None:
        """An answer has ended; the second time it is no news."""
        self._running.pop(number, None)

    def spend(self, domain: str, tokens: int) -> None:
        """Bill an answer, which is paid for from its start, whoever reads it (D-Android)."""
        self._spent[domain] += tokens

    def _broken(self, wish: Wish) -> Iterator[Fault]:
        limits = self._settings
        if limits.granted and wish.domain not in limits.granted:
            yield fault(11200, wish.now, f"domain.{wish.domain}")
        counts = (
            (11200, "tokens.total", self._spent[wish.domain], limits.tokens),
            (11201, "", self._asked[wish.domain, wish.day], limits.daily),
            (11202, "", self._within_a_second(wish.now), limits.per_second),
            (11203, "", self.running, limits.concurrent),
        )
        for code, detail, used, limit in counts:
            if limit is not None and used >= limit:
                yield fault(code, wish.now, detail)
        # Whom 10006 goes by is unclear (section 5.1): here by the uid, so not without one.
        if limits.one_per_user and wish.user and wish.user in self._running.values():
            yield fault(10006, wish.now)

    def _within_a_second(self, now: float) -> int:
        # Both ways: a clock that was set back must not shut everybody out until it has caught up.
        return sum(1 for moment in self._recent if abs(now - moment) < 1)

    def _forget(self, wish: Wish) -> None:
        """Drop what no limit asks for any more."""
        self._recent = [moment for moment in self._recent if abs(wish.now - moment) < 1]
        for key in [key for key in self._asked if key[1] < wish.day]:
            del self._asked[key]
