"""The ranges of a question's parameters (section 3.2 of the protocol notes).

Values out of range are the engine's to refuse, not the platform's (section 5.1, R); whether they
are refused or clamped is open (section 11.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from modelplug_spark.frames import Chat, Request
from modelplug_spark.sparkmodel import Range, SparkModel

__all__ = ["clamped", "given", "outside"]

_NAMES = (
    "temperature",
    "top_k",
    "top_p",
    "max_tokens",
    "presence_penalty",
    "frequency_penalty",
)
"""Parameters that are numbers; a model's ranges bear the same names."""

_STEP = 0.01
"""Above a bound that is itself outside: the nearest value is nowhere documented, invented."""


def given(chat: Chat) -> dict[str, float]:
    """The parameters that a question has, by name."""
    told = {name: getattr(chat, name) for name in _NAMES}
    return {name: value for name, value in told.items() if isinstance(value, int | float)}


def outside(request: Request, model: SparkModel) -> Iterator[tuple[str, float, Range]]:
    """Each parameter that is out of its range: name, value, range."""
    for name, value in given(request.parameter.chat).items():
        allowed: Range | None = getattr(model, name)
        if allowed is not None and value not in allowed:
            yield name, value, allowed


def clamped(request: Request, model: SparkModel) -> Request:
    """The same request with the nearest values that are allowed."""
    nearest = {name: _nearest(value, allowed) for name, value, allowed in outside(request, model)}
    chat = replace(request.parameter.chat, **nearest)
    return replace(request, parameter=replace(request.parameter, chat=chat))


def _nearest(value: float, allowed: Range) -> float:
    low = allowed.low + _STEP if allowed.above_low else allowed.low
    return min(max(value, low), allowed.high)
