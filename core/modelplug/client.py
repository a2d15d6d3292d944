"""The contract: what a provider's client is, and what every caller may rely on.

A complete provider is one class with one method::

    class ParrotClient(ProxyLLMClient):
        @classmethod
        def new_client(cls, model_params, default_executor=None):
            model = model_params.model or "parrot"
            return cls([model], executor=default_executor, params=model_params)

        async def stream_deltas(self, request, call):
            words = request.question.split()
            for word in words:
                yield Delta(word + " ")
            n = len(words)
            yield Finish("stop", usage=Usage(prompt_tokens=n, completion_tokens=n))

All else is derived here: the four generate calls, clocks, cancelling, closing, cumulative
text, message conversion, defaults, refusals of what the model can't do, error context.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel

from modelplug.capabilities import (
    ASSUMED_CONTEXT,
    CAPABILITY_NAMES,
    Capabilities,
    ModelMetadata,
)
from modelplug.errors import (
    ClientClosedError,
    ModelNotFoundError,
    PluginContractError,
    ProxyLLMError,
    UnsupportedOptionError,
)
from modelplug.params import ProxyModelParameters, validated
from modelplug.timeouts import STANDARD, Timeouts
from modelplug.tokens import ProxyTokenizer, TiktokenProxyTokenizer, TokenCount

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from modelplug.attempt import Attempt
    from modelplug.backend import Backend
    from modelplug.call import Call
    from modelplug.caller import Caller
    from modelplug.delta import DeltaStream, Pieces
    from modelplug.messages import MessageConverter, MessageLike
    from modelplug.observers import Observer
    from modelplug.opening import Opening, Waiting
    from modelplug.output import ModelOutput
    from modelplug.request import ModelRequest, OnUnsupported, RequestLike
    from modelplug.stream import ModelStream
    from modelplug.syncstream import SyncModelStream

__all__ = ["ProxyLLMClient"]

OptionsT = TypeVar("OptionsT", bound=BaseModel)


class ProxyLLMClient(ABC):
    """Talks to one backend. Safe to share between tasks, threads and event loops.

    A provider defines ``new_client`` and one of ``stream_deltas`` and
    ``stream_deltas_blocking``; with both, async calls take the first and sync calls the
    second. It keeps nothing of a call on the client. What begins with an underscore is free
    for its own: this class's own such names begin with two, and Python keeps them apart.

    Args:
        model_names: the models it serves; the first is the default.
        context_length: tokens of context where ``models`` knows no better.
        executor: runs blocking streams; it is borrowed and never shut down. Without one the
            client makes its own when it needs one, and ends it when it is closed.
        proxy_tokenizer: counts tokens: the backend's own where there is one. The default needs
            the extra ``modelplug[tokens]``, and knows OpenAI's models; for others it estimates.
        params: what the client was made from: gives defaults, clocks and credentials.

    Raises:
        PluginContractError: the class has no stream method, or no model.
    """

    def __init__(
        self,
        model_names: Sequence[str],
        context_length: int = ASSUMED_CONTEXT,
        executor: Executor | None = None,
        proxy_tokenizer: ProxyTokenizer | None = None,
        *,
        params: ProxyModelParameters | None = None,
    ) -> None:
        if not any(map(self.__has, ("stream_deltas", "stream_deltas_blocking", "open"))):
            raise PluginContractError(
                f"{type(self).__name__} has neither stream_deltas nor stream_deltas_blocking"
            )
        if not model_names and not self.__has("list_models"):
            raise PluginContractError(f"{type(self).__name__} names no model")
        self.model_names = tuple(model_names)
        self.proxy_tokenizer: ProxyTokenizer | None = proxy_tokenizer or TiktokenProxyTokenizer()
        self.params = params or ProxyModelParameters()
        self.context_length = self.params.max_context_size or context_length
        self.backend = self.params.target.backend if self.params.target else None
        self.observers: tuple[Observer, ...] = ()
        # A client that didn't come from modelplug.new_client doesn't know what its plugin
        # claims, and so refuses nothing.
        self.__claimed = Capabilities(native=CAPABILITY_NAMES)
        self.__executor = executor
        self.__own_executor: Executor | None = None
        # By identity, and without a lock: a child of a fork could inherit one that is held.
        self.__streams: WeakValueDictionary[int, Waiting] = WeakValueDictionary()
        self.__lock = threading.Lock()
        self.__closed = False

    # ------------------------------------------------------------- what a provider writes

    @classmethod
    @abstractmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """Make a client. Called once a client, on any thread; it does no I/O.

        Args:
            model_params: complete and validated; ``model_params.model`` is the model that the
                config string names, ``options`` has passed the backend's options model.
            default_executor: to be handed to the constructor as ``executor``.
        """

    def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """Serve one request: an async generator of deltas, and then one ``Finish``.

        Called once an attempt, on the event loop. The request is complete: its model is set,
        its messages are converted, and it asks for nothing that ``capabilities`` doesn't
        claim. Several pieces that are at hand may be yielded as one list. Failures are
        raised, typed; CancelledError passes through; nothing blocks the loop.
        """
        raise NotImplementedError  # a provider has this, or its blocking twin

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Pieces]:
        """The same as a blocking generator, on a thread of the executor.

        It can't be interrupted while it waits: register ``call.on_abort`` with something
        that cuts the connection.
        """
        raise NotImplementedError  # a provider has this, or its async twin

    async def list_models(self, call: Call) -> list[ModelMetadata]:
        """The service's own list of models, where it has one: for ``models(live=True)``.

        Called on the event loop, as ``stream_deltas`` is, under the same clocks, and with the
        same ``call`` to report to. A client that has this may be made without any model's name.
        """
        raise NotImplementedError  # a provider may have this

    def preview(self, request: ModelRequest, call: Call) -> Mapping[str, object] | None:
        """What would be sent for a request, where the provider can say; else None.

        Called by ``modelplug.explain``, on any thread, with what ``stream_deltas`` would get.
        It does no I/O. It makes the message by the code that a call makes it by, raises and
        notes the same, and gives it as JSON would hold it, with the address beside it. The
        credential of this ``call`` has the app id alone: keys, and what would be derived from
        them, stay out.
        """
        return None

    def capabilities(self, model: str | None = None) -> Capabilities:
        """What ``model`` can do: what the plugin claims of the backend, unless overridden."""
        return self.__claimed

    # ----------------------------------------------------------------- what a caller uses

    async def generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """The whole answer: what the final output of ``generate_stream`` would be.

        Raises:
            ProxyLLMError: any of its kinds; ``partial`` has the answer so far.
        """
        return await self.generate_stream(request, message_converter).final()

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """The answer as it comes. Nothing happens until its first output is asked for."""
        return self.__stream(request, message_converter, blocking=False)

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """As ``generate``, for threads.

        Raises:
            ProxyLLMError: any of its kinds; ``partial`` has the answer so far.
        """
        return self.__caller.final(self.__stream(request, message_converter, blocking=True))

    def sync_generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> SyncModelStream:
        """As ``generate_stream``, for threads."""
        return self.__caller.sync_stream(
            lambda: self.__stream(request, message_converter, blocking=True)
        )

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """The models that the client can be asked for.

        Args:
            live: ask the service for its own list. Without that it is what the plugin knows,
                and nobody is asked.

        Returns:
            The default one first, where it is among them. ``max_context_size`` of the params
            goes before what anybody knows of a model's context.

        Raises:
            UnsupportedOptionError: ``live``, and there is no list to ask for.
            ProxyLLMError: asking failed, as a call fails; the clocks are those of a call.
        """
        if live:
            self.__check()
            if not self.__has("list_models"):
                raise UnsupportedOptionError(
                    f"{self.backend} has no list of models to ask for",
                    hint="leave live out: what the plugin knows is listed",
                )
            found = await self.__caller.models()
            found.sort(key=lambda each: each.model not in self.model_names[:1])
        else:
            found = [self.metadata(name) for name in self.model_names]
        return [each.with_context(self.params.max_context_size) for each in found]

    @property
    def default_model(self) -> str:
        """The model of requests that name none.

        Raises:
            ModelNotFoundError: neither the configuration nor the plugin names one.
        """
        if not self.model_names:
            place = "?api_base=..." if self.params.proxy_api_base else ""
            raise ModelNotFoundError(
                f"{self.backend} has no default model",
                hint=f"name one: {self.backend}:MODEL{place};"
                f" 'modelplug models -b {self.backend}{place} --live' lists those that there are",
            )
        return self.model_names[0]

    def model_for(self, request: ModelRequest) -> str:
        """The model that a request is for: its own, or the default one."""
        asks_for_default = request.model in (None, self.params.model_name)
        return self.default_model if asks_for_default else str(request.model)

    def metadata(self, model: str) -> ModelMetadata:
        """What is known of ``model``."""
        return ModelMetadata(
            model=model,
            context_length=self.context_length,
            capabilities=self.capabilities(model),
        )

    async def count_token(self, model: str, prompt: str) -> int:
        """Tokens of ``prompt``; -1 when nothing here can count them. Never raises for that.

        Neither this nor ``count_tokens`` goes to the network or keeps the event loop waiting.
        """
        return (await self.__caller.count(model, [prompt])).n

    async def count_tokens(
        self, messages: str | Iterable[MessageLike], model: str | None = None
    ) -> TokenCount:
        """Tokens of all messages together, and how far the number can be trusted.

        It is the sum of their texts' tokens: what a service adds for each message isn't in it,
        and where there is an image the number is no longer exact.
        """
        return await self.__caller.count_messages(model, messages)

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """The request with its messages as the model can take them; itself where it has them so.

        Without a converter the default one leaves out what is not for models and, where the
        plugin emulates the system role, folds system messages into the last question.
        """
        return self.__caller.convert(request, message_converter)

    local_covert_message = local_convert_message  # DB-GPT's spelling

    def options_for(self, request: ModelRequest, model: type[OptionsT]) -> OptionsT:
        """The backend's options for one request: those of the params, and its own over them.

        Raises:
            UnsupportedOptionError: an option that the backend doesn't have.
            ConfigError: a value of the wrong type or out of range.
        """
        own = request.options.get(self.backend or "", {})
        return validated(model, {**self.params.options, **own}, whose=f"options of {self.backend}")

    def foretell(
        self, request: RequestLike, call: Call, *, on_unsupported: OnUnsupported
    ) -> tuple[ModelRequest, Mapping[str, object] | None]:
        """A request with the client's defaults in, and the preview of what becomes of it.

        Raises:
            ProxyLLMError: what the call would raise before anything is sent.
        """
        return self.__caller.foretell(request, call, on_unsupported=on_unsupported)

    @property
    def executor(self) -> Executor:
        """What runs blocking streams; made at the first need unless one was passed in."""
        if self.__executor is not None:
            return self.__executor
        with self.__lock:
            if self.__own_executor is None:
                self.__own_executor = self.__caller.threads()
            return self.__own_executor

    def adopt(
        self, params: ProxyModelParameters, backend: Backend, *, observers: Iterable[Observer]
    ) -> None:
        """Take what ``new_client`` knows; a provider needn't pass it on. Called once, by it."""
        self.params, self.observers = params, tuple(observers)
        self.backend, self.__claimed = backend.name, backend.capabilities

    def close(self) -> None:
        """Cut all open streams, whose readers get a ClientClosedError; idempotent."""
        self.__closed = True
        for reference in self.__streams.valuerefs():
            if (stream := reference()) is not None:
                stream.cut(_closed())
        if self.__own_executor is not None:
            self.__own_executor.shutdown(wait=False)

    async def aclose(self) -> None:
        """As ``close``; returns once the loop has let the connections go."""
        import asyncio  # here: whoever awaits this has it, and who makes a client needn't

        self.close()
        await asyncio.sleep(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # ------------------------------------------------------------------------- how it works

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Make one attempt at a call, until its answer begins: what policies wrap.

        Raises:
            ProxyLLMError: the attempt failed before its first delta, and left nothing behind.
        """
        model, stream = self.model_for(request), opening.stream()
        if stream is not None:
            # Closing this client cuts it; mostly it is there, and needs no second reference.
            self.__streams.setdefault(id(stream), stream)
        try:
            blocking = self.__blocks(opening)
            attempt = self.__caller.attempt(request, opening, blocking=blocking)
            del request  # this keeps no question for as long as its answer takes to begin
            await attempt.begin()
        except ProxyLLMError as error:
            # Another client may serve it, which this one has no say in.
            self.__streams.pop(id(stream), None)
            error.complete(backend=self.backend, model=model)
            raise
        opening.begun = attempt
        return attempt

    def timeouts_of(self, request: ModelRequest) -> Timeouts:
        """The clocks of a request: its own, or the client's."""
        asked = request.with_defaults(self.params.defaults).timeout
        return (self.params.timeouts or STANDARD).over(asked)

    @property
    def __caller(self) -> Caller:
        return _callers()(self, self.__check)

    def __stream(
        self, request: RequestLike, converter: MessageConverter | None, *, blocking: bool
    ) -> ModelStream:
        stream = self.__caller.stream(request, converter, blocking=blocking)
        self.__streams[id(stream)] = stream
        return stream

    def __check(self) -> None:
        if self.__closed:
            raise _closed()

    def __blocks(self, opening: Opening) -> bool:
        """Whether the blocking method serves a call: the caller blocks, or it is the only one."""
        wanted = "stream_deltas_blocking" if opening.blocking else "stream_deltas"
        return opening.blocking == self.__has(wanted)

    @classmethod
    def __has(cls, method: str) -> bool:
        return getattr(cls, method) is not getattr(ProxyLLMClient, method)

    def __reduce__(self) -> NoReturn:
        """Neither pickled nor copied: half of one would share locks and open streams.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"a {type(self).__name__} can't be pickled or copied: make another of its params"
        )

    def __repr__(self) -> str:
        model = next(iter(self.model_names), None)
        return f"<{type(self).__name__} of {self.backend}, model {model}>"


_importing = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child that is forked while another thread imports would wait for that thread forever.
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )


@cache  # a microsecond or two, some times a call
def _callers() -> type[Caller]:
    with _importing:
        # Here, and nowhere else: with asyncio and TLS under it, it takes as long to import as
        # making the client, and nobody is to wait for that who makes one and doesn't ask yet.
        from modelplug.caller import Caller
    return Caller


def _closed() -> ClientClosedError:
    return ClientClosedError("the client is closed", hint="make a new one")
