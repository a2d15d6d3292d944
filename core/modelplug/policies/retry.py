"""Trying again: when a call failed before its answer began, and may well succeed soon."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from modelplug.attempt import Attempt
from modelplug.client import ProxyLLMClient
from modelplug.errors import (
    ConcurrencyLimitError,
    LocalLimitError,
    OverloadedError,
    ProxyLLMError,
    QueueTimeoutError,
    RateLimitError,
)
from modelplug.opening import Opening
from modelplug.policies.budget import RetryBudget
from modelplug.policies.policy import Policy
from modelplug.request import ModelRequest

__all__ = ["Backoff", "Retry"]

_THROTTLED = (RateLimitError, ConcurrencyLimitError, OverloadedError)
_LONGEST_HINT = 60.0
"""Seconds: what a service asks for beyond that is the caller's to wait for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long to wait before another attempt, in seconds: full jitter, so that clients spread.

    Attributes:
        base: the longest first wait; doubled for each further one.
        throttled: the same where the service is too busy, rather than out of order.
        cap: the longest of all.
    """

    base: float = 0.25
    throttled: float = 1.0
    cap: float = 8.0

    def seconds(self, error: ProxyLLMError, retries: int, chance: float) -> float | None:
        """The wait after an error, with ``chance`` from 0 to 1; None where it would be too long.

        What the service asks for is the least, and a tenth more at the most.
        """
        hint = error.retry_after
        if hint is None:
            base = self.throttled if isinstance(error, _THROTTLED) else self.base
            return chance * min(self.cap, base * float(2**retries))
        return hint * (1 + chance / 10) if 0 <= hint <= _LONGEST_HINT else None


class Retry(Policy):
    """Opens a call again when it failed before its first delta, and never after it.

    Which errors are worth it, they say themselves (``retryable``); limits on this side aren't.
    The caller's deadline is for all attempts together: a wait that would outlast it isn't begun.

    Args:
        client: what is asked.
        retries: how many more times at the most.
        budget: what retries are taken from; clients of one service should share one.
        backoff: how long the waits are.
        retry_if_sent: whether to try again where the service may have seen the request, and
            may bill it twice.
        chance: gives a number from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        client: ProxyLLMClient,
        *,
        retries: int = 2,
        budget: RetryBudget | None = None,
        backoff: Backoff | None = None,
        retry_if_sent: bool = True,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(client)
        self.retries = retries
        self.budget = budget or RetryBudget()
        self.backoff = backoff or Backoff()
        self.retry_if_sent = retry_if_sent
        self._chance = chance

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call, again and again if need be."""
        retries = cost = 0
        while True:
            try:
                attempt = await self.clients[0].open(request, opening)
            except ProxyLLMError as error:
                failure = error
            else:
                self.budget.succeeded(cost)
                return attempt
            try:
                seconds = self._wait(failure, retries, opening.remaining())
                taken = seconds is not None and self.budget.take(
                    throttled=isinstance(failure, _THROTTLED)
                )
                if seconds is None or not taken:
                    raise failure
                opening.failed(failure)
            finally:
                del failure  # the error's traceback holds this frame: no cycle
            cost, retries = taken, retries + 1
            await opening.pause(seconds)

    def _wait(self, error: ProxyLLMError, retries: int, remaining: float | None) -> float | None:
        """Seconds until another attempt; None if there is to be none."""
        if retries >= self.retries or not self._is_worth_it(error):
            return None
        seconds = self.backoff.seconds(error, retries, self._chance())
        if seconds is None or (remaining is not None and seconds >= remaining):
            return None
        return seconds

    def _is_worth_it(self, error: ProxyLLMError) -> bool:
        if not error.retryable or isinstance(error, LocalLimitError | QueueTimeoutError):
            return False
        return self.retry_if_sent or error.sent == "no"
