"""A client around other clients: what all policies have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Executor
from functools import wraps
from typing import Any, NoReturn, Self, TypeAlias

from modelplug.attempt import Attempt, guarded
from modelplug.backend import Backend
from modelplug.call import Call
from modelplug.capabilities import Capabilities, ModelMetadata
from modelplug.client import ProxyLLMClient
from modelplug.errors import PluginContractError, ProxyLLMError, WrongUseError
from modelplug.messages import MessageConverter, MessageLike
from modelplug.observers import Observer
from modelplug.opening import Opening
from modelplug.params import ProxyModelParameters
from modelplug.request import ModelRequest, OnUnsupported, RequestLike
from modelplug.timeouts import Timeouts
from modelplug.tokens import TokenCount

__all__ = ["Policy"]

_Opens: TypeAlias = "Callable[[Any, ModelRequest, Opening], Awaitable[object]]"
"""``open`` as somebody has written it."""


class Policy(ProxyLLMClient):
    """A client that decides how others are asked, and is asked as they are.

    It stands where a call opens, and has no part in the answer once that has begun: ``open``
    returns at the first delta, which is the last moment at which a call may be made again. Its
    state is safe between threads and belongs to no event loop.

    What isn't about a call is the first client's: its models, its capabilities, its tokens.
    Closing a policy closes the clients in it.

    Args:
        clients: the clients that serve; at least one.

    Raises:
        WrongUseError: there is none, or one of them is no client.
    """

    def __init_subclass__(cls, **arguments: object) -> None:
        """Mind what a policy's ``open`` does, whoever has written it."""
        super().__init_subclass__(**arguments)
        if "open" in vars(cls):
            cls.open = _minded(cls.open)  # type: ignore[method-assign]  # it stays what it is

    def __init__(self, *clients: ProxyLLMClient) -> None:
        if not clients:
            raise WrongUseError(f"{type(self).__name__} has no client", hint="give it one")
        for client in clients:
            if not isinstance(client, ProxyLLMClient):
                raise WrongUseError(
                    f"{type(self).__name__} is made around clients, not a {type(client).__name__}",
                    hint="make each with new_client, and give them one by one, not in a list",
                )
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

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """The models that the client can be asked for."""
        return await self.clients[0].models(live=live)

    async def list_models(self, call: Call) -> list[ModelMetadata]:
        """Ask the service which models there are."""
        return await self.clients[0].list_models(call)

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


def _minded(opens: _Opens) -> Callable[..., Coroutine[Any, Any, Attempt]]:
    """A policy's ``open`` under the call's clock as a whole.

    Its errors say who was to be asked. A bug in it is a PluginContractError that names it.
    """

    @wraps(opens)
    async def minded(self: Policy, request: ModelRequest, opening: Opening) -> Attempt:
        whose = f"the policy {type(self).__name__}"
        try:
            given = await guarded(opening.clock, lambda: opens(self, request, opening))
        except ProxyLLMError as error:
            error.complete(backend=self.backend, model=self.model_for(request))
            raise
        except Exception as error:
            if opening.has_own_failure:
                raise
            bug = error
        else:
            if isinstance(given, Attempt):
                return given
            raise _no_attempt(given, whose)
        try:
            raise PluginContractError.blame(bug, doing=" in open", whose=whose)
        finally:
            del bug  # its traceback holds this frame: no cycle

    return minded


def _no_attempt(given: object, whose: str) -> PluginContractError:
    """What is wrong with what a policy's ``open`` gave."""
    if isinstance(given, Coroutine):
        given.close()  # it will never be awaited
    return PluginContractError(
        f"{whose} gave a {type(given).__name__} where an Attempt belongs",
        hint="'open' returns what 'open' of its client gave: look for 'return' and 'await'",
    )
