"""The whole of a provider: what makes the words, and around it a client with one method."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Self

import modelplug as mp
from modelplug_echo.options import EchoOptions

if TYPE_CHECKING:
    from concurrent.futures import Executor


async def speak(request: mp.ModelRequest, options: EchoOptions) -> AsyncGenerator[mp.Pieces]:
    """The words of the last question, then why they ended and what they cost.

    It stands where a local model would, or somebody's library: the client knows nothing else.

    Raises:
        RuntimeError: it was told to fail.
    """
    import asyncio  # here: to make a client needs no loop, and should cost nothing

    words = re.findall(r"\s*\S+|\s+$", request.question)
    for word in (said := words[: request.max_new_tokens][: options.fail_after]):
        await asyncio.sleep(options.delay)
        yield mp.Delta(word)
    if options.fail_after == len(said):
        raise RuntimeError("echo was told to fail")
    prompt = sum(len(message.text.split()) for message in request.messages)
    usage = mp.Usage(prompt_tokens=prompt, completion_tokens=len(said)) if options.usage else None
    yield mp.Finish(options.finish_reason if said == words else "length", usage=usage)


class EchoClient(mp.ProxyLLMClient):
    """Streams the last question back, one word a delta; a word is what it counts as a token."""

    @classmethod
    def new_client(
        cls, model_params: mp.ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """A client whose one model is called as the config string says, or ``echo``."""
        return cls([model_params.model or "echo"], executor=default_executor, params=model_params)

    async def stream_deltas(self, request: mp.ModelRequest, call: mp.Call) -> mp.DeltaStream:
        """What is spoken; an error of the speaker's becomes the contract's."""
        try:
            # Closed here and now: left to the collector it would go on holding what it has.
            async with aclosing(speak(request, self.options_for(request, EchoOptions))) as pieces:
                async for piece in pieces:
                    yield piece
        except RuntimeError as e:
            raise mp.ServerError(str(e), provider_message=str(e), hint="unset fail_after") from e
