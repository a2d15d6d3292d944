"""What happens to calls, told as frozen values to whoever asked to be told.

An observer is any callable that takes an event. It is called on the thread that serves the
call, in order, and should be quick. What it raises is logged, by the name of its class, and
costs the call nothing. No event holds the content of a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from modelplug.delta import FinishReason, Usage
from modelplug.errors import ProxyLLMError

__all__ = [
    "AttemptFailed",
    "CallAbandoned",
    "CallFailed",
    "CallFinished",
    "CallStarted",
    "Event",
    "FirstDelta",
    "Observer",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallStarted:
    """A call begins.

    Attributes:
        backend, model: which were asked.
        request_id: the caller's name for the call.
    """

    backend: str | None
    model: str | None
    request_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptFailed(CallStarted):
    """An attempt failed, after ``seconds``, and a policy makes another one."""

    seconds: float
    error: ProxyLLMError


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstDelta(CallStarted):
    """The answer begins, ``seconds`` after the call did."""

    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CallFinished(CallStarted):
    """The answer is complete, ``seconds`` after the call began, in ``deltas`` pieces."""

    seconds: float
    deltas: int
    finish_reason: FinishReason
    usage: Usage | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CallFailed(CallStarted):
    """The call failed; what came before is in ``error.partial``."""

    seconds: float
    deltas: int
    error: ProxyLLMError


@dataclass(frozen=True, kw_only=True, slots=True)
class CallAbandoned(CallStarted):
    """The caller closed or cancelled the call before its end."""

    seconds: float
    deltas: int


Event: TypeAlias = (
    CallStarted | AttemptFailed | FirstDelta | CallFinished | CallFailed | CallAbandoned
)
"""Whatever an observer is told."""


class Observer(Protocol):
    """Whoever wants to be told of calls; what it raises is logged, see the module."""

    def __call__(self, event: Event, /) -> None:
        """Take note of ``event``."""
        ...  # pragma: no cover
