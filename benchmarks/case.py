"""The values that a benchmark is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from benchmarks.clients.face import AnyClient

__all__ = [
    "METRICS",
    "Answer",
    "Case",
    "Metric",
    "Program",
    "Reading",
    "Result",
    "Setting",
    "Subject",
]

Reading: TypeAlias = Mapping[str, float]
"""What one run has measured: names of ``METRICS``, in seconds, bytes or counts."""

Kind: TypeAlias = Literal["seconds", "bytes", "count"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One thing that can be measured: its name in tables, and what it is in."""

    title: str
    kind: Kind


METRICS = {
    "cpu": Metric(title="CPU", kind="seconds"),
    "wall": Metric(title="wall", kind="seconds"),
    "first": Metric(title="first delta", kind="seconds"),
    "closed": Metric(title="socket closed after", kind="seconds"),
    "closed_tail": Metric(title="99 in 100", kind="seconds"),
    "closed_worst": Metric(title="at worst", kind="seconds"),
    "ended": Metric(title="task ended after", kind="seconds"),
    "each": Metric(title="memory a stream", kind="bytes"),
    "peak": Metric(title="peak memory", kind="bytes"),
    "threads": Metric(title="threads", kind="count"),
    "own": Metric(title="besides the callers'", kind="count"),
    "failed": Metric(title="failed", kind="count"),
}
"""Whatever a reading may hold. CPU is that of the whole process, all of its threads; wall that of
one answer, or of all streams that run together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the server answers, always the same.

    Attributes:
        wire: whose protocol.
        deltas: pieces of text, of eight characters each.
        gap: seconds from one to the next; 0 sends all at once.
        held: whether nothing comes after the first delta, until the client leaves.
        stalled: whether the server, if it is held, reads nothing meanwhile, as one that hangs.
        tls: whether the connection is encrypted.
    """

    wire: Literal["spark", "openai"]
    deltas: int
    gap: float = 0.0
    held: bool = False
    stalled: bool = False
    tls: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is measured in a case.

    Attributes:
        name: how tables call it.
        makes: ``module:attribute``; a class of clients, or what the case's program calls. In a
            case without a program it is what ``python -c`` is given.
        beside: the subject that it is compared with, a bare library.
        ours: our own subject that it is compared with; None for those that are.
        foreign: whether it lives in the peers' environment.
    """

    name: str
    makes: str
    beside: str
    ours: str | None = None
    foreign: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it is some client of ours."""
        return self.name.startswith("modelplug")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a program is given, in a process of its own.

    Attributes:
        make: what the subject makes.
        port: of the server, on 127.0.0.1; 0 if there is none.
        control: the port where the server tells of its connections.
        asks: how often to ask, after once to warm up.
        crowd: how many streams at once.
        units: what a reading's CPU is divided by, for each answer.
        characters: those of an answer, if it is whole.
    """

    make: Callable[..., AnyClient]
    port: int
    control: int
    asks: int
    crowd: int
    units: int
    characters: int


Program: TypeAlias = Callable[[Setting], Reading]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Something to measure, for several subjects in turn.

    Attributes:
        name: by which it is asked for.
        title: the heading of its table.
        note: one or two sentences under it: what exactly is measured.
        subjects: in the table's order.
        shows: metrics in the table's order; ratios are of the first.
        per: what CPU is told for: "delta", "request", "MB"; empty for all of it.
        answer: what the server plays; None if there is no server.
        program: what measures; None where whole processes are measured.
        asks: see ``Setting``; without a program, how often each is started in a run.
        crowd: see ``Setting``.
        fewer: how often those are asked, by name, who take too long to be asked as often.
        drawn: whether it is shown as a picture, too.
    """

    name: str
    title: str
    note: str
    subjects: tuple[Subject, ...]
    shows: tuple[str, ...]
    per: str = ""
    answer: Answer | None = None
    program: Program | None = None
    asks: int = 1
    crowd: int = 1
    fewer: Mapping[str, int] = field(default_factory=dict)
    drawn: bool = False

    @property
    def headline(self) -> str:
        """The metric that ratios are of."""
        return self.shows[0]

    def asks_of(self, subject: Subject) -> int:
        """How often a subject is asked in a run."""
        return min(self.asks, self.fewer.get(subject.name, self.asks))

    def quick(self) -> Case:
        """The same with a tenth of the work: to see that it works, not for figures."""
        crowd = max(1, self.crowd // 10)
        return replace(self, asks=max(1, self.asks // 10), crowd=crowd)

    def tiny(self) -> Case:
        """The same with next to no work, and without those who take long all the same."""
        answer = self.answer
        if answer is not None:
            few, brief = min(answer.deltas, 5), min(answer.gap, 0.01)
            answer = replace(answer, deltas=few, gap=brief)
        quick = tuple(each for each in self.subjects if each.name not in self.fewer)
        return replace(self, subjects=quick, asks=1, crowd=min(self.crowd, 2), answer=answer)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What the runs of one subject have measured.

    Attributes:
        case, subject: whose.
        readings: one for each run that ended well.
        fault: why one or all didn't; empty if they did.
    """

    case: Case
    subject: Subject
    readings: tuple[Reading, ...] = field(default=())
    fault: str = ""
