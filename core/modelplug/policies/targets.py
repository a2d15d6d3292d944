"""What clients of one target have in common: a budget of retries, and a circuit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from secrets import token_bytes
from typing import TypeVar
from weakref import WeakValueDictionary

from modelplug.params import ProxyModelParameters
from modelplug.policies.budget import RetryBudget
from modelplug.policies.circuit import Circuit

__all__ = ["Targets", "targets"]

ValueT = TypeVar("ValueT")


class Targets:
    """The budgets and circuits of clients that were configured, for any thread.

    A target is a backend, of one distribution, at one address, with one account: its app id and
    its key as they are when a client is made. Whatever clients ask it share one budget, and
    where they have the same model one circuit. It lasts until the last of them is closed: this
    holds none of it. Those with different numbers (``apart``) share nothing.
    """

    def __init__(self) -> None:
        # Of this object alone: what stands for a key in its memory tells nothing outside of it.
        self._salt = token_bytes(32)
        self._lock = threading.Lock()
        self._budgets: WeakValueDictionary[bytes, RetryBudget] = WeakValueDictionary()
        self._circuits: WeakValueDictionary[bytes, Circuit] = WeakValueDictionary()

    def budget(self, params: ProxyModelParameters, apart: int | None = None) -> RetryBudget:
        """What retries of a client with these params are taken from."""
        return self._shared(self._budgets, self._digest(params, None, apart), RetryBudget)

    def circuit(self, params: ProxyModelParameters, apart: int | None = None) -> Circuit:
        """The health of what a client with these params asks."""
        return self._shared(self._circuits, self._digest(params, params.model, apart), Circuit)

    def _shared(
        self,
        kept: WeakValueDictionary[bytes, ValueT],
        digest: bytes,
        make: Callable[[], ValueT],
    ) -> ValueT:
        with self._lock:
            value = kept.get(digest)
            if value is None:
                value = kept[digest] = make()
            return value

    def _digest(self, params: ProxyModelParameters, model: str | None, apart: int | None) -> bytes:
        target, credential = params.target, params.credential()
        parts = (
            target.backend if target else None,
            target.dist if target else None,
            params.proxy_api_base,
            params.proxy_api_type,
            params.proxy_api_version,
            model,
            credential.app_id,
            apart,
        )
        digest = blake2b(repr(parts).encode(), key=self._salt)
        digest.update(credential.api_key.reveal().encode())
        return digest.digest()


def targets() -> Targets:
    """Those of this process; a forked child begins anew, as it has clients of its own to make."""
    return _targets_of(os.getpid())


@lru_cache(maxsize=1)
def _targets_of(process: int) -> Targets:  # noqa: ARG001  # see above
    return Targets()
