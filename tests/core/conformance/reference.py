"""A provider that does everything right, over a WebSocket in plain JSON; mutants break it.

The client asks ``{"model", "messages", "params", "tools"}``; the service answers with
``{"text"}``, ``{"think"}``, ``{"tool"}``, ``{"sources"}``, ``{"done", "usage"}`` and
``{"error", "message", "retry_after"}``, an object a message, each with the session's ``id``.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import parse_qsl

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    Call,
    Capabilities,
    ContentFilterError,
    DecodeError,
    Delta,
    Finish,
    ModelRequest,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    SchemaError,
    Secret,
    ToolCallDelta,
    TruncatedStreamError,
    UnsupportedOptionError,
    Usage,
)
from modelplug.conformance import Account, Asked, Harness
from modelplug.delta import FinishReason
from modelplug.testing import Fail, RawRequest, Status
from modelplug.testing.scripted import failure
from modelplug.transport import Endpoint
from modelplug.transport.handshake import Refusal
from modelplug.transport.websocket import WebSocket, connect
from tests.core.conformance.plugin import CAPABILITIES

SENT = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "max_new_tokens",
    "stop",
    "response_format",
)

REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
}


def seconds() -> float:
    """The client's clock."""
    return time.time()


class ReferenceClient(ProxyLLMClient):
    """Does everything right."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """One model, and a larger one; no proxy."""
        if model_params.http_proxy:
            raise UnsupportedOptionError("the reference connects directly, without http_proxy")
        model = model_params.model or "small"
        names = [model, *(name for name in ("small", "large") if name != model)]
        return cls(names, executor=default_executor, params=model_params, context_length=4096)

    def capabilities(self, model: str | None = None) -> Capabilities:
        """All but a few."""
        return CAPABILITIES

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Ask, and pass on what comes."""
        endpoint = Endpoint.parse(str(self.params.proxy_api_base), allow_insecure=False)
        query = self.signed(call)
        question = self.encoded(self.payload(request))
        async with connect(endpoint, query=query, call=call, on_refusal=self.refused) as ws:
            ws.send(question)
            async for piece in self.pieces(ws, call):
                if isinstance(piece, Finish):
                    ws.close()  # now: nothing after the last piece is asked for
                yield piece

    def signed(self, call: Call) -> Secret:
        """Who asks, and when; the service takes it for five minutes."""
        return Secret(f"key={call.credential().api_key.reveal()}&at={seconds():.0f}")

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """What the messages say, until the service closes."""
        while messages := await ws.take():
            for message in messages:
                for piece in self.read(message, call):
                    yield piece
        raise TruncatedStreamError("the service closed before the end")

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The question."""
        params = {name: getattr(request, name) for name in SENT}
        return {
            "model": request.model,
            "messages": [message.to_common() for message in request.messages],
            "params": {name: value for name, value in params.items() if value is not None},
            "tools": [*(request.tools or ())],
        }

    @staticmethod
    def encoded(payload: Mapping[str, Any]) -> bytes:
        """The question as it goes out."""
        try:
            return json.dumps(payload, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            pass
        raise BadRequestError("a message has half a character", hint="see the reference")

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """What one message says."""
        try:
            told: Any = json.loads(message)
        except (ValueError, RecursionError):
            told = None
        if told is None:
            raise DecodeError("a message is no JSON")
        if not isinstance(told, dict):
            raise SchemaError("a message is no object")
        if "id" in told:
            call.note(request_id=str(told["id"]))
        if "error" in told:
            raise self.failure(told)
        return self.said(told)

    def said(self, told: Mapping[str, Any]) -> list[Delta | Finish]:
        """Deltas, or the end."""
        if "done" in told:
            return [self.finish(told["done"], told.get("usage"))]
        if "tool" in told:
            return [Delta(tool_call=ToolCallDelta(**told["tool"]))]
        text, think = told.get("text", ""), told.get("think", "")
        if not isinstance(text, str) or not isinstance(think, str):
            raise SchemaError("a text is no text")
        text = self.whole(text)
        sources = told.get("sources", ())
        return [Delta(text, reasoning=think, sources=sources)] if text or think or sources else []

    @staticmethod
    def whole(text: str) -> str:
        """The text, if it is one."""
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise DecodeError("a text has half a character")
        return text

    @staticmethod
    def finish(done: object, counts: object) -> Finish:
        """The end, and what it cost."""
        if not isinstance(done, str):
            raise SchemaError("a reason is no text")
        try:
            usage = Usage(**counts) if isinstance(counts, dict) and counts else None
        except TypeError:
            usage = None  # an odd one must not cost the answer
        return Finish(REASONS.get(done, "other"), raw=done, usage=usage)

    def failure(self, told: Mapping[str, Any]) -> ProxyLLMError:
        """The error that a message tells of."""
        try:
            fail = Fail(told["error"])
        except ValueError:
            fail = Fail("unknown_code")
        said = str(told.get("message", ""))
        error: BackendError = failure(fail)
        if isinstance(error, ContentFilterError):
            error = ContentFilterError(said, stage=error.stage)
        else:
            error = type(error)(said)
        error.complete(
            provider_code=told["error"],
            provider_message=said,
            retry_after=told.get("retry_after"),
            hint="see the reference",
        )
        return error

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """Wrong keys are refused at the handshake, and so is anything else."""
        if refusal.status == 401:
            error: BackendError = AuthenticationError("the key was refused", hint="check it")
        else:
            passing = refusal.status == 429 or refusal.status >= 500
            error = BackendError(f"refused with {refusal.status}", retryable=passing)
        error.complete(provider_code=refusal.status, provider_message=refusal.message)
        return error


class Encoder:
    """Says things in JSON."""

    def __init__(self) -> None:
        self.id = "session-7"

    def _message(self, **told: object) -> list[bytes]:
        return [json.dumps({"id": self.id, **told}, ensure_ascii=False).encode()]

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """Text, thinking, a piece of a tool call, or sources."""
        if delta.tool_call is not None:
            call = delta.tool_call
            named = {"id": call.id, "name": call.name, "arguments": call.arguments}
            return self._message(tool={"index": call.index, **named})
        if delta.sources:
            return self._message(sources=[*map(dict, delta.sources)])
        return self._message(text=delta.text, think=delta.reasoning)

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """The reason, and what it cost."""
        usage = finish.usage
        counts = usage and {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        }
        return self._message(done=finish.raw or finish.reason, usage=counts)

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """The kind, as its code."""
        kind = "E999" if fail.kind == "unknown_code" else fail.kind
        more = {"retry_after": fail.retry_after} if fail.retry_after is not None else {}
        return self._message(error=kind, message=fail.message or f"so much for {kind}", **more)

    def noise(self) -> Sequence[bytes]:
        """Something new."""
        return self._message(novelty={"x": 1})


class Codec:
    """The service's way of saying and hearing things."""

    def encoder(self, request: RawRequest) -> Encoder:
        """One for each answer."""
        return Encoder()

    def refusal(self, fail: Fail) -> Status | None:
        """Wrong keys don't get in."""
        return Status(401, fail.message or "no") if fail.kind == "auth" else None

    def asked(self, request: RawRequest) -> Asked:
        """The question, which is nearly in the kit's words."""
        told = json.loads(request.body)
        try:
            return Asked(
                messages=[(each["role"], each["content"]) for each in told["messages"]],
                model=told["model"],
                params=told["params"],
                tools=[each["function"]["name"] for each in told["tools"]],
            )
        except (KeyError, TypeError) as odd:
            raise ValueError("this is no question") from odd

    def verify_auth(self, request: RawRequest, account: Account, now: float) -> str | None:
        """The key, and a time that is near enough."""
        query = dict(parse_qsl(request.query.replace("+", "%2B")))
        if query.get("key") != account.api_key:
            return "another key"
        at = query.get("at", "")
        in_time = at.isdecimal() and abs(int(at) - now) <= 300
        return None if in_time else "too late, or too early"


def params(url: str, account: Account) -> Mapping[str, object]:
    """Where the service is, and the key."""
    return {"api_base": f"{url}/chat", "api_key": account.api_key}


HARNESS = Harness(
    codec=Codec(),
    params=params,
    finish_reasons=REASONS,
    clock_moved=lambda ahead: patch(f"{__name__}.seconds", lambda: time.time() + ahead),
)


class SilentEncoder(Encoder):
    """Doesn't say why an answer ends."""

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """Done, for whatever reason."""
        return super().finish(Finish(usage=finish.usage))


class SilentCodec(Codec):
    """A service that has no finish reasons."""

    def encoder(self, request: RawRequest) -> Encoder:
        """One for each answer."""
        return SilentEncoder()


SILENT = replace(HARNESS, codec=SilentCodec(), finish_reasons={})
