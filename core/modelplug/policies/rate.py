"""So many calls and tokens a minute, counted on this side, before a service has to refuse.

It needs the extra ``modelplug[limits]``, and to count for several processes together, in one
Redis, ``modelplug[redis]``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, cast

from modelplug.attempt import Attempt, Ending
from modelplug.client import ProxyLLMClient
from modelplug.delta import Finish
from modelplug.errors import MissingDependencyError, RateGateError
from modelplug.opening import Opening
from modelplug.policies.policy import Policy
from modelplug.request import ModelRequest

try:
    from pyrate_limiter import GCRA, Decision, Duration, InMemoryStateStore, Rate, StateStore
except ImportError:
    raise MissingDependencyError(
        "the pyrate-limiter package is missing", hint="pip install 'modelplug[limits]'"
    ) from None

__all__ = ["Gate", "LocalGate", "RateLimit"]

_COUNTED = 100_000
"""Characters up to which a question's tokens are counted: more would take longer than it is worth,
as what it cost is settled in the end."""

_CHARACTERS = 4
"""Characters of a token, where tokens aren't counted: an English text's, roughly."""


class Gate(Protocol):
    """Lets so many units a minute pass; shared by whoever shares the service's limit."""

    async def wait(self, units: int) -> float:
        """Seconds until so many units may pass; at 0 they have, and are spent.

        Raises:
            RateGateError: they never may, or nobody can tell.
        """
        ...  # pragma: no cover


class LocalGate:
    """So many units a minute in this process, with so many at once after a rest.

    What is more than may pass at once passes as if it were so much.

    Args:
        a_minute: how many units.
        burst: how many at once, at the most; None for those of a whole minute.
        now: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        a_minute: int,
        *,
        burst: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate_of(a_minute, burst)
        self._store: StateStore = InMemoryStateStore()
        self._now = now

    async def wait(self, units: int) -> float:
        """Seconds until so many units may pass; at 0 they have, and are spent."""
        return spend(self._store, self._rate, units, now=self._now())


class RateLimit(Policy):
    """Holds calls back until their turn has come, as the service's own limits would have it.

    A call waits for as long as ``Timeouts.queue`` allows, or fails at once where its turn would
    come later. Its tokens are estimated when it opens: those of the question, by the client's
    own count, and as many as it may be answered with where the request says so. What it cost in
    the end is settled with the calls that follow.

    Args:
        client: what is asked.
        requests: the gate of calls; None for no limit.
        tokens: the gate of tokens; None for no limit.
    """

    def __init__(
        self, client: ProxyLLMClient, *, requests: Gate | None = None, tokens: Gate | None = None
    ) -> None:
        super().__init__(client)
        self._requests, self._tokens = requests, tokens
        self._lock = threading.Lock()
        self._owed = 0

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call, once its turn has come."""
        limit = self.timeouts_of(request).queue
        until = None if limit is None else opening.clock.elapsed + limit
        estimate = 0
        if self._tokens is not None:
            # Under the clock: counting may take a while, and closing the stream ends it.
            estimate = await opening.wait(lambda: self._estimated(request))
        await self._spend(estimate, until, opening)
        if self._requests is not None:
            try:
                await self._pass(self._requests, 1, until, opening)
            except BaseException:
                self._owe(-estimate)  # which nobody will be asked for
                raise
        attempt = await self.clients[0].open(request, opening)
        attempt.on_end(lambda ending: self._settle(estimate, ending))
        return attempt

    async def _pass(self, gate: Gate, units: int, until: float | None, opening: Opening) -> None:
        while seconds := await opening.wait(lambda: gate.wait(units)):
            if until is not None and opening.clock.elapsed + seconds > until:
                raise RateGateError(
                    f"the rate that is allowed leaves no room for {seconds:.1f} s",
                    sent="no",
                    retry_after=seconds,
                    hint="call less often, or allow for more",
                )
            await opening.pause(seconds)

    async def _estimated(self, request: ModelRequest) -> int:
        """Tokens that a call will cost, as far as can be told before."""
        characters = sum(len(message.text) for message in request.messages)
        prompt = -1
        if characters <= _COUNTED:
            prompt = (await self.clients[0].count_tokens(request.messages, request.model)).n
        if prompt < 0:
            prompt = characters // _CHARACTERS
        asked = request.with_defaults(self.params.defaults)
        return max(1, prompt) + (asked.max_new_tokens or 0)

    async def _spend(self, estimate: int, until: float | None, opening: Opening) -> None:
        """Pass the gate of tokens, with what calls before cost beyond their estimates."""
        if self._tokens is None:
            return
        with self._lock:
            units = max(1, estimate + self._owed)
            self._owed -= units - estimate
        try:
            await self._pass(self._tokens, units, until, opening)
        except BaseException:
            self._owe(units - estimate)
            raise

    def _owe(self, units: int) -> None:
        with self._lock:
            self._owed += units

    def _settle(self, estimate: int, ending: Ending) -> None:
        """Take note of what a call cost, where its service told."""
        if self._tokens is not None and isinstance(ending, Finish) and ending.usage is not None:
            self._owe((ending.usage.total_tokens or 0) - estimate)


def rate_of(a_minute: int, burst: int | None) -> Rate:
    """The library's form of a rate.

    Raises:
        ValueError: it is less than one.
    """
    if a_minute < 1 or (burst is not None and burst < 1):
        raise ValueError("a rate, and a burst, is at least 1")
    return Rate(a_minute, Duration.MINUTE, burst=burst)


def spend(store: StateStore, rate: Rate, units: int, *, now: float) -> float:
    """Seconds until so many units may pass; at 0 they have, and are spent."""
    units = min(units, rate.burst)
    decision = cast(Decision, store.check(GCRA(), [rate], round(now * 1000), units))
    return 0.0 if decision.allowed else max(decision.retry_after_ms or 0, 1) / 1000
