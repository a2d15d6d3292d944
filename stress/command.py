"""What the command lines of soak and chaos have in common."""

from __future__ import annotations

import asyncio
import random
from argparse import ArgumentParser, Namespace
from collections.abc import Coroutine, Iterator
from typing import Protocol

from stress.tally import Tally

__all__ = ["Run", "carry_out", "parser"]


class Run(Protocol):
    """A soak, or chaos."""

    tally: Tally

    def run(self) -> Coroutine[object, object, None]:
        """All of it."""
        ...

    def repeat(self, number: int, times: int) -> Coroutine[object, object, None]:
        """One program, again."""
        ...

    def told(self) -> Iterator[str]:
        """What there is to tell so far."""
        ...


def parser(name: str, *, seconds: float) -> ArgumentParser:
    """The options that both have; a seed is drawn unless it is given."""
    options = ArgumentParser(prog=f"python -m stress.{name}")
    options.add_argument("--seconds", type=float, default=seconds)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--calls", type=int, default=None, help="so many at the most")
    options.add_argument("--only", type=int, default=None, metavar="NUMBER", help="one program")
    options.add_argument("--times", type=int, default=1, help="how often, with --only")
    return options


def carry_out(name: str, run: Run, given: Namespace) -> int:
    """Run it, and tell; the exit status. Ctrl-C ends it, and what there is so far is told."""
    print(f"{name}: seed {given.seed}, {given.seconds:g} s", flush=True)
    once = given.only is not None
    try:
        asyncio.run(run.repeat(given.only, given.times) if once else run.run())
    except KeyboardInterrupt:
        print("interrupted; so far:")
    print(*run.told(), sep="\n")
    return 1 if run.tally.broken else 0
