"""What we aim at, held against what a run has measured; and where others are better than ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.case import METRICS, Result
from benchmarks.subjects import OPENAI_ASYNC, OURS, SPARK_ASYNC, SPARK_SYNC
from benchmarks.summary import Spread, multiple, spread
from benchmarks.table import NOTHING, amount, markdown, ranged, ratio

__all__ = ["GOALS", "Goal", "goals", "others"]

Found: TypeAlias = Mapping[tuple[str, str], Result]
"""Results by the names of case and subject."""

FRACTION = 0.1
"""Ratios below are told as one of so many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """Something to be at most so much.

    Attributes:
        told: what, in words.
        case, metric, subject: where it is found.
        of: the subject of which it is a multiple; empty for the metric itself.
        shorter: the case of shorter answers of which it is a multiple, whole answers compared.
        most: the limit. Medians are held to it, of counts the worst run.
    """

    told: str
    case: str
    metric: str
    subject: str = OURS
    of: str = ""
    shorter: str = ""
    most: float


_BARE = SPARK_ASYNC[0].beside
_SYNC, _BARE_SYNC = SPARK_SYNC[0].name, SPARK_SYNC[0].beside
_HTTPX = OPENAI_ASYNC[0].beside
_DELTAS, _LONG = "spark-deltas-5000", "spark-deltas-20000"


def _delta(told: str, of: str, most: float, *, subject: str = OURS, case: str = _DELTAS) -> Goal:
    compared = "bare" if of in (_BARE, _BARE_SYNC, _HTTPX) else of
    whole = f"{told}: CPU a delta, × {compared}"  # noqa: RUF001
    return Goal(told=whole, case=case, metric="cpu", subject=subject, of=of, most=most)


def _growth(told: str, subject: str) -> Goal:
    whole = f"Spark: cost of 20,000 deltas, × 5,000, {told}"  # noqa: RUF001
    return Goal(told=whole, case=_LONG, metric="cpu", subject=subject, shorter=_DELTAS, most=4.2)


def _failed(told: str, case: str) -> Goal:
    return Goal(told=f"{told} streams at once, failed", case=case, metric="failed", most=0)


def _started(case: str, told: str, of: str, most: float) -> Iterator[Goal]:
    for metric in ("cpu", "wall"):
        whole = f"Start-up: {told}, {METRICS[metric].title}, × {of}"  # noqa: RUF001
        yield Goal(told=whole, case=case, metric=metric, of=of, most=most)


def _left(told: str, case: str) -> Goal:
    whole = f"{told}: cancelled, socket closed after, 99 in 100"
    return Goal(told=whole, case=case, metric="closed_tail", most=0.005)


GOALS: Sequence[Goal] = (
    _delta("Spark, async", _BARE, 0.65),
    _delta("Spark, sync", _BARE_SYNC, 0.65, subject=_SYNC),
    _delta("Spark, sync", "spark-ai-python", 1 / 14, subject=_SYNC),
    _delta("Spark, sync", "langchain-community", 1 / 14, subject=_SYNC),
    _growth("each delta read", OURS),
    _growth("text read once", "modelplug, text once"),
    Goal(
        told="Spark: first delta over wss, × bare",  # noqa: RUF001
        case="spark-first-tls",
        metric="first",
        of=_BARE,
        most=0.15,
    ),
    Goal(
        told="Spark: CPU a request over ws, × bare",  # noqa: RUF001
        case="spark-requests",
        metric="cpu",
        of=_BARE,
        most=0.8,
    ),
    _failed("Spark: 1,000", "spark-streams-1000"),
    Goal(
        told="Spark: 1,000 streams at once, wall, × bare",  # noqa: RUF001
        case="spark-streams-1000",
        metric="wall",
        of=_BARE,
        most=0.9,
    ),
    Goal(
        told="Spark: 1,000 streams at once, threads",
        case="spark-streams-1000",
        metric="threads",
        most=1,
    ),
    _failed("Spark: 5,000", "spark-streams-5000"),
    Goal(
        told="Spark: memory of an open stream, ws",
        case="spark-memory-ws",
        metric="each",
        most=20 * 2**10,
    ),
    Goal(
        told="Spark: 200 sync streams in threads, threads besides the callers'",
        case="spark-threads-200",
        metric="own",
        subject=_SYNC,
        most=1,
    ),
    _delta("OpenAI's wire", _HTTPX, 0.5, case="openai-deltas"),
    _delta("OpenAI's wire", "openai", 1 / 12, case="openai-deltas"),
    _delta("OpenAI's wire", "litellm", 1 / 40, case="openai-deltas"),
    _failed("OpenAI's wire: 1,000", "openai-streams-1000"),
    _failed("OpenAI's wire: 5,000", "openai-streams-5000"),
    *_started("startup-client", "a client of echo", "pydantic, one model", 1.3),
    *_started("startup-command", "modelplug --help", "click and rich", 2),
    Goal(told="Listing 50 backends", case="listing", metric="wall", most=0.01),
    _left("Spark", "spark-cancel"),
    _left("Spark, of a server that hangs", "spark-cancel-stalled"),
    _left("OpenAI's wire", "openai-cancel"),
    _left("OpenAI's wire, of a server that hangs", "openai-cancel-stalled"),
)


def goals(outcome: Sequence[Sequence[Result]], aims: Sequence[Goal] = GOALS) -> str:
    """The goals of these cases, what was measured of them, and whether they are met."""
    found = {(each.case.name, each.subject.name): each for results in outcome for each in results}
    cases = {name for name, _ in found}
    rows = (_row(goal, found) for goal in aims if goal.case in cases)
    header = ["goal", "at most", "measured", "met"]
    return (
        "## What we aim at, and where we are\n\n"
        "The median of the runs, with the least and the most of them in brackets; a ratio is taken"
        " run by run, as runs took turns. Where several"
        " runs count what failed, or threads, the worst has to meet the goal.\n\n"
        f"{markdown(header, rows)}"
    )


def _row(goal: Goal, found: Found) -> list[str]:
    measured = _measured(goal, found)
    most = _amount(goal.most, goal)
    if measured is None:
        return [goal.told, most, "not measured", NOTHING]
    held = measured.high if METRICS[goal.metric].kind == "count" else measured.middle
    told = ranged(*(_amount(each, goal) for each in (measured.middle, measured.low, measured.high)))
    return [goal.told, most, told, "yes" if held <= goal.most else "**no**"]


def _measured(goal: Goal, found: Found) -> Spread | None:
    mine = found.get((goal.case, goal.subject))
    of = found.get((goal.shorter or goal.case, goal.of or goal.subject))
    if mine is None or of is None:
        return None
    if not (goal.of or goal.shorter):
        return spread(mine, goal.metric)
    times = multiple(mine, of, goal.metric)
    longer, shorter = mine.case.answer, of.case.answer
    if times is None or longer is None or shorter is None:
        return times
    scale = longer.deltas / shorter.deltas
    return Spread(middle=times.middle * scale, low=times.low * scale, high=times.high * scale)


def _amount(value: float, goal: Goal) -> str:
    if not (goal.of or goal.shorter):
        return amount(value, METRICS[goal.metric].kind)
    return f"1/{1 / value:.3g}" if goal.most < FRACTION else ratio(value)


def others(outcome: Sequence[Sequence[Result]]) -> str:
    """Everybody who does better than ours by a table's first metric, a bare library or a peer."""
    rows = [row for results in outcome for each in results if (row := _better(results, each))]
    told = markdown(["", "who", "first metric, × ours"], rows) if rows else "Nobody was.\n"  # noqa: RUF001
    return (
        "### Where others are better\n\n"
        "Every subject of the tables whose first metric was less than ours. By others, too: our"
        " processes are larger than a bare library's, and many paced streams take more memory and"
        " time.\n\n"
        f"{told}"
    )


def _better(results: Sequence[Result], result: Result) -> list[str]:
    """A row for who is better than ours; nothing for the others."""
    case, who = result.case, result.subject
    for ours in results:
        if ours.subject.name == who.ours and not who.is_ours:
            times = multiple(result, ours, case.headline)
            if times and times.middle < 1:
                what = METRICS[case.headline].title
                told = ranged(*map(ratio, (times.middle, times.low, times.high)))
                return [case.title, who.name, f"{what} {told}"]
    return []
