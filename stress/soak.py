"""Fifty streams at once for a long time: nothing grows, and nothing is left.

    python -m stress.soak [--seconds 600] [--seed N] [--calls N] [--abandoned 10000]

It goes in rounds: calls, answers and faults mixed, and then a moment of quiet in which memory,
descriptors, threads and tasks are counted. Service and clients are one process, so all that is
counted is of both. At the end come so many streams that are begun and dropped.

Exit status 1 when a promise was broken. How memory grows is held against its bound by a run of
half an hour; a shorter one tells how much it can say.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator

from stress.calls import Call
from stress.clients import Clients, Shared
from stress.command import carry_out, parser
from stress.crowd import Crowd
from stress.programs import Cut, mixed, steady
from stress.residue import Held, Slope, has_gone
from stress.service import Service
from stress.tally import Tally

__all__ = ["Soak"]

TASKS, THREADS = 42, 8
BOUND_MB_AN_HOUR = 1.0
TELLING_SECONDS = 1800.0
WARM_UP_SHARE, WARM_UP_SECONDS = 0.2, 120.0
ROUNDS = 60
SHORTEST_ROUND, LONGEST_ROUND = 2.0, 60.0
AT_ONCE = 100
TOLD_EACH = 1000

_DROPPED_AGAIN = "python -m stress.soak --seconds 0"
"""Nothing but the streams that are begun and dropped: they are the same each time."""


class Soak:
    """A run.

    Args:
        seed: by which programs are drawn.
        seconds: how long.
        abandoned: how many streams are begun and dropped at the end.
        calls: how many other calls at the most; None for no limit.
    """

    def __init__(
        self, *, seed: int, seconds: float, abandoned: int, calls: int | None = None
    ) -> None:
        self._seed, self._seconds, self._calls = seed, seconds, calls
        self._abandoned = abandoned
        self._round = min(max(seconds / ROUNDS, SHORTEST_ROUND), LONGEST_ROUND)
        self._began = time.monotonic()
        self._samples: list[Held] = []
        self._lines: list[str] = []
        self.tally = Tally()

    async def run(self) -> None:
        """Ask and ask, count what is held, and see what is left."""
        with Service() as service, self.tally.listening():
            clients = Shared(service)
            crowd = self._crowd(service, clients, self._seed)
            self._began = time.monotonic()
            warm = min(WARM_UP_SHARE * self._seconds, WARM_UP_SECONDS)
            # What the process makes once: the loop thread of sync calls, clients, caches.
            await self._crowd(service, clients, self._seed + 1).work(warm)
            before = await has_gone(Held.now())
            self._sample(before)
            while time.monotonic() - self._began < self._seconds and not crowd.is_done:
                await crowd.work(self._round)
                self._sample(await has_gone(before))
            self.tally.settle()
            self._leave("calls", before, clients)
            if self._abandoned:
                await self._abandon(service, clients)
            clients.close()

    async def repeat(self, number: int, times: int) -> None:
        """Carry out one program again, so many times."""
        with Service() as service, self.tally.listening():
            clients = Shared(service)
            print(mixed(self._seed, number, bool(number % 2)))
            for _ in range(times):
                await self._crowd(service, clients, self._seed).once(number)
            clients.close()

    def told(self) -> Iterator[str]:
        """What there is to tell so far."""
        yield from self.tally.told()
        yield from self._growth()
        yield from self._lines
        yield from self.tally.faults()

    def _crowd(self, service: Service, clients: Clients, seed: int) -> Crowd:
        return Crowd(
            mixed,
            seed=seed,
            service=service,
            clients=clients,
            tally=self.tally,
            tasks=TASKS,
            threads=THREADS,
            calls=self._calls,
        )

    async def _abandon(self, service: Service, clients: Clients) -> None:
        """Begin streams and drop them, and see what is left of them."""
        await self._drop(range(2 * AT_ONCE), service, clients)  # more at once than there were
        self.tally.settle()
        before = await has_gone(Held.now())
        began = time.monotonic()
        for first in range(0, self._abandoned, TOLD_EACH):
            numbers = range(first, min(first + TOLD_EACH, self._abandoned))
            await self._drop(numbers, service, clients)
            print(f"  {numbers.stop:>8,} streams abandoned", flush=True)
        seconds = time.monotonic() - began
        held = await has_gone(before)
        self.tally.settle()
        what = f"{self._abandoned:,} abandoned streams ({seconds:.0f} s)"
        self._leave(what, before, clients, held)
        self._lines[-1] += (
            f", memory {held.rss - before.rss:+.1f} MB,"
            f" blocks of Python {held.blocks - before.blocks:+,}"
        )

    async def _drop(self, numbers: range, service: Service, clients: Clients) -> None:
        """Begin streams, some at once, and drop each after its first output."""
        cut = Cut(going="abandon", outputs=1)
        for first in range(numbers.start, numbers.stop, AT_ONCE):
            batch = range(first, min(first + AT_ONCE, numbers.stop))
            programs = [steady(number, cut, again=_DROPPED_AGAIN) for number in batch]
            calls = [Call(program, service, clients).run() for program in programs]
            for outcome in await asyncio.gather(*calls):
                self.tally.add(outcome)
                if outcome.ending != "abandoned":
                    self.tally.broke(f"a stream that should be abandoned: {outcome.word}")
            self.tally.settle()  # or what the service saw would pile up

    def _leave(self, what: str, before: Held, clients: Clients, held: Held | None = None) -> None:
        """Say what something has left, which should be nothing."""
        last = held or self._samples[-1]
        left = {name: max(0, count) for name, count in last.beyond(before).items()}
        told = ", ".join(f"{name} {count}" for name, count in left.items())
        self._lines.append(f"left by {what}: {told}")
        for name, count in left.items():
            if count:
                self.tally.broke(f"{what} left {count} {name}")
        if places := clients.left():
            self.tally.broke(f"{what} left places taken: {places}")
        if self.tally.unsettled:
            self.tally.broke(f"{what} left {self.tally.unsettled} connections open")

    def _sample(self, held: Held) -> None:
        self._samples.append(held)
        print(
            f"  {held.at - self._began:>6.0f} s {self.tally.count:>9,} calls"
            f"  {held.rss:>7.1f} MB {held.blocks:>9,} blocks  {held.descriptors} descriptors"
            f"  {held.threads} threads  {held.tasks} tasks  {len(self.tally.broken)} broken",
            flush=True,
        )

    def _growth(self) -> Iterator[str]:
        """How memory grows, and what that says."""
        memory = Slope.of([(held.at, held.rss) for held in self._samples])
        blocks = Slope.of([(held.at, float(held.blocks)) for held in self._samples])
        if memory is None or blocks is None:
            yield "memory: too few samples for a slope"
            return
        seconds = self._samples[-1].at - self._samples[0].at
        yield f"memory: MB {memory}, over {seconds:.0f} s, {len(self._samples)} samples"
        yield f"blocks of Python: {blocks}"
        if memory.high < BOUND_MB_AN_HOUR:
            yield f"memory: within its bound of {BOUND_MB_AN_HOUR:g} MB an hour"
        elif seconds < TELLING_SECONDS:
            yield (
                f"memory: {seconds:.0f} s can't tell whether it grows by {BOUND_MB_AN_HOUR:g} MB"
                f" an hour, which would be {BOUND_MB_AN_HOUR * seconds / 3600:.2f} MB here:"
                f" run {TELLING_SECONDS:.0f} s or more"
            )
        elif memory.low > BOUND_MB_AN_HOUR:
            self.tally.broke(f"memory grows: MB {memory}")
            yield f"memory: BEYOND its bound of {BOUND_MB_AN_HOUR:g} MB an hour"
        else:
            yield f"memory: the bound of {BOUND_MB_AN_HOUR:g} MB an hour is within the spread"


def main() -> int:
    """Do what the arguments say; the exit status."""
    options = parser("soak", seconds=600)
    options.add_argument("--abandoned", type=int, default=10_000)
    given = options.parse_args()
    soak = Soak(
        seed=given.seed, seconds=given.seconds, calls=given.calls, abandoned=given.abandoned
    )
    return carry_out("soak", soak, given)


if __name__ == "__main__":
    sys.exit(main())
