"""What DB-GPT 0.5's Spark client does, in our own words, with all its faults; see the table.

It stands on the contract's class as far as it must, and goes its own way in the four calls, as
a port that was made in a hurry would.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from importlib import import_module
from time import time
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from websockets.sync.client import connect

from modelplug import (
    Call,
    ConnectionLostError,
    MessageConverter,
    ModelMetadata,
    ModelOutput,
    ModelRequest,
    ProxyLLMClient,
    ProxyModelParameters,
)
from modelplug_spark.signing import date_of, sign

NEWEST = ("ws://spark-api.xf-yun.com/v3.1/chat", "generalv3")
RETIRED = ("ws://spark-api.xf-yun.com/v2.1/chat", "generalv2")

ENOUGH = 8192
"""Characters of a history that are kept, from its end."""


class SeedClient(ProxyLLMClient):
    """Has every fault at once, so that some hide others: see the classes below."""

    _known: ClassVar[list[ModelMetadata]] = []

    def __init__(self, params: ProxyModelParameters, executor: Executor | None) -> None:
        version = params.model
        self.url, self.domain = self.placed(version, params.proxy_api_base)
        self.pool = executor or ThreadPoolExecutor()
        names: Any = [version, "spark_proxyllm"]
        length: Any = params.max_context_size
        super().__init__(names, length, executor, params=params)

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """Any version will do."""
        return cls(model_params, default_executor)

    def placed(self, version: str | None, base: str | None) -> tuple[str, str | None]:
        """Address and domain; with an address of the user's own there is no domain."""
        if base:
            return base, None
        return NEWEST if version == "v3" else RETIRED

    # ------------------------------------------------------------------ the four calls

    async def generate(self, request: Any, message_converter: Any = None) -> Any:
        """In the pool."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, self.sync_generate, request, message_converter)

    def sync_generate(self, request: Any, message_converter: Any = None) -> Any:
        """The last output; nothing at all where there was none."""
        last = None
        for output in self.sync_generate_stream(request, message_converter):
            last = output
        return last

    async def generate_stream(  # type: ignore[override]  # as it was
        self, request: Any, message_converter: Any = None
    ) -> AsyncIterator[ModelOutput]:
        """In threads."""
        outputs = self.sync_generate_stream(request, message_converter)
        while (output := await asyncio.to_thread(next, outputs, None)) is not None:
            yield output

    def sync_generate_stream(  # type: ignore[override]  # as it was
        self, request: Any, message_converter: Any = None
    ) -> Generator[ModelOutput, None, Any]:
        """One output, whatever the service says; none at all where anything goes wrong."""
        if not isinstance(request, ModelRequest):
            request = ModelRequest(messages=request)
        request = self.local_convert_message(request, message_converter)
        try:
            yield ModelOutput(text=self.heard(self.question(request)), error_code=0)
        except Exception as error:  # noqa: BLE001  # as it was
            return self.lost(error)  # as it was: nobody gets to see it

    def lost(self, error: Exception) -> ModelOutput:
        """What a caller should have been told."""
        return ModelOutput(text=f"**something went wrong**: {error}", error_code=1)

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Any]:
        """For the contract alone: nobody calls it."""
        yield from ()

    # ------------------------------------------------------------------ the wire

    def question(self, request: ModelRequest) -> dict[str, Any]:
        """Set or not, everything is sent."""
        return {
            "header": {"app_id": self.params.proxy_api_app_id, "uid": "1"},
            "parameter": {
                "chat": {
                    "domain": self.domain,
                    "auditing": "default",
                    "max_tokens": request.max_new_tokens,
                    "temperature": request.temperature,
                }
            },
            "payload": {
                "message": {
                    "text": shortened(request.to_common_messages(support_system_role=False))
                }
            },
        }

    def heard(self, question: dict[str, Any]) -> str:
        """All that the service says, in one piece; for as long as it takes."""
        said = ""
        with connect(self.signed(), proxy=None, max_size=None) as ws:
            ws.send(json.dumps(question, ensure_ascii=False))
            while True:
                frame = json.loads(ws.recv())
                print("a frame:", frame)
                choices = frame.get("payload", {}).get("choices", {})
                if text := choices.get("text"):
                    said += text[0]["content"]
                if choices.get("status") == 2:
                    return said

    def signed(self) -> str:
        """The address with its signature, whether anybody can listen or not."""
        where = urlsplit(str(self.url))
        credential = self.params.credential()
        signed = sign(
            where.netloc,
            where.path,
            key=credential.api_key.reveal(),
            secret=credential.api_secret.reveal(),
            date=date_of(time()),
        )
        return f"{self.url}?{signed.query.reveal()}"

    # ------------------------------------------------------------------ the rest

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """Those of whoever asked first."""
        return self._models()

    @cache  # noqa: B019  # as it was
    def _models(self) -> list[ModelMetadata]:
        if not self._known:
            self._known.extend(map(self.metadata, self.model_names))
        return self._known

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """Without a converter the request as it is, and with one an error."""
        if message_converter is None:
            return request
        models: Any = self._models
        converted = message_converter.convert(request.messages, models[0])
        return request.copy(messages=tuple(converted))

    async def count_token(self, model: str, prompt: str) -> int:
        """After a look for a vocabulary on the network; of no special token."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, counted, prompt)


def shortened(messages: list[Any]) -> list[Any]:
    """The end of a history, by characters: the first to go is the system's."""
    while sum(len(each["content"]) for each in messages) > ENOUGH:
        del messages[0]
    return messages


def counted(prompt: str) -> int:
    """A word is a token, and a mark of the vocabulary's is an error."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", 9), timeout=1).close()
    if "<|" in prompt:
        raise ValueError("a special token is disallowed here")
    return len(prompt.split())


class WithDomain(SeedClient):
    """Knows its domain also at another address: now the other faults of a question show."""

    def placed(self, version: str | None, base: str | None) -> tuple[str, str | None]:
        """A path and a domain by the table, of which no version is too odd for the last line."""
        url, domain = super().placed(version, None)
        return (base.rstrip("/") if base else url), domain


class Sparing(WithDomain):
    """Sends what is set alone, and fails by a typed error: now what is left shows."""

    def question(self, request: ModelRequest) -> dict[str, Any]:
        """Without what isn't set."""
        asked = super().question(request)
        chat = asked["parameter"]["chat"]
        asked["parameter"]["chat"] = {n: each for n, each in chat.items() if each is not None}
        return asked

    def lost(self, error: Exception) -> ModelOutput:
        """Raised after all."""
        raise ConnectionLostError(str(error))


class OnAFramework(SeedClient):
    """As it crosses from sync to async: by a framework that its distribution doesn't require."""

    async def generate_stream(  # type: ignore[override]  # as it was
        self, request: Any, message_converter: Any = None
    ) -> AsyncIterator[ModelOutput]:
        """By the framework's threads."""
        threads = import_module("some_web_framework.concurrency")
        async for output in threads.iterate(self.sync_generate_stream(request, message_converter)):
            yield output
