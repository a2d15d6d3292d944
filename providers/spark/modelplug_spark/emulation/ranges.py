"""The ranges of a question's parameters (section 3.2 of the protocol notes).

Values out of range are the engine's to refuse, not the platform's (section 5.1, R); whether they
are refused or clamped is open (section 11.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from modelplug_spark.frames import Chat, Request
from modelplug_spark.sparkmodel import Range, SparkModel

__all__ = ["clamped", "outside"]

_STEP = 0.01
"""Above a bound that is itself outside: the nearest value is nowhere documented, invented."""


def outside(request: Request, model: SparkModel) -> Iterator[tuple[str, float, Range]]:
    """Each parameter that is out of its range: name, value, range."""
    for name, value, allowed in _told(request.parameter.chat, model):
        if isinstance(value, int | float) and allowed is not None and value not in allowed:
            yield name, value, allowed


def clamped(request: Request, model: SparkModel) -> Request:
    """The same request with the nearest values that are allowed."""
    nearest = {name: _nearest(value, allowed) for name, value, allowed in outside(request, model)}
    chat = replace(request.parameter.chat, **nearest)
    return replace(request, parameter=replace(request.parameter, chat=chat))


def _told(chat: Chat, model: SparkModel) -> tuple[tuple[str, object, Range | None], ...]:
    return (
        ("temperature", chat.temperature, model.temperature),
        ("top_k", chat.top_k, model.top_k),
        ("top_p", chat.top_p, model.top_p),
        ("max_tokens", chat.max_tokens, model.max_tokens),
        ("presence_penalty", chat.presence_penalty, model.presence_penalty),
        ("frequency_penalty", chat.frequency_penalty, model.frequency_penalty),
    )


def _nearest(value: float, allowed: Range) -> float:
    low = allowed.low + _STEP if allowed.above_low else allowed.low
    return min(max(value, low), allowed.high)
