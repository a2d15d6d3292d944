"""The client: a WebSocket for each question, a JSON object for each message.

It asks ``{"model", "turns": [[who, text], ...], "settings"}``; the key is in the address. The
service answers with ``{"say"}``, then ``{"done", "tokens": [in, out]}``, or with ``{"error",
"message", "wait"}``; each message has the call's ``id``. Objects with other names in them are
for other clients.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any, Self
from urllib.parse import quote

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    Call,
    ConcurrencyLimitError,
    ContentFilterError,
    ContextLengthError,
    DecodeError,
    Delta,
    DeltaStream,
    Finish,
    FinishReason,
    ModelNotFoundError,
    ModelRequest,
    OverloadedError,
    PermissionDeniedError,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    RateLimitError,
    SchemaError,
    Secret,
    ServerError,
    TruncatedStreamError,
    UnsupportedOptionError,
    Usage,
)
from modelplug.transport import Endpoint
from modelplug.transport.websocket import Refusal, connect

ERRORS: Mapping[str, type[BackendError]] = {
    "stranger": AuthenticationError,
    "no-perch": PermissionDeniedError,
    "too-fast": RateLimitError,
    "too-many": ConcurrencyLimitError,
    "too-long": ContextLengthError,
    "nonsense": BadRequestError,
    "no-such-bird": ModelNotFoundError,
    "fell-off": ServerError,
    "asleep": OverloadedError,
}
"""The service's words for its failures; it may learn new ones."""

REASONS: Mapping[str, FinishReason] = {
    "said": "stop",
    "out-of-breath": "length",
    "hushed": "content_filter",
}
"""Its words for why an answer is over; it may learn new ones."""


class ParrotClient(ProxyLLMClient):
    """Asks the parrot."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """A client whose default model is the config string's, or the macaw.

        Raises:
            UnsupportedOptionError: a proxy is to be used, which ``transport`` has no way to.
        """
        if model_params.http_proxy:
            raise UnsupportedOptionError("the parrot is asked directly, without http_proxy")
        default = model_params.model or "macaw"
        others = [model for model in ("macaw", "budgie") if model != default]
        return cls([default, *others], 8192, executor=default_executor, params=model_params)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """One connection: the question, then what comes until the parrot is done."""
        endpoint = Endpoint.parse(
            str(self.params.proxy_api_base), allow_insecure=self.params.allow_insecure
        )
        query = Secret("key=" + quote(call.credential().api_key.reveal(), safe=""))
        question = asked(request)
        async with connect(endpoint, query=query, call=call, on_refusal=refused) as ws:
            ws.send(question)
            while messages := await ws.take():
                for message in messages:
                    piece = heard(decoded(message), call)
                    if isinstance(piece, Finish):
                        ws.close()  # before the last piece: nothing after it is asked for
                    if piece is not None:
                        yield piece
        raise TruncatedStreamError("the parrot fell silent before it was done")


def asked(request: ModelRequest) -> bytes:
    """The question as it goes out: what isn't set isn't in it."""
    settings = {"temperature": request.temperature, "max_tokens": request.max_new_tokens}
    turns = [message.to_common() for message in request.messages]
    question = {
        "model": request.model,
        "turns": [[turn["role"], turn["content"]] for turn in turns],
        "settings": {name: value for name, value in settings.items() if value is not None},
    }
    try:
        return json.dumps(question, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        pass  # what is raised outside has no part of the question in its context
    raise BadRequestError("a message has half a character, which can't be sent")


def decoded(message: bytes) -> Mapping[str, Any]:
    """A message as an object."""
    told: Any = None
    try:
        told = json.loads(message.decode())
    except ValueError:
        pass
    else:
        if isinstance(told, dict):
            return told
        raise SchemaError("a message of the parrot's is no object")
    raise DecodeError("a message of the parrot's is no JSON")


def heard(told: Mapping[str, Any], call: Call) -> Delta | Finish | None:
    """What a message says, if it says anything to us."""
    call.note(request_id=text(told, "id") or None)
    if "error" in told:
        raise failure(told)
    if "done" in told:
        reason = text(told, "done")
        return Finish(REASONS.get(reason, "other"), raw=reason, usage=usage(told.get("tokens")))
    said = text(told, "say")
    return Delta(said) if said else None


def text(told: Mapping[str, Any], name: str) -> str:
    """A text of a message; empty where there is none."""
    value = told.get(name, "")
    if isinstance(value, str) and not any("\ud800" <= each <= "\udfff" for each in value):
        return value
    raise SchemaError(f"in a message of the parrot's {name!r} is no text")


def usage(tokens: object) -> Usage | None:
    """What an answer cost; None where the parrot didn't say."""
    match tokens:
        case [int(asked), int(said)]:
            return Usage(prompt_tokens=asked, completion_tokens=said)
    return None


def failure(told: Mapping[str, Any]) -> ProxyLLMError:
    """The error that a message tells of."""
    code, said, wait = text(told, "error"), text(told, "message"), told.get("wait")
    error: BackendError
    if code == "rude":
        error = ContentFilterError(said, stage="input")
    else:
        error = ERRORS.get(code, BackendError)(said)
    error.complete(
        provider_code=code,
        provider_message=said,
        retry_after=wait if isinstance(wait, (int, float)) else None,
        hint="https://parrot.example/failures tells more",
    )
    return error


def refused(refusal: Refusal) -> ProxyLLMError:
    """The error that an answer to the handshake is: strangers don't get in."""
    if refusal.status == 401:
        error: BackendError = AuthenticationError("the key was refused", hint="check PARROT_KEY")
    else:
        passing = refusal.status == 429 or refusal.status >= 500
        error = BackendError(f"the door says {refusal.status}", retryable=passing)
    error.complete(
        provider_code=refusal.status,
        provider_message=refusal.message,
        retry_after=refusal.retry_after,
    )
    return error
