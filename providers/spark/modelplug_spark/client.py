"""The client: a signed WebSocket per request, and the protocol over it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from functools import lru_cache, partial
from typing import Self

from modelplug import (
    Call,
    Capabilities,
    Credential,
    Delta,
    DeltaStream,
    Finish,
    ModelMetadata,
    ModelRequest,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    Secret,
    UnsupportedOptionError,
)
from modelplug.transport import Endpoint
from modelplug.transport.websocket import WebSocket, connect
from modelplug_spark.codes import Refusal, refused
from modelplug_spark.frames import encode_request
from modelplug_spark.models import DEFAULT, MODELS, SparkModel, placed
from modelplug_spark.options import SparkOptions
from modelplug_spark.protocol import SparkProtocol
from modelplug_spark.question import question
from modelplug_spark.signing import date_of, sign
from modelplug_spark.tokens import SparkTokenizer

__all__ = ["SparkLLMClient"]

_NO_OPTIONS = SparkOptions()


class SparkLLMClient(ProxyLLMClient):
    """Talks to iFlytek Spark: one connection a request, as the service wants it (section 0.1).

    Any model of the table can be asked for, also by its aliases; the default one is that of
    the config string, else ``proxy_api_version``, else ``generalv3.5``. One that isn't there
    can be asked for if the configuration has its full URL and its domain.
    """

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """Make a client.

        Raises:
            ModelNotFoundError: the default model isn't in the table, and the configuration
                lacks the URL or the domain of a hosted one.
            UnsupportedOptionError: a proxy is to be used.
        """
        if model_params.http_proxy:
            raise UnsupportedOptionError("spark connects directly, without http_proxy")
        name = model_params.model or model_params.proxy_api_version or DEFAULT
        model = _placed(name, model_params)
        names = [each.name for each in MODELS]
        # A hosted model's address is its own: no other is to be had there.
        others = names if model.name in names else []
        return cls(
            [model.name, *(each for each in others if each != model.name)],
            context_length=model_params.max_context_size or model.context_length,
            executor=default_executor,
            proxy_tokenizer=SparkTokenizer(),
            params=model_params,
        )

    def capabilities(self, model: str | None = None) -> Capabilities:
        """What a model of the table, or the hosted one of the configuration, can do.

        Raises:
            ModelNotFoundError: it is neither.
        """
        return _placed(model or self.default_model, self.params).capabilities

    def metadata(self, model: str) -> ModelMetadata:
        """What the table knows of a model; ``max_context_size`` of the params goes before.

        Raises:
            ModelNotFoundError: it isn't in the table, nor the hosted one of the configuration.
        """
        return _placed(model, self.params).metadata.with_context(self.params.max_context_size)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """See ``ProxyLLMClient.stream_deltas``."""
        connection, protocol = self._conversation(request, call)
        del request  # this frame lives as long as the answer takes
        async with connection as ws:
            while not protocol.done:
                pieces = _pieces(await ws.take(), ws, protocol, call)
                if pieces:  # frames without text are no progress: no clock may start anew
                    yield pieces
                if protocol.failure is not None:
                    raise protocol.failure
                del pieces  # or they live on here until more comes

    def preview(self, request: ModelRequest, call: Call) -> Mapping[str, object]:
        """The address without its signed query, and the one message."""
        options = self._options(request)
        app_id = call.credential().app_id
        endpoint, message = self._asked(request, call, options, app_id=app_id)
        return {"url": str(endpoint), "message": json.loads(message)}

    def _conversation(
        self, request: ModelRequest, call: Call
    ) -> tuple[AbstractAsyncContextManager[WebSocket], SparkProtocol]:
        """The connection on which a request is asked, to be opened, and what reads the answer."""
        options, scrub = self._options(request), call.scrub
        credential = call.credential()
        endpoint, message = self._asked(request, call, options, app_id=credential.app_id)
        connection = connect(
            endpoint,
            call=call,
            query=_signed(endpoint, credential, call),
            message=message,
            on_refusal=partial(_refused, scrub),
        )
        strict = options.sequence == "strict"
        return connection, SparkProtocol(strict_sequence=strict, scrub=scrub)

    def _options(self, request: ModelRequest) -> SparkOptions:
        """As ``options_for`` has them; without any, which is most usual, nothing is validated."""
        if self.params.options or request.options:
            return self.options_for(request, SparkOptions)
        return _NO_OPTIONS

    def _asked(
        self, request: ModelRequest, call: Call, options: SparkOptions, *, app_id: str
    ) -> tuple[Endpoint, bytes]:
        """Where a request goes, and the message that it becomes."""
        model = _placed(request.model or self.default_model, self.params, options.domain)
        is_public = not self.params.proxy_api_base
        endpoint = _parsed(model.url, self.params.allow_insecure, is_public)
        asked = question(request, model, app_id=app_id, options=options, call=call)
        return endpoint, encode_request(asked)


@lru_cache(maxsize=64)  # each address once, not once a request
def _parsed(url: str, allow_insecure: bool, public_only: bool) -> Endpoint:
    return Endpoint.parse(url, allow_insecure=allow_insecure, public_only=public_only)


def _placed(name: str, params: ProxyModelParameters, domain: str | None = None) -> SparkModel:
    """A model where the params put it; ``domain`` goes before theirs."""
    configured = params.options.get("domain")
    domain = domain or (str(configured) if configured else None)
    return placed(name, api_base=params.proxy_api_base, domain=domain)


def _signed(endpoint: Endpoint, credential: Credential, call: Call) -> Secret:
    """The query for this moment. In a frame of its own: no text of it outlives the call."""
    signed = sign(
        endpoint.host_header,
        endpoint.path,
        key=credential.api_key.reveal(),
        secret=credential.api_secret.reveal(),
        date=date_of(time.time()),
    )
    call.conceal(*signed)
    return signed.query


def _pieces(
    messages: Sequence[bytes], ws: WebSocket, protocol: SparkProtocol, call: Call
) -> list[Delta | Finish]:
    """The pieces in what came next; frames without text have none.

    A failure is left in the protocol, to be raised where no frame holds the messages: they may
    repeat what they answer, signature and all.
    """
    if not messages:
        protocol.closed(ws.close_code, ws.close_reason)
    pieces = protocol.receive(messages)
    if protocol.warnings or protocol.sid != call.answer.request_id:
        _report(protocol, call)
    if protocol.done:
        ws.close()
    return pieces


def _refused(scrub: Callable[[str], str], refusal: Refusal) -> ProxyLLMError:
    return refused(refusal, now=time.time(), scrub=scrub)


def _report(protocol: SparkProtocol, call: Call) -> None:
    call.note(request_id=protocol.sid or None)
    while protocol.warnings:
        call.note(warning=protocol.warnings.pop(0))
