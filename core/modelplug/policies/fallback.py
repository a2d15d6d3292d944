"""Asking somebody else, when a call failed before its answer began."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from modelplug.attempt import Attempt
from modelplug.client import ProxyLLMClient
from modelplug.errors import (
    ConcurrencyLimitError,
    ContextLengthError,
    DeadlineError,
    LocalLimitError,
    OverloadedError,
    ProxyLLMError,
    QuotaError,
    RateLimitError,
    ServerError,
    TotalTimeoutError,
    TransportError,
    TruncatedStreamError,
)
from modelplug.opening import Opening
from modelplug.policies.policy import Policy
from modelplug.request import ModelRequest

__all__ = ["ANOTHERS_TO_SERVE", "Fallback", "Pool"]

ANOTHERS_TO_SERVE: tuple[type[ProxyLLMError], ...] = (
    TransportError,
    DeadlineError,
    TruncatedStreamError,
    OverloadedError,
    ServerError,
    RateLimitError,
    ConcurrencyLimitError,
    QuotaError,
    LocalLimitError,
)
"""What is a target's own trouble. Wrong keys, wrong requests and filtered content are not: asking
somebody else would hide a mistake, or get round a refusal."""


class Fallback(Policy):
    """Asks its clients in turn until one begins to answer; the deadline is for all of them.

    The output says who did, in ``served_by``, and what had failed before, in ``attempts``. A
    model that the request names is asked of those who have it, and of the first; the others
    serve it with their own default. A context that is too long goes to a client with a longer
    one alone.

    Args:
        clients: who is asked, the best first.
        on: failures after which the next one is asked.
    """

    def __init__(
        self, *clients: ProxyLLMClient, on: Sequence[type[ProxyLLMError]] = ANOTHERS_TO_SERVE
    ) -> None:
        super().__init__(*clients)
        self._on = tuple(on)

    def order(self) -> Sequence[ProxyLLMClient]:
        """Who is asked by the next call, in turn."""
        return self.clients

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call with the first client that begins to answer."""
        left, was_last_resort = list(self.order()), opening.is_last_resort
        while True:
            client = left.pop(0)
            opening.is_last_resort = was_last_resort and not left
            asked = request if client is self.clients[0] else _asked_of(client, request)
            try:
                attempt = await client.open(asked, opening)
            except ProxyLLMError as error:
                failure = error
            else:
                answer = opening.answer
                answer.served_by = answer.served_by or f"{answer.backend}:{answer.model}"
                return attempt
            try:
                left = self._able(left, failure, client)
                if not left:
                    raise failure
                opening.failed(failure)
            finally:
                del failure  # the error's traceback holds this frame: no cycle
                opening.is_last_resort = was_last_resort

    def _able(
        self, left: list[ProxyLLMClient], error: ProxyLLMError, failed: ProxyLLMClient
    ) -> list[ProxyLLMClient]:
        """Those who may serve what failed."""
        if isinstance(error, ContextLengthError) and ContextLengthError not in self._on:
            return [each for each in left if each.context_length > failed.context_length]
        if isinstance(error, TotalTimeoutError) or not isinstance(error, self._on):
            return []
        return left


class Pool(Fallback):
    """Shares calls among clients that are as good as one another: keys, regions, replicas.

    Each call begins with the next one in turn, and goes on to the others as ``Fallback`` does.
    """

    def __init__(
        self, *clients: ProxyLLMClient, on: Sequence[type[ProxyLLMError]] = ANOTHERS_TO_SERVE
    ) -> None:
        super().__init__(*clients, on=on)
        self._lock = threading.Lock()
        self._turns = self._forever()

    def order(self) -> Sequence[ProxyLLMClient]:
        """All clients, from the next in turn on."""
        with self._lock:
            first = next(self._turns)
        return (*self.clients[first:], *self.clients[:first])

    def _forever(self) -> Iterator[int]:
        while True:
            yield from range(len(self.clients))


def _asked_of(client: ProxyLLMClient, request: ModelRequest) -> ModelRequest:
    """A request as it is for another client than the one that it was meant for."""
    if request.model is None or request.model in client.model_names:
        return request
    return request.copy(model=None)
