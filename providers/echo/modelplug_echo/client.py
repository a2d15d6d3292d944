"""The whole of a provider: a client with one streaming method."""

import asyncio
import re
from concurrent.futures import Executor
from typing import Self

from modelplug import (
    Call,
    Delta,
    DeltaStream,
    Finish,
    ModelRequest,
    ProxyLLMClient,
    ProxyModelParameters,
    ServerError,
    Usage,
)
from modelplug_echo.options import EchoOptions


class EchoClient(ProxyLLMClient):
    """Streams the last question back, one word a delta; a word is what it counts as a token."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """A client whose one model is called as the config string says, or ``echo``."""
        return cls([model_params.model or "echo"], executor=default_executor, params=model_params)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """The words of the last question, then why they ended and what they cost."""
        options = self.options_for(request, EchoOptions)
        words = re.findall(r"\s*\S+|\s+$", request.question)
        said = words[: request.max_new_tokens][: options.fail_after]
        for word in said:
            await asyncio.sleep(options.delay)
            yield Delta(word)
        if options.fail_after == len(said):
            raise ServerError("echo was told to fail", hint="unset fail_after")
        prompt = sum(len(message.text.split()) for message in request.messages)
        usage = Usage(prompt_tokens=prompt, completion_tokens=len(said)) if options.usage else None
        yield Finish(options.finish_reason if said == words else "length", usage=usage)
