"""How long a server says to wait: Retry-After (RFC 9110, section 10.2.3) and its relatives.

Servers get it wrong in many ways. ``retry-after-ms`` is what OpenAI and Azure send besides, and
what the ``openai`` package reads first (its ``_base_client.py``); Azure's gateway spells it
``x-ms-retry-after-ms``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["WAIT_HEADERS", "parse_retry_after", "stated_wait"]

_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")

WAIT_HEADERS = (*_MILLISECONDS, "retry-after")
"""The headers that tell how long to wait, the most exact first."""

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


def stated_wait(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds to wait by the first of ``WAIT_HEADERS`` that makes sense. Never raises.

    Args:
        headers: names in lower case.
        now: what an HTTP date is counted from.
    """
    for name in _MILLISECONDS:
        text = headers.get(name, "").strip(" \t")
        if _SECONDS.fullmatch(text) and (wait := float(text) / 1000) <= _DAY:
            return wait
    return parse_retry_after(headers.get("retry-after"), now=now)


def _seconds_until(date: str, now: datetime) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date)
        return (_aware(moment) - _aware(now)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None  # what email.utils makes of odd dates, in one Python or another


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
