"""The clients that are asked: one for each target, with policies around it, in any order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from modelplug import ProxyLLMClient, new_client
from modelplug.policies import (
    Backoff,
    Breaker,
    Circuit,
    CircuitLimits,
    ConcurrencyLimit,
    Fallback,
    Pool,
    Retry,
    RetryBudget,
    Slots,
)
from modelplug.policies.rate import LocalGate, RateLimit
from stress.programs import Program
from stress.service import Service

__all__ = ["Clients", "PerCall", "Shared"]

_BACKOFF = Backoff(base=0.01, throttled=0.02, cap=0.05)


class Clients(Protocol):
    """Where a program's client comes from."""

    def take(self, program: Program) -> ProxyLLMClient:
        """The client of a program."""
        ...

    def give_back(self, client: ProxyLLMClient) -> None:
        """Its call is over."""
        ...

    def left(self) -> str:
        """What calls that are over still hold; empty if nothing."""
        ...


class _Policies:
    """Policies by their names, with state that is shared by all clients of a run."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.slots = [Slots(4, queue=16), Slots(64)]
        self._turn = 0
        self._budget = RetryBudget()
        self._circuit = Circuit(CircuitLimits(failures=5, opening=0.05, longest=0.2))
        self._gate = LocalGate(60_000)
        self._around: Mapping[str, Callable[[ProxyLLMClient], ProxyLLMClient]] = {
            "retry": lambda client: Retry(client, budget=self._budget, backoff=_BACKOFF),
            "concurrency": lambda client: ConcurrencyLimit(client, self._next_slots()),
            "rate": lambda client: RateLimit(client, requests=self._gate),
            "breaker": lambda client: Breaker(client, circuit=self._circuit, refuse_alone=True),
            "fallback": lambda client: Fallback(client, self.target("echo")),
            "pool": lambda client: Pool(client, self.target("spark")),
        }

    def made(self, target: str, stack: Sequence[str]) -> ProxyLLMClient:
        """A client with its policies around it."""
        client = self.target(target)
        for name in stack:
            client = self._around[name](client)
        return client

    def target(self, target: str) -> ProxyLLMClient:
        """A client of one target."""
        if target == "echo":
            return new_client("echo", delay=0.001)
        return new_client(
            "spark",
            api_base=self._service.url(target),
            api_app_id="12345678",
            api_key="key-0123456789",
            api_secret="secret-0123456789",
        )

    def left(self) -> str:
        """The places that calls which are over still have."""
        held = [f"{each.taken} of {each.limit}, {each.waiting} wait" for each in self.slots]
        return "" if not any(each.taken or each.waiting for each in self.slots) else str(held)

    def _next_slots(self) -> Slots:
        self._turn += 1
        return self.slots[self._turn % len(self.slots)]


class PerCall:
    """A client for each call, which is closed after it; their policies share their state."""

    def __init__(self, service: Service) -> None:
        self._policies = _Policies(service)

    def take(self, program: Program) -> ProxyLLMClient:
        """A new client."""
        return self._policies.made(program.target, program.stack)

    def give_back(self, client: ProxyLLMClient) -> None:
        """Close it."""
        client.close()

    def left(self) -> str:
        """What calls that are over still hold; empty if nothing."""
        return self._policies.left()


class Shared:
    """One client for each target and stack, for all calls, as an app would have them."""

    def __init__(self, service: Service) -> None:
        self._policies = _Policies(service)
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, ...], ProxyLLMClient] = {}

    def take(self, program: Program) -> ProxyLLMClient:
        """The client of all such programs."""
        key = (program.target, *program.stack)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._policies.made(program.target, program.stack)
            return self._clients[key]

    def give_back(self, client: ProxyLLMClient) -> None:
        """It stays open."""

    def close(self) -> None:
        """Close all of them."""
        for client in self._clients.values():
            client.close()

    def left(self) -> str:
        """What calls that are over still hold; empty if nothing."""
        return self._policies.left()
