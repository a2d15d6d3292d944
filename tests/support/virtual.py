"""An event loop whose time passes only while nothing else is to do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Never waits: the time that it would have waited is added to the loop's clock."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now."""
        ready = super().select(0)
        if not ready and timeout is not None:
            self.waited += timeout
        elif not ready:
            raise RuntimeError("the loop would wait for ever")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for tests of clocks: ten minutes pass in no time."""

    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        """Seconds that would have passed."""
        return self.clock.waited


def run_virtually(main: Coroutine[object, object, T]) -> T:
    """The result of ``main`` on a virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
