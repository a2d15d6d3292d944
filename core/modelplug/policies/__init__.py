"""Policies: clients around clients, which decide how a call is opened.

::

    from modelplug import new_client
    from modelplug.policies import ConcurrencyLimit, Fallback, Retry

    client = Fallback(Retry(new_client("acme")), ConcurrencyLimit(new_client("parrot"), 4))

They nest, outermost first: fallback, breaker, retry, rate limit, concurrency limit. The config
string, or a profile, says the same: ``"acme?retries=2 | parrot?concurrency=4"``.

A policy of one's own is a ``Policy`` with ``open``::

    class Logged(Policy):
        async def open(self, request, opening):
            attempt = await self.clients[0].open(request, opening)
            log.info("%s began to answer", attempt.call.answer.model)
            return attempt

``RateLimit`` is in ``modelplug.policies.rate``, as it needs the extra ``modelplug[limits]``.
"""

from __future__ import annotations

from modelplug.attempt import Attempt, Ending
from modelplug.opening import FailedAttempt, Opening
from modelplug.policies.breaker import Breaker
from modelplug.policies.budget import RetryBudget
from modelplug.policies.circuit import Circuit, CircuitLimits
from modelplug.policies.concurrency import ConcurrencyLimit, Slots
from modelplug.policies.fallback import FALLBACK_ERRORS, Fallback, Pool
from modelplug.policies.policy import Policy
from modelplug.policies.retry import Backoff, Retry

__all__ = [
    "FALLBACK_ERRORS",
    "Attempt",
    "Backoff",
    "Breaker",
    "Circuit",
    "CircuitLimits",
    "ConcurrencyLimit",
    "Ending",
    "FailedAttempt",
    "Fallback",
    "Opening",
    "Policy",
    "Pool",
    "Retry",
    "RetryBudget",
    "Slots",
]
