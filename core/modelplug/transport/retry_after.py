"""The Retry-After header (RFC 9110, section 10.2.3), which servers get wrong in many ways."""

from __future__ import annotations

import re
from datetime import UTC, datetime

__all__ = ["parse_retry_after"]

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?", re.ASCII)

_DAY = 86_400.0
"""Seconds; who says to wait longer has written milliseconds or means never."""


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait; None for what makes no sense. Never raises.

    Args:
        value: seconds, fractions allowed, or an HTTP date.
        now: what an HTTP date is counted from; UTC if it has no time zone.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    seconds = float(text) if _SECONDS.fullmatch(text) else _seconds_until(text, now)
    return seconds if seconds is not None and 0 <= seconds <= _DAY else None


def _seconds_until(date: str, now: datetime) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date)
        return (_aware(moment) - _aware(now)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None  # what email.utils makes of odd dates, in one Python or another


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
