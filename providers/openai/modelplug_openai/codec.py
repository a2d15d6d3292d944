"""The wire's words for the steps of a script: what ``modelplug.testing`` needs to play one.

It shares the shapes of chunks with the service, and so with the client; that those are right is
shown by golden transcripts and by foreign servers.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import msgspec

from modelplug import Delta, Finish, ToolCallDelta, Usage
from modelplug.testing import Fail, FailKind, RawRequest, Status
from modelplug_openai.chunks import Choice, Chunk, FunctionPiece, Piece, ToolPiece, encode_chunk

__all__ = [
    "DONE",
    "FAILURES",
    "Failure",
    "OpenAICodec",
    "OpenAIEncoder",
    "counts",
    "error_body",
    "id_of",
]

DONE = b"[DONE]"

_NULL: Any = msgspec.Raw(b"null")
"""For a null that is told: a None is left out."""

_ENDS = {"other": "stop"}
"""The service has no word for an end that is none of the others."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in the service's words (https://platform.openai.com/docs/guides/error-codes)."""

    status: int
    code: str | None
    type: str
    message: str
    _: KW_ONLY
    param: str | None = None


_INVALID = "invalid_request_error"

FAILURES: Mapping[FailKind, Failure] = {
    "auth": Failure(401, "invalid_api_key", _INVALID, "Incorrect API key provided."),
    "permission": Failure(
        403,
        "unsupported_country_region_territory",
        "request_forbidden",
        "Country, region, or territory not supported",
    ),
    "quota": Failure(
        429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."
    ),
    "rate_limit": Failure(429, "rate_limit_exceeded", "requests", "Rate limit reached."),
    "context_length": Failure(
        400,
        "context_length_exceeded",
        _INVALID,
        "This model's maximum context length is exceeded.",
        param="messages",
    ),
    "content_filter_input": Failure(
        400, "content_policy_violation", _INVALID, "The question may not be answered."
    ),
    "bad_request": Failure(400, None, _INVALID, "A value in the request is invalid."),
    "unknown_model": Failure(404, "model_not_found", _INVALID, "The model does not exist."),
    "server": Failure(500, None, "server_error", "The server had an error."),
    "overloaded": Failure(503, "server_is_overloaded", "server_error", "Overloaded."),
    "unknown_code": Failure(418, "unheard_of", "unheard_of_error", "Unheard of."),
}
"""Failures as a status with a body, or amid a stream as a chunk that has the same body.

There is none for too many requests at once, and an answer that may not be shown is no failure:
it ends with the reason ``content_filter``."""


def error_body(failure: Failure, message: str = "") -> bytes:
    """The JSON of a failure; ``message`` in place of its usual text."""
    told = {
        "message": message or failure.message,
        "type": failure.type,
        "param": failure.param,
        "code": failure.code,
    }
    return msgspec.json.encode({"error": told})


def id_of(body: bytes, now: float) -> str:
    """The name of an answer: no secret of the request's can be read out of it."""
    digest = hashlib.sha256(body + repr(now).encode()).hexdigest()
    return f"chatcmpl-{digest[:24]}"


class OpenAICodec:
    """Says things as the service does.

    Args:
        now: seconds since the epoch, for the names of answers.
        unasked: whether it tells the usage in any case, as some services do.
    """

    def __init__(self, *, now: Callable[[], float] = time.time, unasked: bool = False) -> None:
        self._now = now
        self._unasked = unasked

    def encoder(self, request: RawRequest) -> OpenAIEncoder:
        """The encoder of one answer."""
        asked = _fields(request.body)
        options = asked.get("stream_options")
        wants = isinstance(options, Mapping) and bool(options.get("include_usage"))
        now = self._now()
        return OpenAIEncoder(
            name=id_of(request.body, now),
            model=str(asked.get("model", "")),
            created=int(now),
            # Where there is no question it says what it can say.
            tells_usage=wants or self._unasked or not asked,
        )

    def refusal(self, fail: Fail) -> Status | None:
        """A failure before the answer: a status, and the body that says which."""
        failure = FAILURES[fail.kind]
        headers = {"Content-Type": "application/json"}
        if fail.retry_after is not None:
            headers["Retry-After"] = f"{fail.retry_after:g}"
        return Status(failure.status, error_body(failure, fail.message).decode(), headers=headers)


class OpenAIEncoder:
    """The chunks of one answer (https://platform.openai.com/docs/api-reference/chat-streaming).

    Args:
        name: the answer's id.
        model: which answers.
        created: seconds since the epoch.
        tells_usage: whether it was asked for the usage.
        reasoning_field: how thinking is spelt.
    """

    def __init__(
        self,
        *,
        name: str,
        model: str,
        created: int,
        tells_usage: bool,
        reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content",
    ) -> None:
        self._name = name
        self._model = model
        self._created = created
        self._tells_usage = tells_usage
        self._reasoning_field = reasoning_field
        self._has_begun = False

    def role(self) -> Sequence[bytes]:
        """A chunk with the role, and null for the content."""
        self._has_begun = True
        return [self._chunk([_choice(Piece(content=_NULL, role="assistant"))])]

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """A chunk with a piece; the first has the role, too."""
        piece = Piece(content=delta.text or None)
        if not self._has_begun:
            self._has_begun, piece.role = True, "assistant"
        if delta.reasoning:
            setattr(piece, self._reasoning_field, delta.reasoning)
        if delta.tool_call is not None:
            piece.tool_calls = [_call(delta.tool_call)]
        if delta.sources:
            piece.annotations = [_citation(source) for source in delta.sources]
        return [self._chunk([_choice(piece)])]

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """The chunk with the reason, the one with the usage if it was asked for, and the end."""
        word = finish.raw or _ENDS.get(finish.reason, finish.reason)
        said = [self._chunk([Choice(index=0, delta=Piece(), finish_reason=word)])]
        if self._tells_usage and finish.usage is not None:
            said.append(self._chunk([], usage=counts(finish.usage)))
        return [*said, DONE]

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """A chunk that is an error."""
        return [error_body(FAILURES[fail.kind], fail.message)]

    def noise(self) -> Sequence[bytes]:
        """A chunk about nothing, as Azure's first one (without its filters)."""
        return [self._chunk([])]

    def _chunk(self, choices: list[Choice], usage: Mapping[str, object] | None = None) -> bytes:
        chunk = Chunk(
            choices=choices,
            id=self._name,
            kind="chat.completion.chunk",
            created=self._created,
            model=self._model,
            usage=usage,
        )
        return encode_chunk(chunk)


def _fields(body: bytes) -> Mapping[str, object]:
    try:
        asked: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return asked if isinstance(asked, Mapping) else {}


def _choice(piece: Piece) -> Choice:
    return Choice(index=0, delta=piece, finish_reason=_NULL)


def _call(piece: ToolCallDelta) -> ToolPiece:
    function = FunctionPiece(name=piece.name, arguments=piece.arguments)
    kind = "function" if piece.id else None
    return ToolPiece(index=piece.index, id=piece.id, type=kind, function=function)


def _citation(source: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": "url_citation", "url_citation": dict(source)}


def counts(usage: Usage) -> Mapping[str, object]:
    """The service's record of what an answer cost."""
    told: dict[str, object] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        told["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return told
