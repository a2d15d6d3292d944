"""Random faults at random moments: every call ends right or typed, and nothing is left.

    python -m stress.chaos [--seconds 120] [--seed N] [--calls N] [--only NUMBER] [--times 1]

Exit status 1 when a promise was broken; what broke it is told with what carries it out again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from stress.calls import Call
from stress.clients import PerCall, Shared
from stress.command import carry_out, parser
from stress.crowd import Crowd
from stress.programs import Cut, steady, wild
from stress.residue import Held, has_gone
from stress.service import Service
from stress.tally import Latencies, Tally

__all__ = ["Chaos"]

TASKS, THREADS = 24, 8
ROUND_SECONDS = 5.0
WARM_UP_CALLS = 64
QUIET_CALLS = 200
QUIET_SECONDS = 0.02

_QUIET_AGAIN = "python -m stress.chaos --seconds 0"
"""After the warm-up, all those that are cancelled one by one: they are the same each time."""


class Chaos:
    """A run.

    Args:
        seed: by which programs are drawn.
        seconds: how long.
        calls: how many calls at the most; None for no limit.
    """

    def __init__(self, *, seed: int, seconds: float, calls: int | None = None) -> None:
        self._seed, self._seconds, self._calls = seed, seconds, calls
        self.tally = Tally()
        self._quiet = Latencies()
        self._left: dict[str, int] | None = None

    async def run(self) -> None:
        """Let calls loose, and see what is left of them."""
        with Service() as service:
            clients = PerCall(service)
            with self.tally.listening():
                # What the process makes once: the loop thread of sync calls, caches, imports.
                await self._crowd(service, clients, self._seed + 1, WARM_UP_CALLS).work(60)
                before = await has_gone(Held.now())
                crowd = self._crowd(service, clients, self._seed, self._calls)
                until = time.monotonic() + self._seconds
                while time.monotonic() < until and not crowd.is_done:
                    await crowd.work(min(ROUND_SECONDS, until - time.monotonic()))
                    print(
                        f"  {self.tally.count:>8,} calls, {len(self.tally.broken)} broken",
                        flush=True,
                    )
                held = await has_gone(before)
                self._judge(held.beyond(before), clients)
                await self._cancel_in_quiet(service)

    async def repeat(self, number: int, times: int) -> None:
        """Carry out one program again, so many times."""
        with Service() as service, self.tally.listening():
            clients = PerCall(service)
            crowd = self._crowd(service, clients, self._seed, None)
            print(wild(self._seed, number, bool(number % 2)))
            for _ in range(times):
                await crowd.once(number)

    def told(self) -> Iterator[str]:
        """What there is to tell so far."""
        yield from self.tally.told()
        yield "from when a caller goes to when the server sees it:"
        yield f"  {TASKS + THREADS} at once, however they go: {self.tally.latencies}"
        yield f"  one at a time, cancelled: {self._quiet}"
        if self._left is not None:
            yield "left: " + ", ".join(f"{name} {count}" for name, count in self._left.items())
        yield from self.tally.faults()

    async def _cancel_in_quiet(self, service: Service) -> None:
        """Cancel calls one by one, with nothing else to do for either side."""
        tally, clients = Tally(), Shared(service)
        cut = Cut(going="cancel", seconds=QUIET_SECONDS)
        calls = QUIET_CALLS if self._calls is None else min(QUIET_CALLS, self._calls)
        for number in range(calls):
            program = steady(number, cut, again=_QUIET_AGAIN)
            tally.add(await Call(program, service, clients).run())
        await has_gone(Held.now())
        tally.settle()
        self._quiet = tally.latencies
        clients.close()
        self.tally.take_over(tally)

    def _crowd(self, service: Service, clients: PerCall, seed: int, calls: int | None) -> Crowd:
        return Crowd(
            wild,
            seed=seed,
            service=service,
            clients=clients,
            tally=self.tally,
            tasks=TASKS,
            threads=THREADS,
            calls=calls,
        )

    def _judge(self, left: dict[str, int], clients: PerCall) -> None:
        self.tally.settle()
        self._left = {name: max(0, count) for name, count in left.items()}
        for name, count in self._left.items():
            if count:
                self.tally.broke(f"{count} {name} are left")
        if held := clients.left():
            self.tally.broke(f"places are left taken: {held}")
        if self.tally.unsettled:
            self.tally.broke(f"{self.tally.unsettled} connections stay open, their callers gone")


def main() -> int:
    """Do what the arguments say; the exit status."""
    options = parser("chaos", seconds=120)
    given = options.parse_args()
    chaos = Chaos(seed=given.seed, seconds=given.seconds, calls=given.calls)
    return carry_out("chaos", chaos, given)


if __name__ == "__main__":
    sys.exit(main())
