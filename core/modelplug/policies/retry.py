"""Trying again: when a call failed before its answer began, and may well succeed soon."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from modelplug.attempt import Attempt
from modelplug.client import ProxyLLMClient
from modelplug.errors import (
    AuthenticationError,
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

log = logging.getLogger("modelplug")

_THROTTLED = (RateLimitError, ConcurrencyLimitError, OverloadedError)
_LONGEST_HINT = 60.0
"""Seconds: what a service asks for beyond that is the caller's to wait for."""


_MOST_DOUBLINGS = 64
"""Of a wait: no cap is reached later, and a power of 2 that is larger is no number."""


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

    def seconds(self, error: ProxyLLMError, retries: int, jitter: float) -> float | None:
        """The wait after an error, with ``jitter`` from 0 to 1; None where it would be too long.

        What the service asks for is the least, and a tenth more at the most.
        """
        hint = error.retry_after
        if hint is None:
            base = self.throttled if isinstance(error, _THROTTLED) else self.base
            return jitter * min(self.cap, base * 2.0 ** min(retries, _MOST_DOUBLINGS))
        return hint * (1 + jitter / 10) if 0 <= hint <= _LONGEST_HINT else None


class Retry(Policy):
    """Opens a call again when it failed before its first delta, and never after it.

    Which errors are worth it, they say themselves (``retryable``); limits on this side aren't.
    The caller's deadline is for all attempts together: a wait that would outlast it isn't begun.
    A credential that the service doesn't accept is worth it, once a call and at once, where its
    callable or reference gives another by now.

    Args:
        client: what is asked.
        retries: how many more times at the most.
        budget: what retries are taken from; clients of one service should share one.
        backoff: how long the waits are.
        retry_if_sent: whether to try again where the service may have seen the request, and
            may bill it twice.
        jitter: gives a number from 0 to 1, by which waits differ.
    """

    def __init__(
        self,
        client: ProxyLLMClient,
        *,
        retries: int = 2,
        budget: RetryBudget | None = None,
        backoff: Backoff | None = None,
        retry_if_sent: bool = True,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(client)
        self.retries = retries
        self.budget = budget or RetryBudget()
        self.backoff = backoff or Backoff()
        self.retry_if_sent = retry_if_sent
        self._jitter = jitter

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call, again and again if need be."""
        retries = cost = 0
        budget = self.budget
        while True:
            try:
                attempt = await self.clients[0].open(request, opening)
            except ProxyLLMError as error:
                failure = error
            else:
                budget.succeeded(cost)
                return attempt
            try:
                seconds = self._delay(failure, retries, opening)
                taken = None if seconds is None else _taken(budget, failure)
                if seconds is None or taken is None:
                    raise failure
                try:
                    opening.failed(failure)
                    await opening.pause(seconds)
                except BaseException:
                    budget.give_back(taken)  # no other attempt is made for it
                    raise
            finally:
                del failure  # the error's traceback holds this frame: no cycle
            cost, retries = taken, retries + 1

    def close(self) -> None:
        """Cut all open streams, and close the client; a budget that is shared isn't kept."""
        super().close()
        self.budget = RetryBudget()

    def _delay(self, error: ProxyLLMError, retries: int, opening: Opening) -> float | None:
        """Seconds until another attempt; None if there is to be none."""
        if retries >= self.retries:
            return None
        if isinstance(error, AuthenticationError) and _has_new_key(opening):
            return 0.0
        if not self._is_worth_it(error):
            return None
        remaining = opening.remaining()
        seconds = self.backoff.seconds(error, retries, self._jitter())
        if seconds is None:
            _tell_why(error, "the service asks for a longer wait than a retry makes")
        elif remaining is not None and seconds >= remaining:
            _tell_why(error, "the wait for it would outlast the call's deadline")
        else:
            return seconds
        return None

    def _is_worth_it(self, error: ProxyLLMError) -> bool:
        if not error.retryable or isinstance(error, LocalLimitError | QueueTimeoutError):
            return False
        return self.retry_if_sent or error.sent == "no"


def _taken(budget: RetryBudget, error: ProxyLLMError) -> int | None:
    """What another attempt is to cost, which is taken; None where the budget hasn't got it."""
    taken = budget.take(throttled=isinstance(error, _THROTTLED))
    if taken is None:
        _tell_why(error, "the budget of retries is used up")
    return taken


def _tell_why(error: ProxyLLMError, why: str) -> None:
    """Have an error, and the log, tell why what is worth it isn't tried again."""
    error.add_note(f"not tried again: {why}")
    with suppress(Exception):  # a handler of the app's that raises costs no call its outcome
        log.debug("not tried again: %s", why)


def _has_new_key(opening: Opening) -> bool:
    """Whether the credential has been exchanged since the attempt that had it refused."""
    if any(isinstance(failed.error, AuthenticationError) for failed in opening.attempts):
        return False  # nor was the one before accepted
    return opening.call is not None and opening.call.has_new_credential()
