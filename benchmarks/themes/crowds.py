"""Many streams at once, as fast as a model speaks."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.case import Answer, Case
from benchmarks.programs import crowd, threads
from benchmarks.subjects import OPENAI_ASYNC, OPENAI_SYNC, SPARK_ASYNC, SPARK_SYNC, SPARK_TLS

__all__ = ["CASES"]

SHOWS = ("cpu", "wall", "each", "peak", "threads", "failed")

PACED = 50
"""Deltas of a paced answer, one each 20 ms: 0.98 s if nobody is late."""


_NAMES = {"spark": "Spark", "openai": "OpenAI's wire"}


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number > 1 else ''}"


def _paced(wire: str, streams: int, *, drawn: bool = False) -> Case:
    spark = wire == "spark"
    return Case(
        name=f"{wire}-streams-{streams}",
        title=f"{_NAMES[wire]}: {_counted(streams, 'stream')} at once",
        note=f"{PACED} deltas each, one every 20 ms, all opened at once: 0.98 s if nobody is"
        " late. CPU includes the request's, shared among its deltas.",
        subjects=SPARK_ASYNC if spark else OPENAI_ASYNC,
        shows=SHOWS,
        per="delta",
        answer=Answer(wire="spark" if spark else "openai", deltas=PACED, gap=0.02),
        program=crowd,
        crowd=streams,
        drawn=drawn,
    )


def _without(case: Case, *names: str) -> Case:
    """The same without those who take minutes for so many."""
    subjects = tuple(each for each in case.subjects if each.name not in names)
    told = ", ".join(f"`{name}`" for name in names)
    note = f"{case.note} Left out, to keep the run short: {told}."
    return replace(case, subjects=subjects, note=note)


def _threads(wire: str, streams: int) -> Case:
    spark = wire == "spark"
    return Case(
        name=f"{wire}-threads-{streams}",
        title=f"{_NAMES[wire]}: {_counted(streams, 'sync stream')} in threads",
        note="The same paced answers, a thread of the caller's for each stream. All threads"
        " are counted, and those besides the callers' and the main one.",
        subjects=SPARK_SYNC if spark else OPENAI_SYNC,
        shows=("cpu", "wall", "threads", "own", "peak", "failed"),
        per="delta",
        answer=Answer(wire="spark" if spark else "openai", deltas=PACED, gap=0.02),
        program=threads,
        crowd=streams,
    )


def _open(*, tls: bool, streams: int, gap: float) -> Case:
    wire = "wss" if tls else "ws"
    return Case(
        name=f"spark-memory-{wire}",
        title=f"Spark: memory of {streams:,} open streams, {wire}",
        note=f"Slow answers, one delta in {gap:g} s, so that all streams are open together.",
        subjects=SPARK_TLS if tls else SPARK_ASYNC,
        shows=("each", "peak", "threads", "failed"),
        per="delta",
        answer=Answer(wire="spark", deltas=3, gap=gap, tls=tls),
        program=crowd,
        crowd=streams,
    )


CASES = (
    _paced("spark", 200),
    _paced("spark", 1_000, drawn=True),
    _paced("spark", 5_000),
    _paced("openai", 1),
    _paced("openai", 200, drawn=True),
    _without(_paced("openai", 1_000), "any-llm", "pydantic-ai"),
    _without(_paced("openai", 5_000), *(each.name for each in OPENAI_ASYNC[1:])),
    *(_threads("spark", streams) for streams in (1, 20, 200)),
    *(_threads("openai", streams) for streams in (1, 20, 200)),
    _open(tls=False, streams=1_000, gap=1.5),
    _open(tls=True, streams=100, gap=2.0),
)
