"""So many calls and tokens a minute, counted on this side, before a service has to refuse.

It needs the extra ``modelplug[limits]``, and to count for several processes together, in one
Redis, ``modelplug[redis]``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, cast

from modelplug.attempt import Attempt, Ending
from modelplug.client import ProxyLLMClient
from modelplug.delta import Finish
from modelplug.errors import MissingDependencyError, RateGateError, WrongUseError
from modelplug.opening import Opening
from modelplug.policies.forks import mind_forks
from modelplug.policies.policy import Policy
from modelplug.request import ModelRequest

try:
    from pyrate_limiter import GCRA, Decision, Duration, InMemoryStateStore, Rate, StateStore
except ImportError:
    raise MissingDependencyError(
        "the pyrate-limiter package is missing", hint="pip install 'modelplug[limits]'"
    ) from None

__all__ = ["Gate", "LocalGate", "RateLimit"]

T = TypeVar("T")

_ALGORITHM = GCRA()

DEEPEST = 10
"""How many times as much as may pass at once can be owed besides: what a call cost is a service's
word, and one that errs must not shut a gate for ever."""

_COUNTED = 100_000
"""Characters up to which a question's tokens are counted: more would take longer than it is worth,
as what it cost is settled in the end."""

_CHARACTERS = 4
"""Characters of a token, where tokens aren't counted: an English text's, roughly."""


class Gate(Protocol):
    """Lets so many units a minute pass; shared by whoever shares the service's limit."""

    @property
    def burst(self) -> int:
        """How many units may pass at once, at the most; more pass as if they were so many."""
        ...  # pragma: no cover

    async def acquire(self, units: int) -> float:
        """Seconds until so many units may pass; at 0 they have, and are spent.

        Raises:
            RateGateError: they never may, or nobody can tell.
        """
        ...  # pragma: no cover

    def charge(self, units: int) -> None:
        """Note units that were spent all the same; fewer than none are given back.

        Until they would have passed nothing does. It doesn't block; from any thread.
        """
        ...  # pragma: no cover

    def close(self) -> None:
        """Let go of what is open; it may be used again by others who share it."""
        ...  # pragma: no cover


class LocalGate:
    """So many units a minute in this process, with so many at once after a rest.

    What is more than may pass at once passes as if it were so much. What is charged beyond that
    is owed, up to ten times as much, and is paid by the time that passes.

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
        self._now = now
        self.begin_anew()
        mind_forks(self)

    def begin_anew(self) -> None:
        """Let a whole burst pass, as at first."""
        self._store: StateStore = InMemoryStateStore()

    @property
    def burst(self) -> int:
        """How many units may pass at once, at the most."""
        return self._rate.burst

    async def acquire(self, units: int) -> float:
        """Seconds until so many units may pass; at 0 they have, and are spent."""
        return spend(self._store, self._rate, units, now=self._now())

    def charge(self, units: int) -> None:
        """Note units that were spent all the same; fewer than none are given back."""
        charge(self._store, self._rate, units, now=self._now())

    def close(self) -> None:
        """Nothing is open."""


class RateLimit(Policy):
    """Holds calls back until their turn has come, as the service's own limits would have it.

    A call waits for as long as ``Timeouts.queue`` allows, or fails at once where its turn would
    come later. Its tokens are estimated when it opens: those of the question, by the client's
    own count, and as many as it may be answered with where the request says so. What it cost in
    the end, as its service tells, is settled then: calls wait until that is made up for.

    Args:
        client: what is asked.
        requests: the gate of calls; None for no limit.
        tokens: the gate of tokens; None for no limit.

    Raises:
        WrongUseError: one of them is no gate.
    """

    def __init__(
        self, client: ProxyLLMClient, *, requests: Gate | None = None, tokens: Gate | None = None
    ) -> None:
        super().__init__(client)
        for gate in (requests, tokens):
            if gate is not None and not hasattr(gate, "acquire"):
                raise WrongUseError(
                    f"a rate is kept by a gate, not a {type(gate).__name__}",
                    hint="give a LocalGate(300), say, for so many a minute",
                )
        self._requests, self._tokens = requests, tokens

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call, once its turn has come."""
        turn = _Turn(opening, self.timeouts_of(request).queue)
        tokens, paid = self._tokens, 0
        if tokens is not None:
            # Under the clock: counting may take a while, and closing the stream ends it.
            paid = min(tokens.burst, await turn.wait(lambda: self._estimated(request)))
            await turn.come(tokens, paid)
        if self._requests is not None:
            try:
                await turn.come(self._requests, 1)
            except BaseException:
                if tokens is not None:
                    tokens.charge(-paid)  # nothing is asked for them
                raise
        attempt = await self.clients[0].open(request, opening)
        if tokens is not None:
            attempt.on_end(lambda ending: _settle(tokens, paid, ending))
        return attempt

    def close(self) -> None:
        """Cut all open streams, and close the client and the gates; idempotent."""
        super().close()
        for gate in (self._requests, self._tokens):
            if gate is not None:
                gate.close()

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


class _Turn:
    """One call at its gates: all its waits together take what ``Timeouts.queue`` allows."""

    def __init__(self, opening: Opening, queue: float | None) -> None:
        self._opening = opening
        self._queue = queue
        self._since = opening.clock.elapsed

    async def wait(self, wait: Callable[[], Awaitable[T]]) -> T:
        """What ``wait`` gives, in time."""
        return await self._opening.wait(wait, queue=self._queue, since=self._since)

    async def come(self, gate: Gate, units: int) -> None:
        """Wait until so many units have passed a gate."""
        while seconds := await self.wait(lambda: gate.acquire(units)):
            elapsed = self._opening.clock.elapsed - self._since
            if self._queue is not None and elapsed + seconds > self._queue:
                raise RateGateError(
                    f"the rate that is allowed leaves no room for {seconds:.1f} s",
                    sent="no",
                    retry_after=seconds,
                    hint="call less often, or allow for more",
                )
            await self._opening.pause(seconds)


def _settle(gate: Gate, paid: int, ending: Ending) -> None:
    """Charge what a call cost beyond what it paid, or give it back, where its service told."""
    if isinstance(ending, Finish) and ending.usage is not None:
        cost: object = ending.usage.total_tokens
        # What is no possible cost comes from the service, and is nobody's to have back.
        if type(cost) is int and cost >= 0 and cost != paid:
            gate.charge(cost - paid)


def rate_of(a_minute: int, burst: int | None) -> Rate:
    """The library's form of a rate.

    Raises:
        ValueError: it is less than one.
    """
    if a_minute < 1 or (burst is not None and burst < 1):
        raise ValueError("a rate, and a burst, is at least 1")
    return Rate(a_minute, Duration.MINUTE, burst=burst)


def spend(store: StateStore, rate: Rate, units: int, *, now: float, by: GCRA = _ALGORITHM) -> float:
    """Seconds until so many units may pass; at 0 they have, and are spent."""
    units = min(units, rate.burst)
    decision = cast(Decision, store.check(by, [rate], round(now * 1000), units))
    return 0.0 if decision.allowed else max(decision.retry_after_ms or 0, 1) / 1000


def charge(store: StateStore, rate: Rate, units: int, *, now: float, by: GCRA = _ALGORITHM) -> None:
    """Note units as spent, though there was no room for them, as far down as may be owed.

    It is the same state with room for more: in it is when all is made up for, whatever the
    burst. Where so much is owed already that there is no room there, either, they are forgiven.
    """
    deeper = Rate(rate.limit, rate.interval, burst=rate.burst * (1 + DEEPEST))
    most = rate.burst * DEEPEST
    units = max(-most, min(units, most))
    store.check(by, [deeper], round(now * 1000), units)
