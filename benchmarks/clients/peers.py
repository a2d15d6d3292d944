"""The clients that others offer, each used as its own documents show.

They are installed in an environment of their own, from requirements/bench.txt.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from benchmarks.clients.face import AsyncClient, SyncClient

QUESTION = "Why is the sky blue?"
MESSAGES = [{"role": "user", "content": QUESTION}]
KEY = "k" * 32
MODEL = "some-model"


def _text(chunk: Any) -> str:
    """The text in a chunk of OpenAI's shape, as a caller reads it."""
    return chunk.choices[0].delta.content or ""


class SparkAi(SyncClient):
    """iFlytek's own SDK, spark-ai-python."""

    shared = False  # an object has one queue

    def __init__(self, port: int, *, tls: bool = False) -> None:
        from sparkai.core.messages import ChatMessage
        from sparkai.llm.llm import ChatSparkLLM

        super().__init__(port, tls=tls)
        self.messages = [ChatMessage(role="user", content=QUESTION)]
        self.llm = ChatSparkLLM(
            spark_api_url=f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/v1.1/chat",
            spark_llm_domain="lite",
            spark_app_id="a" * 8,
            spark_api_key=KEY,
            spark_api_secret=KEY,
            streaming=True,
        )

    def pieces(self) -> Generator[str]:
        """See ``SyncClient``."""
        for chunk in self.llm.stream(self.messages):
            yield chunk.content


class LangChainSpark(SyncClient):
    """ChatSparkLLM of langchain-community."""

    shared = False  # an object has one queue

    def __init__(self, port: int, *, tls: bool = False) -> None:
        from langchain_community.chat_models import ChatSparkLLM

        super().__init__(port, tls=tls)
        self.llm = ChatSparkLLM(
            spark_api_url=f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/v1.1/chat",
            spark_llm_domain="lite",
            spark_app_id="a" * 8,
            spark_api_key=KEY,
            spark_api_secret=KEY,
            streaming=True,
        )

    def pieces(self) -> Generator[str]:
        """See ``SyncClient``."""
        for chunk in self.llm.stream(QUESTION):
            yield chunk.content


class _OverOpenAI(AsyncClient):
    """What talks to a base URL."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        super().__init__(port, tls=tls)
        self.base = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"


class OpenAISdk(_OverOpenAI):
    """The openai SDK; one client, which keeps its connections."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        from openai import AsyncOpenAI

        super().__init__(port, tls=tls)
        self.client = AsyncOpenAI(api_key=KEY, base_url=self.base)

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        async for chunk in await self.client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True
        ):
            yield _text(chunk)

    async def close(self) -> None:
        """See ``AsyncClient``."""
        await self.client.close()


class OpenAISdkSync(SyncClient):
    """The same, blocking."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        from openai import OpenAI

        super().__init__(port, tls=tls)
        base = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"
        self.client = OpenAI(api_key=KEY, base_url=base)

    def pieces(self) -> Generator[str]:
        """See ``SyncClient``."""
        for chunk in self.client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True
        ):
            yield _text(chunk)

    def close(self) -> None:
        """See ``SyncClient``."""
        self.client.close()


class LiteLLM(_OverOpenAI):
    """litellm's ``acompletion``."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        import litellm

        super().__init__(port, tls=tls)
        self.complete = litellm.acompletion

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        async for chunk in await self.complete(
            model=f"openai/{MODEL}", messages=MESSAGES, stream=True, api_base=self.base, api_key=KEY
        ):
            yield _text(chunk)


class AnyLLM(_OverOpenAI):
    """any-llm's ``AnyLLM``, made once."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        from any_llm import AnyLLM as Maker

        super().__init__(port, tls=tls)
        self.llm = Maker.create("openai", api_key=KEY, api_base=self.base)

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        async for chunk in await self.llm.acompletion(model=MODEL, messages=MESSAGES, stream=True):
            yield _text(chunk)


class PydanticAI(_OverOpenAI):
    """pydantic-ai's agent, its text streamed in deltas, without its debouncing."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        super().__init__(port, tls=tls)
        provider = OpenAIProvider(base_url=self.base, api_key=KEY)
        self.agent = Agent(OpenAIChatModel(MODEL, provider=provider))

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        async with self.agent.run_stream(QUESTION) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                yield piece
