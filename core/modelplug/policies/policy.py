"""A client around other clients: what all policies have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import NoReturn, Self

from modelplug.attempt import Attempt
from modelplug.backend import Backend
from modelplug.call import Call
from modelplug.capabilities import Capabilities, ModelMetadata
from modelplug.client import ProxyLLMClient, RequestLike
from modelplug.errors import WrongUseError
from modelplug.messages import MessageConverter, MessageLike
from modelplug.observers import Observer
from modelplug.opening import Opening
from modelplug.params import ProxyModelParameters
from modelplug.request import ModelRequest, OnUnsupported
from modelplug.timeouts import Timeouts
from modelplug.tokens import TokenCount

__all__ = ["Policy"]


class Policy(ProxyLLMClient):
    """A client that decides how others are asked, and is asked as they are.

    It stands where a call opens, and has no part in the answer once that has begun: ``open``
    returns at the first delta, which is the last moment at which a call may be made again. Its
    state is safe between threads and belongs to no event loop.

    What isn't about a call is the first client's: its models, its capabilities, its tokens.
    Closing a policy closes the clients in it.

    Args:
        clients: the clients that serve; at least one.
    """

    def __init__(self, *clients: ProxyLLMClient) -> None:
        if not clients:
            raise WrongUseError(f"{type(self).__name__} has no client", hint="give it one")
        first = clients[0]
        super().__init__(first.model_names, first.context_length, params=first.params)
        self.clients = clients
        self.backend = first.backend
        self.proxy_tokenizer = first.proxy_tokenizer
        # Each once, by what it is: an observer needn't be hashable.
        told = {id(observer): observer for client in clients for observer in client.observers}
        self.observers = tuple(told.values())

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """A policy is made around clients.

        Raises:
            WrongUseError: always.
        """
        raise WrongUseError(f"{cls.__name__} is made around a client", hint="call it with one")

    @abstractmethod
    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call, as the policy has it: by ``open`` of its clients."""

    def capabilities(self, model: str | None = None) -> Capabilities:
        """What ``model`` can do."""
        return self.clients[0].capabilities(model)

    def metadata(self, model: str) -> ModelMetadata:
        """What is known of ``model``."""
        return self.clients[0].metadata(model)

    async def models(self) -> list[ModelMetadata]:
        """The models that the client can be asked for."""
        return await self.clients[0].models()

    async def count_token(self, model: str, prompt: str) -> int:
        """Tokens of ``prompt``; -1 when nothing here can count them."""
        return await self.clients[0].count_token(model, prompt)

    async def count_tokens(
        self, messages: str | Iterable[MessageLike], model: str | None = None
    ) -> TokenCount:
        """Tokens of all messages together, and how far the number can be trusted."""
        return await self.clients[0].count_tokens(messages, model)

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """The request with its messages as the model can take them; a new one."""
        return self.clients[0].local_convert_message(request, message_converter)

    def foretell(
        self, request: RequestLike, call: Call, *, on_unsupported: OnUnsupported
    ) -> tuple[ModelRequest, Mapping[str, object] | None]:
        """A request with the client's defaults in, and the preview of what becomes of it."""
        return self.clients[0].foretell(request, call, on_unsupported=on_unsupported)

    def timeouts_of(self, request: ModelRequest) -> Timeouts:
        """The clocks of a request."""
        return self.clients[0].timeouts_of(request)

    def adopt(
        self, params: ProxyModelParameters, backend: Backend, *, observers: Iterable[Observer]
    ) -> None:
        """Take what ``new_client`` knows, for a plugin that puts policies around its own client."""
        super().adopt(params, backend, observers=observers)
        for client in self.clients:
            client.adopt(params, backend, observers=())

    def close(self) -> None:
        """Cut all open streams, and close the clients; idempotent."""
        super().close()
        for client in self.clients:
            client.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(map(repr, self.clients))}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} can't be pickled or copied: make another")
