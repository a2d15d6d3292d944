"""Spark's client and echo's, with every policy around them.

No call is made twice, as a check counts the calls; for the rest of it each policy does its part.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING

from modelplug import ProxyLLMClient, ProxyModelParameters
from modelplug.policies import Breaker, ConcurrencyLimit, Fallback, Pool, Retry
from modelplug.policies.rate import LocalGate, RateLimit
from modelplug_echo.client import EchoClient
from modelplug_spark.client import SparkLLMClient

PLENTY = 10**9


def wrapped(client: ProxyLLMClient) -> ProxyLLMClient:
    """A client with all that there is around it, outermost first as they belong."""
    plenty = LocalGate(PLENTY)
    limited = RateLimit(ConcurrencyLimit(client, 10_000), requests=plenty, tokens=plenty)
    return Fallback(Pool(Breaker(Retry(limited, retries=0))))


class WrappedSpark(SparkLLMClient):
    """Makes Spark's client, in its policies."""

    if not TYPE_CHECKING:  # what it gives is a client, though none of this class

        @classmethod
        def new_client(
            cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
        ) -> ProxyLLMClient:
            """The client, in its policies."""
            return wrapped(SparkLLMClient.new_client(model_params, default_executor))


class WrappedEcho(EchoClient):
    """Makes echo's client, in its policies."""

    if not TYPE_CHECKING:  # as above

        @classmethod
        def new_client(
            cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
        ) -> ProxyLLMClient:
            """The client, in its policies."""
            return wrapped(EchoClient.new_client(model_params, default_executor))
