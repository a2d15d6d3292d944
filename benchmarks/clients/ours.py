"""Our own clients, on both wires."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, ClassVar

from benchmarks.clients.face import AsyncClient, SyncClient
from modelplug import Event, ProxyLLMClient, new_client

QUESTION = "Why is the sky blue?"

POLICIES: Mapping[str, Any] = {
    "retries": 2,
    "breaker": True,
    "concurrency": 10_000,
    "requests_per_minute": 10**9,
}
"""All policies that one backend can have, none of which ever has to act."""


def spark(port: int, *, tls: bool, **settings: Any) -> ProxyLLMClient:
    """A client of Spark's."""
    return new_client(
        "spark:lite",
        proxy_api_base=f"{'wss' if tls else 'ws'}://127.0.0.1:{port}",
        proxy_api_app_id="a" * 8,
        proxy_api_key="k" * 32,
        proxy_api_secret="s" * 32,  # of a server that knows no secrets
        **settings,
    )


def openai(port: int, *, tls: bool, **settings: Any) -> ProxyLLMClient:
    """A client of OpenAI's wire."""
    return new_client(
        "openai:some-model",
        proxy_api_base=f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1",
        proxy_api_key="k" * 32,
        **settings,
    )


class Spark(AsyncClient):
    """Spark; each delta is read."""

    settings: ClassVar[Mapping[str, Any]] = {}
    make = staticmethod(spark)

    def __init__(self, port: int, *, tls: bool = False) -> None:
        super().__init__(port, tls=tls)
        self.client = self.make(port, tls=tls, **self.settings)

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        async with self.client.generate_stream(QUESTION) as stream:
            async for output in stream:
                yield output.delta

    async def close(self) -> None:
        """See ``AsyncClient``."""
        await self.client.aclose()


class SparkSync(SyncClient):
    """The same, blocking."""

    make = staticmethod(spark)

    def __init__(self, port: int, *, tls: bool = False) -> None:
        super().__init__(port, tls=tls)
        self.client = self.make(port, tls=tls)

    def pieces(self) -> Generator[str]:
        """See ``SyncClient``."""
        with self.client.sync_generate_stream(QUESTION) as stream:
            for output in stream:
                yield output.delta

    def close(self) -> None:
        """See ``SyncClient``."""
        self.client.close()


class SparkText(Spark):
    """Spark; the text is read once, at the end."""

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        last = None
        async with self.client.generate_stream(QUESTION) as stream:
            async for output in stream:
                last = output
        yield last.text if last else ""


class SparkPolicies(Spark):
    """Spark, with policies around it."""

    settings = POLICIES


def watch(event: Event) -> None:
    """Take an event, as an observer."""


class SparkObserved(Spark):
    """Spark, with an observer."""

    settings: ClassVar[Mapping[str, Any]] = {"observers": [watch]}


class OpenAI(Spark):
    """OpenAI's wire; each delta is read."""

    make = staticmethod(openai)


class OpenAISync(SparkSync):
    """The same, blocking."""

    make = staticmethod(openai)


class OpenAIPolicies(OpenAI):
    """OpenAI's wire, with policies around it."""

    settings = POLICIES


class OpenAIObserved(OpenAI):
    """OpenAI's wire, with an observer."""

    settings: ClassVar[Mapping[str, Any]] = {"observers": [watch]}
