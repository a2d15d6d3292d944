"""Who is measured, by the wire that they speak."""

from __future__ import annotations

from benchmarks.case import Subject

__all__ = [
    "OPENAI",
    "OPENAI_ASYNC",
    "OPENAI_GUARDED",
    "OPENAI_SYNC",
    "OURS",
    "SPARK",
    "SPARK_ASYNC",
    "SPARK_GUARDED",
    "SPARK_SYNC",
    "SPARK_TLS",
]

OURS = "modelplug"
"""Our own subject, in most cases."""

_SYNC = "modelplug, sync"
_SOCKETS = "websockets, asyncio"
_SOCKETS_SYNC = "websockets, sync"
_HTTPX = "httpx, asyncio"
_HTTPX_SYNC = "httpx, sync"

_CLIENTS = "benchmarks.clients"

_SPARK = Subject(name=OURS, makes=f"{_CLIENTS}.ours:Spark", beside=_SOCKETS)
_SPARK_BARE = Subject(
    name=_SOCKETS, makes=f"{_CLIENTS}.bare:WebSockets", beside=_SOCKETS, ours=OURS
)

SPARK_ASYNC = (_SPARK, _SPARK_BARE)
"""Spark, awaited. No peer is."""

SPARK_TLS = (
    *SPARK_ASYNC,
    Subject(
        name="websockets, one context",
        makes=f"{_CLIENTS}.bare:SharedContext",
        beside=_SOCKETS,
        ours=OURS,
    ),
)
"""The same over TLS, where it matters who makes the context."""

SPARK_SYNC = (
    Subject(name=_SYNC, makes=f"{_CLIENTS}.ours:SparkSync", beside=_SOCKETS_SYNC),
    Subject(
        name=_SOCKETS_SYNC,
        makes=f"{_CLIENTS}.bare:WebSocketsSync",
        beside=_SOCKETS_SYNC,
        ours=_SYNC,
    ),
    Subject(
        name="spark-ai-python",
        makes=f"{_CLIENTS}.peers:SparkAi",
        beside=_SOCKETS_SYNC,
        ours=_SYNC,
        foreign=True,
    ),
    Subject(
        name="langchain-community",
        makes=f"{_CLIENTS}.peers:LangChainSpark",
        beside=_SOCKETS_SYNC,
        ours=_SYNC,
        foreign=True,
    ),
)
"""Spark, blocking."""

SPARK = (
    *SPARK_ASYNC,
    Subject(
        name="modelplug, text once",
        makes=f"{_CLIENTS}.ours:SparkText",
        beside=_SOCKETS,
        ours=OURS,
    ),
    *SPARK_SYNC,
)
"""Everybody who speaks Spark's wire."""

SPARK_GUARDED = (
    *SPARK_ASYNC,
    Subject(
        name="modelplug, policies",
        makes=f"{_CLIENTS}.ours:SparkPolicies",
        beside=_SOCKETS,
        ours=OURS,
    ),
    Subject(
        name="modelplug, observer",
        makes=f"{_CLIENTS}.ours:SparkObserved",
        beside=_SOCKETS,
        ours=OURS,
    ),
)
"""Ours with something around it."""

_OPENAI = Subject(name=OURS, makes=f"{_CLIENTS}.ours:OpenAI", beside=_HTTPX)
_OPENAI_BARE = Subject(
    name=_HTTPX, makes=f"{_CLIENTS}.bare:Httpx", beside=_HTTPX, ours=OURS, foreign=True
)


def _peer(name: str, made: str) -> Subject:
    """A peer that speaks OpenAI's wire and is awaited."""
    makes = f"{_CLIENTS}.peers:{made}"
    return Subject(name=name, makes=makes, beside=_HTTPX, ours=OURS, foreign=True)


OPENAI_ASYNC = (
    _OPENAI,
    _OPENAI_BARE,
    _peer("openai", "OpenAISdk"),
    _peer("any-llm", "AnyLLM"),
    _peer("pydantic-ai", "PydanticAI"),
    _peer("litellm", "LiteLLM"),
)
"""OpenAI's wire, awaited."""

OPENAI_SYNC = (
    Subject(name=_SYNC, makes=f"{_CLIENTS}.ours:OpenAISync", beside=_HTTPX_SYNC),
    Subject(
        name=_HTTPX_SYNC,
        makes=f"{_CLIENTS}.bare:HttpxSync",
        beside=_HTTPX_SYNC,
        ours=_SYNC,
        foreign=True,
    ),
    Subject(
        name="openai, sync",
        makes=f"{_CLIENTS}.peers:OpenAISdkSync",
        beside=_HTTPX_SYNC,
        ours=_SYNC,
        foreign=True,
    ),
)
"""OpenAI's wire, blocking."""

OPENAI = (*OPENAI_ASYNC, *OPENAI_SYNC)
"""Everybody who speaks OpenAI's wire."""

OPENAI_GUARDED = (
    _OPENAI,
    _OPENAI_BARE,
    Subject(
        name="modelplug, policies",
        makes=f"{_CLIENTS}.ours:OpenAIPolicies",
        beside=_HTTPX,
        ours=OURS,
    ),
    Subject(
        name="modelplug, observer",
        makes=f"{_CLIENTS}.ours:OpenAIObserved",
        beside=_HTTPX,
        ours=OURS,
    ),
)
"""Ours with something around it."""
