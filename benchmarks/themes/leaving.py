"""How soon a caller who leaves is gone."""

from __future__ import annotations

from benchmarks.case import Answer, Case
from benchmarks.programs import cancelling
from benchmarks.subjects import OPENAI_ASYNC, SPARK_ASYNC

__all__ = ["CASES"]

SHOWS = ("closed", "closed_tail", "closed_worst", "ended", "cpu")
PATIENT = {SPARK_ASYNC[0].beside: 1}
"""websockets says goodbye, and waits ten seconds for an answer."""

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
        asks=200,
    ),
    Case(
        name="spark-cancel-stalled",
        title="Spark: cancelled while the server hangs",
        note="The same, of a server that has stopped reading, and so answers no goodbye: its kernel"
        " tells when the socket was closed. The bare loop is asked once a run.",
        subjects=SPARK_ASYNC,
        shows=SHOWS,
        per="request",
        answer=Answer(wire="spark", deltas=2, held=True, stalled=True),
        program=cancelling,
        asks=200,
        fewer=PATIENT,
    ),
    Case(
        name="openai-cancel",
        title="OpenAI's wire: cancelled while it waits",
        note="From `task.cancel()`, as above.",
        subjects=OPENAI_ASYNC,
        shows=SHOWS,
        per="request",
        answer=Answer(wire="openai", deltas=2, held=True),
        program=cancelling,
        asks=100,
    ),
    Case(
        name="openai-cancel-stalled",
        title="OpenAI's wire: cancelled while the server hangs",
        note="The same, of a server that has stopped reading. Nobody has to say goodbye here.",
        subjects=OPENAI_ASYNC,
        shows=SHOWS,
        per="request",
        answer=Answer(wire="openai", deltas=2, held=True, stalled=True),
        program=cancelling,
        asks=100,
    ),
)
