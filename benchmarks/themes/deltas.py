"""What a delta costs: when many come at once, and one by one."""

from __future__ import annotations

from benchmarks.case import Answer, Case
from benchmarks.programs import often
from benchmarks.subjects import OPENAI, OPENAI_GUARDED, SPARK, SPARK_GUARDED

__all__ = ["CASES", "LENGTHS"]

SHOWS = ("cpu", "wall", "peak", "threads")

LENGTHS = {1_000: 25, 5_000: 10, 20_000: 4}
"""Deltas of an answer, and how often it is asked for in a run."""

SLOW = {"spark-ai-python": 0.2, "langchain-community": 0.2}
"""The part of it for those who take twenty times as long."""


def _spark(deltas: int, asks: int) -> Case:
    return Case(
        name=f"spark-deltas-{deltas}",
        title=f"Spark: an answer of {deltas:,} deltas",
        note="Frames of 8 Chinese characters, as fast as they are read; the caller reads each"
        " `delta`, or `text` once at the end.",
        subjects=SPARK,
        shows=SHOWS,
        per="delta",
        answer=Answer(wire="spark", deltas=deltas),
        program=often,
        asks=asks,
        fewer={name: max(1, round(asks * part)) for name, part in SLOW.items()},
        drawn=deltas == 5_000,
    )


CASES = (
    *(_spark(deltas, asks) for deltas, asks in LENGTHS.items()),
    Case(
        name="openai-deltas",
        title="OpenAI's wire: an answer of 5,000 chunks",
        note="Each event is an HTTP chunk of about 220 bytes; as fast as they are read, over a"
        " connection that is kept.",
        subjects=OPENAI,
        shows=SHOWS,
        per="delta",
        answer=Answer(wire="openai", deltas=5_000),
        program=often,
        asks=4,
        fewer={"openai": 2, "openai, sync": 2, "any-llm": 2, "pydantic-ai": 2, "litellm": 1},
        drawn=True,
    ),
    Case(
        name="spark-guarded",
        title="Spark: with policies, with an observer",
        note="The same 5,000 deltas. Policies: retries, breaker, concurrency and a rate, none of"
        " which has to act.",
        subjects=SPARK_GUARDED,
        shows=SHOWS,
        per="delta",
        answer=Answer(wire="spark", deltas=5_000),
        program=often,
        asks=10,
    ),
    Case(
        name="openai-guarded",
        title="OpenAI's wire: with policies, with an observer",
        note="The same 5,000 chunks, with the same policies.",
        subjects=OPENAI_GUARDED,
        shows=SHOWS,
        per="delta",
        answer=Answer(wire="openai", deltas=5_000),
        program=often,
        asks=10,
    ),
)
