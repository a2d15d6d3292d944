"""The policies that a configuration asks for, in the order in which they belong."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from modelplug.client import ProxyLLMClient
from modelplug.errors import ConfigError
from modelplug.params import ProxyModelParameters
from modelplug.policies.breaker import Breaker
from modelplug.policies.concurrency import ConcurrencyLimit
from modelplug.policies.retry import Retry
from modelplug.policies.targets import targets
from modelplug.secrets import Secret

if TYPE_CHECKING:
    from modelplug.policies.rate import Gate

__all__ = ["with_policies"]


class _Rate(NamedTuple):
    """How many units may pass a minute, and at once; see the gates."""

    a_minute: int
    burst: int | None


def with_policies(
    client: ProxyLLMClient,
    params: ProxyModelParameters,
    *,
    jitter: Callable[[], float] = random.random,
    apart: int | None = None,
) -> ProxyLLMClient:
    """A client with what its params ask for around it; innermost what is nearest to the wire.

    Args:
        client: what is asked in the end.
        params: what they ask for.
        jitter: see Retry.
        apart: those with another number share nothing with it.

    Raises:
        MissingDependencyError: a rate is asked for, and the extra for it isn't installed.
        ConfigError: where the rates are to be kept can't be.
    """
    if params.concurrency:
        client = ConcurrencyLimit(client, params.concurrency)
    if params.requests_per_minute or params.tokens_per_minute:
        # Here: it has libraries of its own, which come with an extra.
        from modelplug.policies.rate import RateLimit

        requests, tokens = _gates(params)
        client = RateLimit(client, requests=requests, tokens=tokens)
    if params.retries:
        budget = targets().budget(params, apart)
        client = Retry(client, retries=params.retries, budget=budget, jitter=jitter)
    return Breaker(client, circuit=targets().circuit(params, apart)) if params.breaker else client


def _gates(params: ProxyModelParameters) -> Iterator[Gate | None]:
    """The gates of calls and of tokens: of this process, or of all that share one Redis."""
    calls, tokens = params.requests_per_minute, params.tokens_per_minute
    rates = {
        "requests": _Rate(calls, params.burst) if calls else None,
        "tokens": _Rate(tokens, None) if tokens else None,
    }
    url = params.redis_url
    if isinstance(url, Secret) and url:
        return _shared_gates(url, _account(params), rates)
    # Here, as above.
    from modelplug.policies.rate import LocalGate

    return (
        None if rate is None else LocalGate(rate.a_minute, burst=rate.burst)
        for rate in rates.values()
    )


def _shared_gates(
    url: Secret, account: str, rates: Mapping[str, _Rate | None]
) -> Iterator[Gate | None]:
    # Here, as above.
    from modelplug.policies.sharedrate import SharedGate, redis_at

    try:
        redis = redis_at(url.reveal())
    except ValueError:
        pass
    else:
        return (
            rate
            and SharedGate(redis, f"{account}:{unit}", rate.a_minute, burst=rate.burst, closes=True)
            for unit, rate in rates.items()
        )
    raise ConfigError("redis_url is no address of a Redis", hint="write redis://HOST:PORT/DB")


def _account(params: ProxyModelParameters) -> str:
    """Whose limit it is: the backend, and what can't be turned back into its key."""
    credential = params.credential()
    key = f"{credential.app_id}\n{credential.api_key.reveal()}"
    backend = params.target.backend if params.target else None
    return f"{backend}:{hashlib.sha256(key.encode()).hexdigest()[:16]}"
