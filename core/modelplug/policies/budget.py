"""How much may be tried again: a budget that failures use up and successes fill."""

from __future__ import annotations

import threading

from modelplug.policies.forks import mind_forks

__all__ = ["RetryBudget"]

# As AWS's SDKs have them (the standard retry mode's token bucket), so that an outage is met by a
# bounded number of retries: ten, where nothing has succeeded yet.
_CAPACITY = 100
_COST = 10
_COST_OF_THROTTLED = 5
_EARNED = 1


class RetryBudget:
    """Shared by all clients that would overload one service together; for any thread.

    It is full at first. A retry takes from it, less where the service only asked to slow down;
    one that succeeds gives back what it took, and a call that succeeds at once gives a little.
    So retries that help are as many as there is need of. Of those that don't there are ten in
    an outage, or twenty where the service is only busy, and besides one for ten calls that
    succeed at once.

    Args:
        capacity: how much it holds: ten retries, unless told otherwise.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self.begin_anew()
        mind_forks(self)

    def begin_anew(self) -> None:
        """Be full, as at first."""
        self._lock = threading.Lock()
        self._left = self._capacity

    @property
    def left(self) -> int:
        """How much is left."""
        return self._left

    def take(self, *, throttled: bool = False) -> int | None:
        """What a retry costs, which is taken; None if there isn't so much."""
        cost = _COST_OF_THROTTLED if throttled else _COST
        with self._lock:
            if self._left < cost:
                return None
            self._left -= cost
            return cost

    def succeeded(self, cost: int = 0) -> None:
        """Give back what the retry that succeeded had cost; 0 for a call's first attempt."""
        self.give_back(cost or _EARNED)

    def give_back(self, cost: int) -> None:
        """Have what was taken for a retry that wasn't made, after all."""
        with self._lock:
            self._left = min(self._capacity, self._left + cost)
