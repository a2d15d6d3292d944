"""Whatever a Retry-After header says, it is a time that anybody would wait, or none.

An input is a line with when it is now, in seconds since the epoch, and then the header.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from random import Random

from modelplug.transport import parse_retry_after
from modelplug.transport.handshake import Answer

__all__ = ["check", "mutate"]

_DAY = 86_400

_PIECES = (
    *("0", "1", "-1", "+1", "86400", "86401", "1e3", ".5", "3.", "nan", "inf", "-inf", "0x10"),
    *("9" * 400, "\u0664", "\u00b2", "1_0", " ", "\t", "\x00", ",", ";", "\n", "\u2028"),
    *(
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ),
    *(
        "GMT",
        "+0100",
        "-9999",
        "+99999999",
        "EST",
        "Feb 30",
        "24:00:00",
        "23:59:60",
        "0000",
        "99999",
    ),
)
"""Numbers, dates of the three forms of RFC 9110, and what breaks them."""


def mutate(data: bytes, random: Random) -> bytes:
    """The input with pieces put in, taken out or doubled."""
    text = data.decode(errors="surrogateescape")
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 0, 1, 4)))
        text = text[:start] + random.choice((*_PIECES, text[start:end] * 2)) + text[end:]
    return text.encode(errors="surrogatepass")


def check(data: bytes) -> None:
    """Fail if it raises, or gives anything but None or seconds of at most a day."""
    first, _, value = data.decode(errors="surrogateescape").partition("\n")
    now = 784_111_747 + (int(first) if re.fullmatch("-?[0-9]{1,9}", first, re.ASCII) else 0)
    moment = datetime.fromtimestamp(now, UTC)
    for each in (moment, moment.replace(tzinfo=None)):
        check_seconds(parse_retry_after(value, now=each), value)
    check_header(value)


def check_seconds(seconds: float | None, value: str) -> None:
    """A plain number is what it says; all else is within its bounds."""
    assert seconds is None or (type(seconds) is float and 0 <= seconds <= _DAY), seconds
    if re.fullmatch("[0-9]{1,5}", value, re.ASCII) and int(value) <= _DAY:
        assert seconds == int(value), "it isn't what the header says"


def check_header(value: str) -> None:
    """The same as it comes over the wire."""
    answer = Answer()
    head = f"HTTP/1.1 503 No\r\nRetry-After: {value}\r\n\r\n"
    answer.feed(head.encode(errors="replace"))
    refusal = answer.refusal(str)
    assert refusal is not None
    check_seconds(refusal.retry_after, "")
