"""How soon a caller who leaves is gone."""

from __future__ import annotations

from benchmarks.case import Answer, Case
from benchmarks.programs import cancelling
from benchmarks.subjects import OPENAI_ASYNC, SPARK_ASYNC

__all__ = ["CASES"]

SHOWS = ("closed", "closed_worst", "ended", "cpu")

CASES = (
    Case(
        name="spark-cancel",
        title="Spark: cancelled while it waits",
        note="From `task.cancel()` to the server's seeing the socket close, and to the task's end.",
        subjects=SPARK_ASYNC,
        shows=SHOWS,
        per="request",
        answer=Answer(wire="spark", deltas=2, held=True),
        program=cancelling,
        asks=100,
    ),
    Case(
        name="openai-cancel",
        title="OpenAI's wire: cancelled while it waits",
        note="The same.",
        subjects=OPENAI_ASYNC,
        shows=SHOWS,
        per="request",
        answer=Answer(wire="openai", deltas=2, held=True),
        program=cancelling,
        asks=50,
    ),
)
