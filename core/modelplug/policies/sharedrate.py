"""A rate that several processes share, in one Redis; it needs the extra ``modelplug[redis]``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from modelplug.call import warn
from modelplug.errors import MissingDependencyError, RateGateError
from modelplug.policies.rate import rate_of, spend

try:
    from pyrate_limiter import RedisStateStore, StateStore
    from redis import Redis, RedisError
except ImportError:
    raise MissingDependencyError(
        "the redis package is missing", hint="pip install 'modelplug[redis]'"
    ) from None

__all__ = ["SharedGate", "WhenDown"]

WhenDown: TypeAlias = Literal["pass", "refuse"]

_BUDGET_SECONDS = 0.05
"""How long Redis may take to answer: it stands before every call."""

_PREFIX = "modelplug:rate:"


class SharedGate:
    """So many units a minute, of all processes that use one name in one Redis together.

    Args:
        redis: a client of the server; it should give up soon, as that of ``at`` does.
        name: what is limited: no secret, as Redis keeps it as it is.
        a_minute: how many units.
        burst: how many at once, at the most; None for those of a whole minute.
        when_down: whether calls pass or are refused while Redis doesn't answer.
        now: seconds of a clock that all processes share.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        a_minute: int,
        *,
        burst: int | None = None,
        when_down: WhenDown = "pass",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._rate = rate_of(a_minute, burst)
        # Kept for twice the time in which it would be full again, and never for less than two
        # minutes: clocks of machines differ, and one of a test may stand still.
        minutes = max(1.0, self._rate.burst / a_minute)
        self._store: StateStore = RedisStateStore(
            redis, _PREFIX + name, ttl_ms=round(2 * 60_000 * minutes)
        )
        self._when_down = when_down
        self._now = now

    @classmethod
    def at(cls, url: str, name: str, a_minute: int, *, burst: int | None = None) -> SharedGate:
        """A gate in the Redis at ``url``, such as ``redis://localhost:6379/0``."""
        redis = Redis.from_url(
            url, socket_timeout=_BUDGET_SECONDS, socket_connect_timeout=_BUDGET_SECONDS
        )
        return cls(redis, name, a_minute, burst=burst)

    async def wait(self, units: int) -> float:
        """Seconds until so many units may pass; at 0 they have, and are spent.

        Raises:
            RateGateError: Redis doesn't answer, and calls are refused then.
        """
        # On a thread: a client of asyncio's would belong to one loop, and calls come from many.
        return await asyncio.to_thread(self._spend, units)

    def _spend(self, units: int) -> float:
        try:
            return spend(self._store, self._rate, units, now=self._now())
        except RedisError as error:
            # The name alone: its text may have the address, and a password with it.
            trouble = type(error).__name__
        if self._when_down == "pass":
            warn("the shared rate isn't kept: Redis doesn't answer (%s)", trouble)
            return 0.0
        raise RateGateError(
            f"the shared rate can't be asked for: Redis doesn't answer ({trouble})",
            sent="no",
            hint="look after Redis, or let calls pass while it is down",
        )
