"""How a request is made fit for a provider: completed, converted, and refused where it must be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from modelplug.call import Call
from modelplug.capabilities import REQUEST_CAPABILITIES, Capabilities
from modelplug.errors import (
    BadRequestError,
    PluginContractError,
    ProxyLLMError,
    UnsupportedOptionError,
)
from modelplug.messages import (
    DefaultMessageConverter,
    MessageConverter,
    MessageLike,
    ModelMessage,
    as_messages,
)
from modelplug.opening import Opening
from modelplug.request import ModelRequest
from modelplug.trimming import CallConverter

if TYPE_CHECKING:
    from modelplug.client import ProxyLLMClient
    from modelplug.request import RequestLike

__all__ = ["PluginsPart", "as_request", "bound", "complete", "converted", "fitting", "read"]

log = logging.getLogger("modelplug")

_DEFAULT = DefaultMessageConverter()


def read(messages: str | Iterable[MessageLike]) -> Sequence[ModelMessage]:
    """Messages as values.

    Raises:
        BadRequestError: they can't be read as messages.
    """
    try:
        return as_messages(messages)
    except (TypeError, ValueError) as error:
        fault: ProxyLLMError = BadRequestError(str(error), hint="give a text or messages")
    raise fault


def as_request(request: RequestLike) -> ModelRequest:
    """The request as a value, with messages.

    Raises:
        BadRequestError: it has none, or they can't be read.
    """
    if not isinstance(request, ModelRequest):
        request = ModelRequest(messages=read(request))
    if not request.messages:
        raise BadRequestError("the request has no messages", hint="give at least a question")
    return request


def complete(request: RequestLike, client: ProxyLLMClient) -> ModelRequest:
    """The request with its model and the client's defaults, and nothing that anybody else holds.

    Raises:
        BadRequestError: it has no messages, or they can't be read.
        ModelNotFoundError: nobody names a model.
    """
    asked = as_request(request)
    return asked.with_defaults(client.params.defaults).detached(model=client.model_for(asked))


def converted(
    request: ModelRequest, converter: MessageConverter | None, client: ProxyLLMClient
) -> ModelRequest:
    """The request with its messages as the model can take them, by a converter that is bound."""
    with PluginsPart():
        metadata = client.metadata(request.model or client.default_model)
    converter = converter or _DEFAULT
    messages = tuple(converter.convert(request.messages, metadata))
    return request if messages == request.messages else request.copy(messages=messages)


def bound(
    request: ModelRequest,
    converter: MessageConverter | None,
    client: ProxyLLMClient,
    *,
    warn: Callable[[str], None] = log.warning,
) -> MessageConverter | None:
    """The converter for this request alone, if it wants to know more than messages."""
    if converter is not None and isinstance(converter, CallConverter):
        return converter.for_request(request, tokenizer=client.proxy_tokenizer, warn=warn)
    return converter


def fitting(
    request: ModelRequest, call: Call, client: ProxyLLMClient, *, opening: Opening | None = None
) -> ModelRequest:
    """A complete request as the provider gets it.

    Raises:
        UnsupportedOptionError: it asks for what the model can't do.
        BadRequestError: no message of it is for the model.
    """
    converter = opening.converter if opening else None
    if opening is None or converter is None:
        request = client.local_convert_message(request)
    elif opening.converted is None:
        own = bound(request, converter, client, warn=lambda told: call.note(warning=told))
        opening.has_own_failure = True  # until it is over
        request = client.local_convert_message(request, own)
        opening.has_own_failure = False
        opening.converted = request.messages
        request = request.detached()  # the next attempt gets them as they were
    else:  # by an attempt before, at another client perhaps
        request = client.local_convert_message(request.copy(messages=opening.converted).detached())
    with PluginsPart():
        able = client.capabilities(request.model)
    return _accepted(request, able, call, backend=client.backend)


def _accepted(
    request: ModelRequest, able: Capabilities, call: Call, *, backend: str | None
) -> ModelRequest:
    """The request without what the model can't do, or the refusal that it asks for."""
    if not request.messages:
        raise BadRequestError("no message is for the model", hint="give at least a question")
    asked_for = request.asked_for()
    refused = [name for name in asked_for if not able.supports(name)]
    if able["system_role"] == "emulated" and "system_role" in asked_for:
        refused.append("system_role")  # the default converter would have folded it
    if not refused:
        return request
    told = f"{request.model} of {backend} can't do: {', '.join(refused)}"
    if not set(refused) <= set(REQUEST_CAPABILITIES):
        raise UnsupportedOptionError(told, hint="leave that out")
    call.leave_out(request, told)
    return request.copy(**dict.fromkeys(refused))


class PluginsPart:
    """A block in which what is raised, other than errors of ours, is the plugin's fault."""

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        bug: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(bug, Exception) and not isinstance(bug, ProxyLLMError):
            raise PluginContractError.blame(bug)
