"""Makes the calls of a client: all that a client needs for a call, and not before.

The contract, in ``client``, imports this module with the first call. asyncio is behind it, and
TLS with that, as well as streams, attempts and clocks, which take longer to import than
everything that making a client takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from modelplug import bridge
from modelplug.attempt import Attempt, once
from modelplug.blocking import BlockingSource, StreamThreads, has_finish, weight
from modelplug.call import Call
from modelplug.capabilities import ModelMetadata
from modelplug.clock import Clock
from modelplug.delta import DeltaStream
from modelplug.errors import PluginContractError
from modelplug.fitting import (
    PluginsPart,
    as_request,
    bound,
    complete,
    converted,
    fitting,
    read,
)
from modelplug.messages import MessageConverter, MessageLike, has_more_than_text
from modelplug.opening import Opening
from modelplug.output import Answer, ModelOutput
from modelplug.request import ModelRequest, OnUnsupported
from modelplug.stream import ModelStream
from modelplug.syncstream import SyncModelStream
from modelplug.timeouts import STANDARD
from modelplug.tokens import TokenCount, counted

if TYPE_CHECKING:
    from modelplug.client import ProxyLLMClient
    from modelplug.request import RequestLike

__all__ = ["Caller"]


class Caller:
    """Makes calls of one client, and keeps nothing of them.

    Args:
        client: whose calls they are.
        check: raises what a call is refused with before anything else, as the client is closed.
    """

    __slots__ = ("_check", "_client")

    def __init__(self, client: ProxyLLMClient, check: Callable[[], None]) -> None:
        self._client = client
        self._check = check

    def stream(
        self, request: RequestLike, converter: MessageConverter | None, *, blocking: bool
    ) -> ModelStream:
        """The stream of a call, which opens at its first read."""
        answer = Answer(backend=self._client.backend)
        begin = partial(self._begun, request, converter, blocking)
        return ModelStream(begin, answer=answer, observers=self._client.observers)

    def _begun(
        self,
        request: RequestLike,
        converter: MessageConverter | None,
        blocking: bool,  # by position a partial is lighter, and each stream has one
        opening: Opening,
    ) -> Awaitable[Attempt]:
        """The attempt that serves a call."""
        opening.converter, opening.blocking = converter, blocking
        if isinstance(request, ModelRequest):
            opening.request_id = request.context.request_id
        self._check()
        asked = as_request(request)
        opening.clock.limit(self._client.timeouts_of(asked).total)
        opening.answer.model = self._client.model_for(asked)
        return self._client.open(asked, opening)

    @staticmethod
    def sync_stream(stream: Callable[[], ModelStream]) -> SyncModelStream:
        """A stream for threads."""
        return SyncModelStream(stream)

    @staticmethod
    def final(stream: ModelStream) -> ModelOutput:
        """Read a stream to its end, on the loop thread of the process; its final output."""
        return bridge.run(stream.final)

    def attempt(self, request: ModelRequest, opening: Opening, *, blocking: bool) -> Attempt:
        """One attempt at a call, to be begun; ``blocking`` says by which method."""
        self._check()
        asked = complete(request, self._client)
        call = self._call(asked, opening)
        asked = fitting(asked, call, self._client, opening=opening)
        opening.begin(call)
        return Attempt(call, partial(self._source, asked, call, blocking), opening.clock)

    async def models(self) -> list[ModelMetadata]:
        """What the service says of its models, under the clocks of a call."""
        client = self._client
        clock, timeouts = Clock(), client.params.timeouts or STANDARD
        clock.limit(timeouts.total)
        clock.start(timeouts)
        call = Call(
            timeouts=timeouts,
            deadline=clock.deadline,
            answer=Answer(backend=client.backend),
            credentials=client.params.credential,
            on_phase=clock.enter,
        )
        return await once(call, clock, lambda: client.list_models(call))

    def foretell(
        self, request: RequestLike, call: Call, *, on_unsupported: OnUnsupported
    ) -> tuple[ModelRequest, Mapping[str, object] | None]:
        """A request with the client's defaults in, and the preview of what becomes of it."""
        self._check()
        asked = complete(request, self._client).copy(on_unsupported=on_unsupported)
        fit = fitting(asked, call, self._client)
        with PluginsPart():
            return asked, self._client.preview(fit, call)

    def convert(self, request: ModelRequest, converter: MessageConverter | None) -> ModelRequest:
        """The request with its messages as the model can take them."""
        return converted(request, bound(request, converter, self._client), self._client)

    async def count(self, model: str | None, texts: Sequence[str]) -> TokenCount:
        """Tokens of some texts together."""
        if model in (None, self._client.params.model_name):
            model = self._client.default_model
        # Off the loop: it may have to load a vocabulary, and takes its time over a long text.
        return await asyncio.to_thread(counted, self._client.proxy_tokenizer, str(model), texts)

    async def count_messages(
        self, model: str | None, messages: str | Iterable[MessageLike]
    ) -> TokenCount:
        """Tokens of the texts of messages together."""
        asked = read(messages)
        count = await self.count(model, [message.text for message in asked])
        if count.n >= 0 and any(map(has_more_than_text, asked)):
            return replace(count, exact=False, method=f"{count.method}, text alone")
        return count

    @staticmethod
    def threads() -> Executor:
        """An executor for blocking streams."""
        return StreamThreads()

    def _call(self, request: ModelRequest, opening: Opening) -> Call:
        answer, clock = opening.answer, opening.clock
        answer.backend, answer.model = self._client.backend, request.model
        answer.request_id, answer.warnings = None, ()
        timeouts = self._client.timeouts_of(request)
        clock.start(timeouts)
        return Call(
            timeouts=timeouts,
            deadline=clock.deadline,
            request_id=request.context.request_id,
            attempt=clock.attempt,
            answer=answer,
            credentials=self._client.params.credential,
            on_phase=clock.enter,
        )

    def _source(
        self,
        request: ModelRequest,
        call: Call,
        blocking: bool,  # by position, as in _begun
    ) -> DeltaStream:
        client = self._client
        if blocking:
            source = BlockingSource(
                lambda: client.stream_deltas_blocking(request, call),
                client.executor,
                is_last=has_finish,
                weigh=weight,
            )
            call.on_abort(source.stop)
            return source
        deltas: object = client.stream_deltas(request, call)
        if isinstance(deltas, AsyncIterator):
            return deltas
        if isinstance(deltas, Coroutine):
            deltas.close()  # it will never be awaited
        raise PluginContractError(
            f"stream_deltas of {type(client).__name__} is no async generator",
            hint="write 'async def' with 'yield'; a plain 'def' is for stream_deltas_blocking",
        )
