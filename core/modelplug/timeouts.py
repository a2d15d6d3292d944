"""The clocks of a call, as one frozen value."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace

__all__ = ["STANDARD", "Timeouts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """How long each phase of a call may last, in seconds; None switches a clock off.

    The clocks run only while the caller waits for the backend, so a slow consumer is never
    blamed; ``total`` alone counts all time, but is looked at only in such a wait. Keep-alives
    and pings are not progress: ``first_delta`` and ``idle`` end with a piece of the answer and
    with nothing else.

    Attributes:
        connect: name look-up, TCP and TLS.
        open: from the beginning of the look-up until the request has been sent.
        first_delta: from then until the first piece of the answer.
        idle: between two pieces of the answer.
        total: the whole call, all attempts together.
        queue: waiting for a local limit (policies).
    """

    connect: float | None = 5.0
    open: float | None = 10.0
    first_delta: float | None = 60.0
    idle: float | None = 30.0
    total: float | None = 600.0
    queue: float | None = 10.0

    def __post_init__(self) -> None:
        for name in _CLOCKS:
            seconds: object = getattr(self, name)
            if seconds is not None and not _can_be_limit(seconds):
                raise ValueError(f"Timeouts.{name}: seconds above 0, or None for no limit")

    def over(self, timeout: float | Timeouts | None) -> Timeouts:
        """What holds for one request: a number replaces ``total``, a Timeouts all of them."""
        if timeout is None:
            return self
        if isinstance(timeout, Timeouts):
            return timeout
        if type(timeout) is bool or not isinstance(timeout, (int, float)):
            raise ValueError(f"a timeout is seconds or Timeouts, not a {type(timeout).__name__}")
        return replace(self, total=float(timeout) if _can_be_limit(timeout) else timeout)


_CLOCKS = tuple(field.name for field in fields(Timeouts))


def _can_be_limit(seconds: object) -> bool:
    """Whether it is a number that a clock can count to."""
    # NaN fails this comparison too, infinity is what None is for, and True is no number.
    return (
        isinstance(seconds, (int, float))
        and type(seconds) is not bool
        and 0 < seconds <= sys.float_info.max
    )


STANDARD = Timeouts()
"""The clocks of a call for which nobody has set any."""
