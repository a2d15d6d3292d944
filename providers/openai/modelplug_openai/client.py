"""The client: a question over HTTP, and the protocol over the events that come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Self
from urllib.parse import quote

from modelplug import (
    BadRequestError,
    Call,
    Capabilities,
    ConfigError,
    DeltaStream,
    ModelMetadata,
    ModelNotFoundError,
    ModelRequest,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    Secret,
    UnsupportedOptionError,
)
from modelplug.transport import Endpoint
from modelplug.transport.http import Connections, Refusal, Response
from modelplug_openai.arrival import Arrival
from modelplug_openai.catalogue import models_in
from modelplug_openai.codes import refused, request_id_of
from modelplug_openai.options import OpenAIOptions
from modelplug_openai.preset import Preset
from modelplug_openai.presets import OPENAI, find
from modelplug_openai.protocol import OpenAIProtocol
from modelplug_openai.question import question

__all__ = ["OpenAILLMClient"]

_HIDDEN = "**********"
"""What stands for the key in a preview, as for every secret."""

_SAID = 65_536
"""Bytes that are read of what is no answer."""

_SAID_SECONDS = 1.0
"""How long they are waited for: that it is none is known already."""


class OpenAILLMClient(ProxyLLMClient):
    """Talks to a service that speaks OpenAI's chat completions, over connections that it keeps.

    Which service that is, the backend's name tells: a row of the table of presets. Any model
    can be asked for by its name, also one that the row doesn't list.

    Args:
        preset: what is particular to the service.
        params: names the model, the key, and the address where it isn't the preset's.
        executor: for the base class.

    Raises:
        ConfigError: the service has no address of its own, and none is configured.
        UnsafeEndpointError: the address is none to send a key to.
        UnsupportedOptionError: a proxy is to be used.
    """

    def __init__(
        self,
        preset: Preset,
        params: ProxyModelParameters,
        executor: Executor | None = None,
    ) -> None:
        if params.http_proxy:
            raise UnsupportedOptionError(f"{preset.name} connects directly, without http_proxy")
        known = {each.model: each for each in preset.metadata}
        default = [params.model] if params.model else []
        names = [*dict.fromkeys([*default, *known])]
        super().__init__(names, executor=executor, params=params)
        self.preset = preset
        self._known = known
        self._endpoint = _endpoint(preset, params)
        self._connections = Connections()

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """Make a client of the backend that the params name; OpenAI's own where they name none.

        Raises:
            ConfigError: one of its kinds, see the class.
        """
        target = model_params.target
        preset = find(target.backend or "") if target else None
        return cls(preset or OPENAI, model_params, default_executor)

    @property
    def default_model(self) -> str:
        """See ``ProxyLLMClient.default_model``."""
        if not self.model_names and self.preset.models_path is None:
            place = "?api_base=..." if self.params.proxy_api_base else ""
            raise ModelNotFoundError(
                f"{self.preset.name} has no default model, and no list of models",
                hint=f"name one, as its own pages call it: {self.preset.name}:MODEL{place}",
            )
        return super().default_model

    def capabilities(self, model: str | None = None) -> Capabilities:
        """What the service can do: the same for all its models, which may refuse some of it."""
        return self.preset.capabilities

    def metadata(self, model: str) -> ModelMetadata:
        """What the table knows of a model; ``max_context_size`` of the params goes before."""
        known = self._known.get(model) or super().metadata(model)
        return known.with_context(self.params.max_context_size)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """See ``ProxyLLMClient.stream_deltas``."""
        options = self.options_for(request, OpenAIOptions)
        model = request.model or self.default_model
        asking = self._connections.request(
            self._address(model),
            call=call,
            query=self._query,
            headers=self._headers(call, options),
            body=self._body(request, call, options),
            on_refusal=partial(self._refused, call),
        )
        async with asking as response:
            protocol = OpenAIProtocol(
                preset=self.preset,
                scrub=call.scrub,
                request_id=request_id_of(response.headers, scrub=call.scrub),
                think_tags=options.think_tags,
            )
            arrival = Arrival(response)
            received = await arrival.receiver(protocol)
            if received is None:
                raise await self._misplaced(response, arrival, call)
            while protocol.failure is None:
                pieces = await received()
                _report(protocol, call)
                if protocol.done:
                    response.finish()
                    yield pieces
                    return
                if pieces:  # events without text are no progress: no clock may start anew
                    yield pieces
            raise protocol.failure

    async def list_models(self, call: Call) -> list[ModelMetadata]:
        """The service's own list (https://platform.openai.com/docs/api-reference/models/list).

        Raises:
            UnsupportedOptionError: the service is documented to have none.
            ProxyLLMError: it couldn't be had.
        """
        if self.preset.models_path is None:
            raise UnsupportedOptionError(f"{self.preset.name} has no list of models to ask for")
        asking = self._connections.request(
            _below(self._endpoint, self.preset.models_path),
            call=call,
            method="GET",
            query=self._query,
            headers=self._headers(call, self._options),
            on_refusal=partial(self._refused, call),
        )
        async with asking as response:
            found = models_in(await response.read(), call.scrub)
        if isinstance(found, ProxyLLMError):
            raise found
        known = {name: self.metadata(name) for name in found}
        return [known[name].with_context(tokens) for name, tokens in found.items()]

    def preview(self, request: ModelRequest, call: Call) -> Mapping[str, object]:
        """The address, the headers beside those of HTTP itself, and the body as JSON.

        The key's header is there if a key is given, or must be; its value never is.
        """
        options = self.options_for(request, OpenAIOptions)
        address = self._address(request.model or self.default_model)
        url = f"{address}?{self._query}" if self._query else str(address)
        headers: dict[str, object] = {**options.all_headers}
        if self.params.proxy_api_key or self.preset.needs_key:
            bearer = self.preset.key_header == "authorization"
            headers[self.preset.key_header] = f"Bearer {_HIDDEN}" if bearer else _HIDDEN
        body = json.loads(self._body(request, call, options))
        return {"url": url, "headers": headers, "body": body}

    def close(self) -> None:
        """Cut all open streams and let go of all connections; idempotent."""
        super().close()
        self._connections.close()

    @property
    def _options(self) -> OpenAIOptions:
        """Those of the params, for what is asked without a request."""
        return self.options_for(ModelRequest(), OpenAIOptions)

    @property
    def _query(self) -> str:
        """Azure's version of the API, where there is one to tell."""
        version = self.params.proxy_api_version or self.preset.api_version
        told = self.preset.api_version is not None and version
        return f"api-version={quote(version or '', safe='')}" if told else ""

    def _address(self, model: str) -> Endpoint:
        path = self.preset.path
        if "{model}" in path:
            path = path.replace("{model}", _segment(model))
        return _below(self._endpoint, path)

    def _headers(self, call: Call, options: OpenAIOptions) -> dict[str, str | Secret]:
        headers: dict[str, str | Secret] = {**options.all_headers}
        key = call.credential().api_key
        if key:
            bearer = self.preset.key_header == "authorization"
            headers[self.preset.key_header] = Secret(f"Bearer {key.reveal()}") if bearer else key
        return headers

    def _body(self, request: ModelRequest, call: Call, options: OpenAIOptions) -> bytes:
        return question(
            request,
            self.preset,
            model=request.model or self.default_model,
            options=options,
            call=call,
        )

    async def _misplaced(self, response: Response, arrival: Arrival, call: Call) -> ProxyLLMError:
        """The error for a page with status 200, or whatever else is no answer."""
        said = b""
        with suppress(TimeoutError, ProxyLLMError):  # what there is of it will do
            async with asyncio.timeout(_SAID_SECONDS):
                said = await arrival.read(limit=_SAID)
        text = said.decode(errors="replace")
        return self._refused(
            call, Refusal(status=response.status, headers=response.headers, body=text)
        )

    def _refused(self, call: Call, refusal: Refusal) -> ProxyLLMError:
        """The error for whatever is no answer."""
        return refused(
            refusal.status,
            (refusal.body or refusal.message).encode(),
            headers=refusal.headers,
            failures=self.preset.failures,
            scrub=call.scrub,
            retry_after=refusal.retry_after,
            has_key=bool(self.params.proxy_api_key),
        )


def _endpoint(preset: Preset, params: ProxyModelParameters) -> Endpoint:
    """Where the service is: what is configured, or its own address."""
    url = params.proxy_api_base or preset.base
    if url is None:
        raise ConfigError(
            f"{preset.name} has no address of its own",
            hint=f"say {preset.name}:MODEL?api_base=https://...; see {preset.source}",
        )
    endpoint = Endpoint.parse(
        url.rstrip("/"), schemes=("https", "http"), allow_insecure=params.allow_insecure
    )
    # What is built in is on the internet, or on this machine.
    public = not params.proxy_api_base and not endpoint.is_loopback
    return replace(endpoint, public_only=public)


def _below(endpoint: Endpoint, path: str) -> Endpoint:
    return endpoint.with_path(endpoint.path.rstrip("/") + path)


def _segment(model: str) -> str:
    """A model's name as one segment of a path.

    Raises:
        BadRequestError: it would lead elsewhere (RFC 3986 section 5.2.4), or is no text.
    """
    try:
        segment = quote(model, safe="")
    except UnicodeEncodeError:
        segment = ""
    if segment in ("", ".", ".."):
        raise BadRequestError(f"{model!a} is no name of a deployment", sent="no")
    return segment


def _report(protocol: OpenAIProtocol, call: Call) -> None:
    call.note(request_id=protocol.request_id or None, model=protocol.model or None)
    while protocol.warnings:
        call.note(warning=protocol.warnings.pop(0))
