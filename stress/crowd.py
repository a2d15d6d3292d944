"""Many calls at once: from one event loop, and from threads besides."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator

from stress.calls import HANGING_SECONDS, Call
from stress.clients import Clients
from stress.programs import Draw
from stress.service import Service
from stress.tally import Tally

__all__ = ["Crowd"]


class Crowd:
    """Carries out programs, one after the other in each of its loop's workers and threads.

    Args:
        draw: where programs come from.
        seed: by which they are drawn.
        service: who answers.
        clients: who asks.
        tally: where the outcomes go.
        tasks, threads: how many workers.
        calls: how many calls at the most; None for no limit.
    """

    def __init__(
        self,
        draw: Draw,
        *,
        seed: int,
        service: Service,
        clients: Clients,
        tally: Tally,
        tasks: int,
        threads: int,
        calls: int | None,
    ) -> None:
        self._draw, self._seed = draw, seed
        self._service, self._clients, self._tally = service, clients, tally
        self._tasks, self._threads = tasks, threads
        self._numbers = itertools.count() if calls is None else iter(range(calls))
        self._lock = threading.Lock()
        self.is_done = False

    async def work(self, seconds: float) -> None:
        """Carry out programs for so long; those that are under way then are waited for."""
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._work_in_thread, args=(until,), daemon=True)
            for _ in range(self._threads)
        ]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(self._work(until) for _ in range(self._tasks)))
        hanging = time.monotonic() + 2 * HANGING_SECONDS
        while any(thread.is_alive() for thread in threads):
            if time.monotonic() > hanging:
                self._tally.broke("a thread hangs in a sync call")
                break
            await asyncio.sleep(0.01)
        self._tally.settle()

    async def once(self, number: int) -> None:
        """Carry out one program, as it was."""
        if number % 2:
            threaded = self._draw(self._seed, number, True)
            call = Call(threaded, self._service, self._clients)
            self._tally.add(await asyncio.to_thread(call.run_in_thread))
        else:
            program = self._draw(self._seed, number, False)
            self._tally.add(await Call(program, self._service, self._clients).run())

    async def _work(self, until: float) -> None:
        for number in self._drawn(until):
            program = self._draw(self._seed, 2 * number, False)
            self._tally.add(await Call(program, self._service, self._clients).run())

    def _work_in_thread(self, until: float) -> None:
        for number in self._drawn(until):
            program = self._draw(self._seed, 2 * number + 1, True)
            self._tally.add(Call(program, self._service, self._clients).run_in_thread())

    def _drawn(self, until: float) -> Iterator[int]:
        """The next numbers; a program's is even for a task, and odd for a thread."""
        while time.monotonic() < until:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                self.is_done = True
                return
            yield number
