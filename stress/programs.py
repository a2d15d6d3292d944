"""What a call meets: a program, drawn by a seed and its number, so that it can be drawn again.

A program says who is asked and how, through which policies, what the service does, and whether
the caller goes before the end, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeAlias, get_args

from modelplug import Finish, Timeouts
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Drip,
    Fail,
    FailKind,
    Fragment,
    Garbage,
    GarbageKind,
    HangUp,
    KeepAlive,
    Noise,
    RawBytes,
    Reset,
    Silence,
    Split,
    Step,
)

__all__ = ["Cut", "Draw", "Program", "mixed", "steady", "wild"]

Way: TypeAlias = Literal["generate", "generate_stream", "sync_generate", "sync_generate_stream"]
"""The four ways of asking."""

Going: TypeAlias = Literal["cancel", "close", "close client", "abandon"]
"""How a caller goes before the end."""

PACES = (Split, Fragment, Drip, Noise)
"""Steps after which an answer may still be whole."""

DOORS = ("refused", "hang", "401", "403", "429", "500", "503")
"""What may become of a connection before anything can be asked."""

POLICIES = ("retry", "concurrency", "rate", "breaker", "fallback", "pool")

_GOINGS: dict[Way, tuple[Going, ...]] = {
    "generate": ("cancel", "close client"),
    "generate_stream": ("cancel", "close", "close client", "abandon"),
    "sync_generate": ("close client",),
    "sync_generate_stream": ("close", "close client", "abandon"),
}
_WAYS_OF_A_THREAD: tuple[Way, ...] = ("sync_generate", "sync_generate_stream")
_WAYS_OF_A_LOOP: tuple[Way, ...] = ("generate", "generate_stream")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """The caller goes.

    Attributes:
        going: how.
        turns: after so many turns of the event loop; threads have none.
        seconds: after so long besides.
        outputs: abandoned after so many outputs.
    """

    going: Going
    turns: int = 0
    seconds: float = 0.0
    outputs: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One call.

    Attributes:
        number: by which it can be drawn again; its question has it.
        way: how it asks.
        target: whom: ``spark``, ``echo``, or a door of the service that doesn't open.
        scripts: what the service does, attempt by attempt; the last one for all that follow.
        stack: the policies around the client, from within.
        timeouts: its clocks.
        cut: when its caller goes; None for one that stays.
        again: the command that carries it out again.
    """

    number: int
    way: Way
    target: str
    scripts: Sequence[Sequence[Step]]
    stack: Sequence[str]
    timeouts: Timeouts
    cut: Cut | None
    again: str = field(repr=False)

    @property
    def question(self) -> str:
        """What is asked; the service knows the program by it, and echo says it back."""
        return f"call {self.number} says what it says"

    @property
    def texts(self) -> Sequence[str]:
        """What an answer may be, should it be whole."""
        told = [text for text in map(_whole, self.scripts) if text is not None]
        return [*told, self.question]

    @property
    def beginnings(self) -> Sequence[str]:
        """What a partial answer is the beginning of."""
        return [*map(_said, self.scripts), self.question]


Draw: TypeAlias = Callable[[int, int, bool], Program]
"""Draws a program: from the seed, its number, and whether it is for a thread."""


def wild(seed: int, number: int, threaded: bool) -> Program:
    """Any steps in any order, any policies around, any moment to go."""
    random = Random(f"{seed}/{number}/{threaded}")
    way = random.choice(_WAYS_OF_A_THREAD if threaded else _WAYS_OF_A_LOOP)
    target = random.choices(("spark", "echo", random.choice(DOORS)), (8, 1, 1))[0]
    return Program(
        number=number,
        way=way,
        target=target,
        scripts=[_any_steps(random, number, attempt) for attempt in range(random.randint(1, 3))],
        stack=random.choices(POLICIES, k=random.choice((0, 0, 1, 2, 3))),
        timeouts=_short(random, 1.0),
        cut=_cut(random, way) if random.random() < 0.5 else None,
        again=f"python -m stress.chaos --seed {seed} --only {number}",
    )


def mixed(seed: int, number: int, threaded: bool) -> Program:
    """What a service does on a bad day: mostly answers, and every usual fault among them."""
    random = Random(f"{seed}/{number}/{threaded}")
    way = random.choice(_WAYS_OF_A_THREAD if threaded else _WAYS_OF_A_LOOP)
    stack = random.choice(
        ((), (), ("retry",), ("concurrency",), ("concurrency", "retry"), ("retry", "fallback"))
    )
    cut = _cut(random, way, without="close client") if random.random() < 0.15 else None
    return Program(
        number=number,
        way=way,
        target="echo" if random.random() < 0.1 else "spark",
        scripts=[_usual_steps(random, number, attempt) for attempt in range(2)],
        stack=stack,
        timeouts=_short(random, 2.0),
        cut=cut,
        again=f"python -m stress.soak --seed {seed} --only {number}",
    )


def steady(number: int, cut: Cut, *, again: str) -> Program:
    """A call to which something is said, and then nothing more; its caller goes."""
    return Program(
        number=number,
        way="generate_stream",
        target="spark",
        scripts=[["something "]],
        stack=(),
        timeouts=Timeouts(connect=60, open=60, first_delta=60, idle=60, total=60),
        cut=cut,
        again=again,
    )


def _usual_steps(random: Random, number: int, attempt: int) -> Sequence[Step]:
    words = _words(random, number, attempt)
    cut_short = words[: random.randint(0, len(words))]
    days: Sequence[Sequence[Step]] = (
        [Drip(0.002), *words, Finish()],
        [*cut_short, Reset()],
        [*cut_short, Silence()],
        [*cut_short, KeepAlive()],
        [Fail("rate_limit", retry_after=0.01)],  # Spark's 11202
        [*cut_short, HangUp()],
        [*cut_short, CutFrame()],
        [*cut_short, Garbage(random.choice(get_args(GarbageKind)))],
        [Fail(random.choice(get_args(FailKind)))],
    )
    return random.choices(days, (60, 6, 4, 2, 8, 6, 4, 3, 7))[0]


def _any_steps(random: Random, number: int, attempt: int) -> Sequence[Step]:
    # No Gate: nobody would open it, and Silence says the same.
    faults: tuple[Callable[[], Step], ...] = (
        lambda: Fail(random.choice(get_args(FailKind)), retry_after=random.choice((None, 0.01))),
        Silence,
        lambda: KeepAlive(0.02),
        HangUp,
        lambda: CloseCode(random.choice((1000, 1001, 1002, 1008, 1009, 1011, 3000, 4999))),
        lambda: CutFrame(random.random()),
        Reset,
        lambda: Garbage(random.choice(get_args(GarbageKind))),
        lambda: RawBytes(random.randbytes(random.randint(1, 40))),
    )
    paces: tuple[Callable[[], Step], ...] = (
        lambda: Split(random.randint(1, 64)),
        lambda: Fragment(random.randint(1, 5), ping_between=random.random() < 0.5),
        lambda: Drip(random.uniform(0, 0.02)),
        Noise,
    )
    steps: list[Step] = []
    for word in _words(random, number, attempt):
        if random.random() < 0.2:
            steps.append(random.choice(paces)())
        if random.random() < 0.1:
            steps.append(random.choice(faults)())
        steps.append(word)
    steps.append(Finish() if random.random() < 0.6 else random.choice(faults)())
    if random.random() < 0.1:  # and what nobody should say after an end
        steps.append(random.choice((*faults, Finish))())
    return steps


def _words(random: Random, number: int, attempt: int) -> Sequence[str]:
    """An answer that is nobody else's, so that one which is mixed of two shows."""
    size = random.choice((0, 1, 1, 20, 400))
    return [f"{number}.{attempt}.{each}{'.' * size} " for each in range(random.randint(0, 8))]


def _short(random: Random, total: float) -> Timeouts:
    return Timeouts(
        connect=total,
        open=total,
        first_delta=random.uniform(0.05, total),
        idle=random.uniform(0.05, total / 2),
        total=random.uniform(total / 2, 2 * total),
        queue=random.uniform(0.05, total / 2),
    )


def _cut(random: Random, way: Way, *, without: Going | None = None) -> Cut | None:
    goings = [going for going in _GOINGS[way] if going != without]
    if not goings:
        return None
    early = random.random() < 0.5
    return Cut(
        going=random.choice(goings),
        turns=random.randint(0, 60) if early else 0,
        seconds=0.0 if early else 10 ** random.uniform(-4, -0.5),
        outputs=random.randint(1, 4),
    )


def _said(steps: Sequence[Step]) -> str:
    """All that is said until an end."""
    told = []
    for step in steps:
        if isinstance(step, Finish):
            break
        if isinstance(step, str):
            told.append(step)
    return "".join(told)


def _whole(steps: Sequence[Step]) -> str | None:
    """The answer that steps are, if they are a whole one.

    Bytes at random might be a ping, or a frame that means nothing: after them it may be whole.
    """
    for step in steps:
        if isinstance(step, Finish):
            return _said(steps)
        if not isinstance(step, (str, RawBytes, *PACES)):
            return None
    return None
