"""The policies that a configuration asks for, in the order in which they belong."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from modelplug.client import ProxyLLMClient
from modelplug.errors import ConfigError
from modelplug.params import ProxyModelParameters
from modelplug.policies.breaker import Breaker
from modelplug.policies.concurrency import ConcurrencyLimit
from modelplug.policies.retry import Retry
from modelplug.secrets import Secret

if TYPE_CHECKING:
    from modelplug.policies.rate import Gate

__all__ = ["with_policies"]


def with_policies(client: ProxyLLMClient, params: ProxyModelParameters) -> ProxyLLMClient:
    """A client with what its params ask for around it; innermost what is nearest to the wire.

    Raises:
        MissingDependencyError: a rate is asked for, and the extra for it isn't installed.
        ConfigError: where the rates are to be kept can't be.
    """
    if params.concurrency:
        client = ConcurrencyLimit(client, params.concurrency)
    if params.requests_per_minute or params.tokens_per_minute:
        # Here: it has libraries of its own, which come with an extra.
        from modelplug.policies.rate import RateLimit

        client = RateLimit(
            client,
            requests=_gate("requests", params.requests_per_minute, params),
            tokens=_gate("tokens", params.tokens_per_minute, params),
        )
    if params.retries:
        client = Retry(client, retries=params.retries)
    return Breaker(client) if params.breaker else client


def _gate(unit: str, a_minute: int | None, params: ProxyModelParameters) -> Gate | None:
    if a_minute is None:
        return None
    url = params.redis_url
    if not isinstance(url, Secret) or not url:
        # Here, as above.
        from modelplug.policies.rate import LocalGate

        return LocalGate(a_minute)
    # Here, as above.
    from modelplug.policies.sharedrate import SharedGate

    try:
        return SharedGate.at(url.reveal(), f"{_account(params)}:{unit}", a_minute)
    except ValueError:  # not raised from here: its text may have the password
        pass
    raise ConfigError("redis_url is no address of a Redis", hint="write redis://HOST:PORT/DB")


def _account(params: ProxyModelParameters) -> str:
    """Whose limit it is: the backend, and what can't be turned back into its key."""
    credential = params.credential()
    key = f"{credential.app_id}\n{credential.api_key.reveal()}"
    backend = params.target.backend if params.target else None
    return f"{backend}:{hashlib.sha256(key.encode()).hexdigest()[:16]}"
