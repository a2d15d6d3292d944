"""Which script is played to whom: a queue that requests take their answers from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from modelplug.testing.steps import Step

__all__ = ["Script", "Scripts"]

RequestT = TypeVar("RequestT")


@dataclass(slots=True, eq=False)
class Script(Generic[RequestT]):
    """Some steps, for whom they are, and how many more times; None stands for always."""

    steps: Sequence[Step]
    when: Callable[[RequestT], bool] | None = None
    times: int | None = 1

    def suits(self, request: RequestT) -> bool:
        """Whether it is for this request."""
        return self.times != 0 and (self.when is None or self.when(request))


class Scripts(Generic[RequestT]):
    """Scripts in the order in which they were queued; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Script[RequestT]] = []

    def add(self, script: Script[RequestT]) -> None:
        """Queue a script."""
        with self._lock:
            self._queue.append(script)

    def peek(self, request: RequestT) -> Sequence[Step] | None:
        """The steps that a request would get; None if there are none for it."""
        with self._lock:
            found = self._find(request)
            return found.steps if found else None

    def take(self, request: RequestT) -> Sequence[Step] | None:
        """The steps for a request, which are used up by it; None if there are none for it."""
        with self._lock:
            found = self._find(request)
            if found is None:
                return None
            if found.times is not None:
                found.times -= 1
            return found.steps

    def _find(self, request: RequestT) -> Script[RequestT] | None:
        self._queue = [each for each in self._queue if each.times != 0]
        return next((each for each in self._queue if each.suits(request)), None)
