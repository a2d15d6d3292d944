"""What a provider yields: the pieces of an answer, and why it ended and what it cost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Delta",
    "DeltaStream",
    "Finish",
    "FinishReason",
    "Pieces",
    "ToolCall",
    "ToolCallDelta",
    "Usage",
]

FinishReason: TypeAlias = Literal["stop", "length", "content_filter", "tool_calls", "other"]
"""Why an answer ended: it was done, too long, refused, wants tools called, or none of these."""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of one tool call: ``id`` and ``name`` come once, ``arguments`` in pieces of JSON."""

    index: int
    _: KW_ONLY
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool call put together from its pieces; ``arguments`` is JSON text as it came."""

    index: int = 0
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(slots=True)
class Delta:
    """One piece of an answer. On the hot path, so not frozen: read-only in spirit.

    Attributes:
        text: the next piece of the answer, never the text so far.
        reasoning: the next piece of the model's thinking.
        tool_call: a piece of a tool call.
        sources: web pages and the like that the answer rests on.
        extra: whatever else the service sent with this piece.
    """

    text: str = ""
    _: KW_ONLY
    reasoning: str = ""
    tool_call: ToolCallDelta | None = None
    sources: Sequence[Mapping[str, object]] = ()
    extra: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens that the call cost, as the service counts them.

    Attributes:
        prompt_tokens, completion_tokens: what went in and what came out.
        total_tokens: what is billed; the sum of the two where a provider gives none.
        reasoning_tokens: how many of ``completion_tokens`` were thinking.
        cached_tokens: how many of ``prompt_tokens`` came from a cache.
        raw: the service's own record.
        source: ``reported`` by the service, or ``estimated``.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    raw: Mapping[str, object] | None = None
    source: Literal["reported", "estimated"] = "reported"

    def __post_init__(self) -> None:
        if self.total_tokens is None:
            object.__setattr__(self, "total_tokens", self.prompt_tokens + self.completion_tokens)


@dataclass(frozen=True, slots=True)
class Finish:
    """The terminal sign of an answer: a provider yields exactly one, last.

    Attributes:
        reason: why the answer ended.
        raw: the service's own word for it.
        usage: what the call cost; None when the service didn't say.
        extra: whatever else came with the end.
    """

    reason: FinishReason = "stop"
    _: KW_ONLY
    raw: str | None = None
    usage: Usage | None = None
    extra: Mapping[str, object] | None = None


Pieces: TypeAlias = Delta | Finish | Sequence[Delta | Finish]
"""What a provider may yield: one piece, or a list of those that are at hand."""

DeltaStream: TypeAlias = AsyncIterator[Pieces]
"""What ``stream_deltas`` is: an async generator of pieces."""
