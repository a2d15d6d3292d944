"""A rate that several processes share, in one Redis; it needs the extra ``modelplug[redis]``."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TypeAlias

from modelplug.call import warn
from modelplug.errors import MissingDependencyError, RateGateError
from modelplug.policies.forks import mind_forks
from modelplug.policies.rate import DEEPEST, charge, rate_of, spend

try:
    from pyrate_limiter import GCRA, RedisStateStore, StateStore
    from redis import AuthenticationError, Redis, RedisError, exceptions
except ImportError:
    raise MissingDependencyError(
        "the redis package is missing", hint="pip install 'modelplug[redis]'"
    ) from None

__all__ = ["SharedGate", "WhenDown", "redis_at"]

WhenDown: TypeAlias = Literal["pass", "refuse"]

_BUDGET_SECONDS = 0.05
"""How long Redis may take to answer: it stands before every call."""

_PREFIX = "modelplug:rate:"

_ITS_TIME = """
local its = redis.call('TIME')
ARGV[1] = its[1] * 1000 + its[2] / 1000 + ARGV[1]
"""
"""Makes of how long ago something was, in milliseconds, when it was."""


class _ByItsTime(GCRA):
    """The algorithm by Redis's own clock: those of the machines that ask needn't agree."""

    def redis_script(self) -> str:
        return _ITS_TIME + str(super().redis_script())


class SharedGate:
    """So many units a minute, of all processes that use one name in one Redis together.

    Args:
        redis: a client of the server; it should give up soon, as that of ``at`` does.
        name: what is limited: no secret, as Redis keeps it as it is.
        a_minute: how many units.
        burst: how many at once, at the most; None for those of a whole minute.
        when_down: whether calls pass or are refused while Redis doesn't answer.
        closes: whether closing the gate closes the client.
        now: seconds of a clock that all processes share; None for Redis's own.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        a_minute: int,
        *,
        burst: int | None = None,
        when_down: WhenDown = "pass",
        closes: bool = False,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._rate = rate_of(a_minute, burst)
        # Kept for twice the time in which it would be full again, were all owed that can be, and
        # never for less than two minutes: clocks of machines differ, and one of a test may stand
        # still.
        minutes = max(1.0, self._rate.burst * (1 + DEEPEST) / a_minute)
        self._store: StateStore = RedisStateStore(
            redis, _PREFIX + name, ttl_ms=round(2 * 60_000 * minutes)
        )
        self._redis = redis
        self._closes = closes
        self._when_down = when_down
        self._is_by_its_time = now is None
        self._now = now or time.monotonic
        self._algorithm = _ByItsTime() if now is None else GCRA()
        self.begin_anew()
        mind_forks(self)

    def begin_anew(self) -> None:
        """Owe nothing: what this process had yet to tell is another one's to tell."""
        self._charges: deque[tuple[int, float]] = deque()
        self._trouble: str | None = None

    @classmethod
    def at(cls, url: str, name: str, a_minute: int, *, burst: int | None = None) -> SharedGate:
        """A gate in the Redis at ``url``, such as ``redis://localhost:6379/0``.

        Raises:
            ValueError: that is no address of one.
        """
        return cls(redis_at(url), name, a_minute, burst=burst, closes=True)

    @property
    def burst(self) -> int:
        """How many units may pass at once, at the most."""
        return self._rate.burst

    async def acquire(self, units: int) -> float:
        """Seconds until so many units may pass; at 0 they have, and are spent.

        Raises:
            RateGateError: Redis doesn't answer, and calls are refused then.
        """
        # On a thread: a client of asyncio's would belong to one loop, and calls come from many.
        return await asyncio.to_thread(self._spend, units)

    def charge(self, units: int) -> None:
        """Note units that were spent all the same; fewer than none are given back.

        Redis is told when something is to pass the next time, as of now.
        """
        self._charges.append((units, self._now()))

    def close(self) -> None:
        """Let the connections go, if the client is this gate's own; who asks again has new ones."""
        if self._closes:
            self._redis.close()

    def _spend(self, units: int) -> float:
        try:
            seconds = self._asked(units)
        except RedisError as error:
            # The name alone: its text may have the address, and a password with it.
            trouble = f"Redis {_does(error)} ({type(error).__name__})"
        else:
            self._tell(None)
            return seconds
        if self._when_down == "pass":
            self._tell(trouble)
            return 0.0
        raise RateGateError(
            f"the shared rate can't be asked for: {trouble}",
            sent="no",
            hint="look after Redis, or let calls pass while it is down",
        )

    def _asked(self, units: int) -> float:
        while self._charges:
            with suppress(IndexError):  # another thread was faster
                owed, then = self._charges.popleft()
                charge(self._store, self._rate, owed, now=self._told(then), by=self._algorithm)
        now = self._told(self._now())
        return spend(self._store, self._rate, units, now=now, by=self._algorithm)

    def _told(self, moment: float) -> float:
        """A moment as Redis is told of it: by its own clock, how long ago it was."""
        return moment - self._now() if self._is_by_its_time else moment

    def _tell(self, trouble: str | None) -> None:
        """Log what the matter is, when that changes: not with every call."""
        before, self._trouble = self._trouble, trouble
        if trouble is not None and trouble != before:
            warn("the shared rate isn't kept: %s", trouble)
        elif trouble is None and before is not None:
            warn("the shared rate is kept again")


def redis_at(url: str) -> Redis:
    """A client of the Redis at ``url``, which gives up soon; it doesn't connect yet.

    Raises:
        ValueError: that is no address of one.
    """
    with suppress(ValueError, TypeError, RedisError):  # their texts may have the password
        redis = Redis.from_url(
            url, socket_timeout=_BUDGET_SECONDS, socket_connect_timeout=_BUDGET_SECONDS
        )
        pool = redis.connection_pool
        # One that isn't used: what can't be is known now, rather than by the first call.
        connection = pool.connection_class(**pool.connection_kwargs)
        str(getattr(connection, "host", "")).encode("idna")
        return redis
    raise ValueError("that is no address of a Redis")


def _does(error: RedisError) -> str:
    # A password that isn't right is a ConnectionError there, too.
    is_refusal = isinstance(error, AuthenticationError)
    is_away = isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError))
    return "doesn't answer" if is_away and not is_refusal else "refuses"
