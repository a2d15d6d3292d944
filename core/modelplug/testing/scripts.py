"""Which script is played to whom: a queue that requests take their answers from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from modelplug.testing.steps import Step, check

__all__ = ["Script", "Scripts"]

RequestT = TypeVar("RequestT")
VerdictT = TypeVar("VerdictT")


@dataclass(slots=True, eq=False)
class Script(Generic[RequestT]):
    """Some steps, for whom they are, and how many more times; None stands for always.

    Raises:
        TypeError: one of the steps is none.
        ValueError: a step of a handshake isn't alone, or ``times`` is less than 1.
    """

    steps: Sequence[Step]
    when: Callable[[RequestT], bool] | None = None
    times: int | None = 1

    def __post_init__(self) -> None:
        check(self.steps)
        if self.times is not None and self.times < 1:
            raise ValueError(f"a script is played {self.times} times: give 1 or more, or None")

    def suits(self, request: RequestT) -> bool:
        """Whether it is for this request."""
        return self.when is None or self.when(request)


class Scripts(Generic[RequestT]):
    """Scripts in the order in which they were queued; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a script's own ``when`` may queue another
        self._queue: list[Script[RequestT]] = []

    def add(self, script: Script[RequestT]) -> None:
        """Queue a script."""
        with self._lock:
            self._queue.append(script)

    def take(self, request: RequestT) -> Sequence[Step] | None:
        """The steps for a request, which are used up by it; None if there are none for it."""
        with self._lock:
            return self._use(next((each for each in self._queue if each.suits(request)), None))

    def take_early(
        self, request: RequestT, verdict: Callable[[Sequence[Step]], VerdictT]
    ) -> VerdictT | None:
        """The verdict on a request that has only begun, by the steps for it, which it uses up.

        Steps without a verdict are for later, and their script keeps its place in the queue. One
        that wants to see the whole request is passed over, as it can't be asked yet.
        """
        with self._lock:
            for script in self._queue:
                early = verdict(script.steps)
                if early is not None and script.suits(request):
                    self._use(script)
                    return early
                if early is None and script.when is None:
                    return None
            return None

    def _use(self, script: Script[RequestT] | None) -> Sequence[Step] | None:
        if script is None:
            return None
        if script.times is not None:
            script.times -= 1
            if script.times == 0:
                self._queue.remove(script)
        return script.steps
