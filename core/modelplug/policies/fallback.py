"""Asking somebody else, when a call failed before its answer began."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

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
from modelplug.policies.forks import mind_forks
from modelplug.policies.policy import Policy
from modelplug.request import ModelRequest
from modelplug.timeouts import STANDARD

__all__ = ["FALLBACK_ERRORS", "Fallback", "Pool", "asked_of", "unheard_deadline"]

FALLBACK_ERRORS: tuple[type[ProxyLLMError], ...] = (
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

    It is the request's own, or else the first client's: a call has one from its beginning on.
    The output says who did, in ``served_by``, which is None without a fallback, and what had
    failed before, in ``attempts``. A model that the request names is asked of those who have it,
    and of the first; the others serve it with their own default. A context that is too long goes
    to a client with a longer one alone.

    Args:
        clients: who is asked, the best first.
        on: failures after which the next one is asked.

    Raises:
        ValueError: ``on`` is no list of kinds of errors.
    """

    def __init__(
        self, *clients: ProxyLLMClient, on: Sequence[type[ProxyLLMError]] = FALLBACK_ERRORS
    ) -> None:
        super().__init__(*clients)
        self._on = _kinds(on)

    def order(self) -> Sequence[ProxyLLMClient]:
        """Who is asked by the next call, in turn."""
        return self.clients

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call with the first client that begins to answer."""
        left, was_last_resort = list(self.order()), opening.is_last_resort
        while True:
            client = left.pop(0)
            opening.is_last_resort = was_last_resort and not left
            try:
                attempt = await client.open(self._asked_of(client, request), opening)
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

    def _asked_of(self, client: ProxyLLMClient, request: ModelRequest) -> ModelRequest:
        """The request as it is for a client: the first one's own, or for another one."""
        return request if client is self.clients[0] else asked_of(client, request)

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
    As they have the same models, each is asked for the one that the request names.
    """

    def __init__(
        self, *clients: ProxyLLMClient, on: Sequence[type[ProxyLLMError]] = FALLBACK_ERRORS
    ) -> None:
        super().__init__(*clients, on=on)
        self.begin_anew()
        mind_forks(self)

    def begin_anew(self) -> None:
        """Begin with the first."""
        self._lock = threading.Lock()
        self._turns = self._forever()

    def order(self) -> Sequence[ProxyLLMClient]:
        """All clients, from the next in turn on."""
        with self._lock:
            first = next(self._turns)
        return (*self.clients[first:], *self.clients[:first])

    def _asked_of(self, client: ProxyLLMClient, request: ModelRequest) -> ModelRequest:
        """The request as it is."""
        return request

    def _forever(self) -> Iterator[int]:
        while True:
            yield from range(len(self.clients))


def asked_of(client: ProxyLLMClient, request: ModelRequest) -> ModelRequest:
    """A request as it is for another client than the one that it was meant for."""
    if request.model is None or request.model in client.model_names:
        return request
    return request.copy(model=None)


def unheard_deadline(first: float | None, other: float | None) -> str | None:
    """What there is to say where another client than the first was given a total of its own."""
    if other in (first, STANDARD.total):
        return None
    holds = "which has none" if first is None else f"{first:g} s"
    own = "none" if other is None else f"{other:g} s"
    return (
        f"its total ({own}) doesn't count: a call has one deadline for all its targets, "
        f"that of the first ({holds})"
    )


def _kinds(on: object) -> tuple[type[ProxyLLMError], ...]:
    """Kinds of errors, as ``on`` gives them."""
    given = tuple(on) if isinstance(on, Iterable) else (None,)
    kinds = tuple(it for it in given if isinstance(it, type) and issubclass(it, ProxyLLMError))
    if len(kinds) < len(given):
        raise ValueError("on is a list of kinds of ProxyLLMError")
    return kinds
