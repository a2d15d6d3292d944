"""What a request costs, and how long it takes to the first delta."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.case import Answer, Case
from benchmarks.programs import first, often
from benchmarks.subjects import (
    OPENAI,
    OPENAI_GUARDED,
    SPARK_ASYNC,
    SPARK_GUARDED,
    SPARK_SYNC,
    SPARK_TLS,
)

__all__ = ["CASES"]

_OVER_TLS = (
    *SPARK_TLS,
    *(replace(each, beside=SPARK_TLS[0].beside) for each in SPARK_SYNC if each.name != each.beside),
)
"""All are held against the asyncio loop. websockets' threaded client reads and writes at once from
two threads, which over TLS now and then waits forever on CPython 3.11."""

CASES = (
    Case(
        name="spark-first",
        title="Spark: first delta over ws",
        note="From the question to the first delta, on a new connection each time.",
        subjects=(*SPARK_ASYNC, *SPARK_SYNC),
        shows=("first", "cpu", "peak"),
        per="request",
        answer=Answer(wire="spark", deltas=2),
        program=first,
        asks=200,
    ),
    Case(
        name="spark-first-tls",
        title="Spark: first delta over wss",
        note="The same with TLS. Bare libraries make a default TLS context for each connection,"
        " which reads the machine's certificates; one context for all is shown beside."
        " All are compared with the asyncio loop. `spark-ai-python` verifies no certificate.",
        subjects=_OVER_TLS,
        shows=("first", "cpu", "peak"),
        per="request",
        answer=Answer(wire="spark", deltas=2, tls=True),
        program=first,
        asks=40,
        drawn=True,
    ),
    Case(
        name="spark-requests",
        title="Spark: a request",
        note="Connect, ask, one delta, close.",
        subjects=(*SPARK_ASYNC, *SPARK_SYNC),
        shows=("cpu", "wall", "peak", "threads"),
        per="request",
        answer=Answer(wire="spark", deltas=1),
        program=often,
        asks=2000,
        drawn=True,
    ),
    Case(
        name="openai-requests",
        title="OpenAI's wire: a request",
        note="Ask, one delta, on a connection that is kept.",
        subjects=OPENAI,
        shows=("cpu", "wall", "peak", "threads"),
        per="request",
        answer=Answer(wire="openai", deltas=1),
        program=often,
        asks=200,
        drawn=True,
    ),
    Case(
        name="openai-first",
        title="OpenAI's wire: first delta",
        note="From the question to the first delta, on a connection that is kept.",
        subjects=OPENAI,
        shows=("first", "cpu", "peak"),
        per="request",
        answer=Answer(wire="openai", deltas=2),
        program=first,
        asks=100,
    ),
    Case(
        name="spark-requests-guarded",
        title="Spark: a request with policies, with an observer",
        note="As above; policies act once a request, not once a delta.",
        subjects=SPARK_GUARDED,
        shows=("cpu", "wall", "peak"),
        per="request",
        answer=Answer(wire="spark", deltas=1),
        program=often,
        asks=300,
    ),
    Case(
        name="openai-requests-guarded",
        title="OpenAI's wire: a request with policies, with an observer",
        note="As above.",
        subjects=OPENAI_GUARDED,
        shows=("cpu", "wall", "peak"),
        per="request",
        answer=Answer(wire="openai", deltas=1),
        program=often,
        asks=300,
    ),
)
