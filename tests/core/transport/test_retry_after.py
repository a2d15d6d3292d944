"""The Retry-After header, right and wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.transport import parse_retry_after
from modelplug.transport.retry_after import stated_wait

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)

GOOD = {
    "0": 0.0,
    "120": 120.0,
    " 7\t": 7.0,
    "1.5": 1.5,
    "3.": 3.0,
    "86400": 86400.0,
    "Sun, 06 Nov 1994 08:49:37 GMT": 30.0,
    "Sunday, 06-Nov-94 08:49:37 GMT": 30.0,
    "Sun Nov  6 08:49:37 1994": 30.0,
    "Sun, 06 Nov 1994 09:49:37 +0100": 30.0,
    "Sun, 06 Nov 1994 08:49:07 GMT": 0.0,
}

SENSELESS = [
    None,
    "",
    " ",
    "soon",
    "-1",
    "+1",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1e3",
    "1_000",
    "0x10",
    "1,5",
    ".5",
    "\uff11\uff12",
    "1 2",
    "120\r\nX: y",
    "86400.5",
    "99999999999999999999",
    "9" * 5000,
    "Sun, 06 Nov 1994 08:48:37 GMT",
    "Tue, 08 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 0000 08:49:37 GMT",
    "Sun, 06 Nov 99999 08:49:37 GMT",
    "Sun, 06 Nov 9999999999 08:49:37 GMT",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 25:61:61 GMT",
    "Sun, 06 Nov 1994 08:49:37 +9999999999",
    "1994-11-06T08:49:37Z",
]


@pytest.mark.parametrize("value", GOOD)
def test_seconds_and_dates_are_understood(value: str) -> None:
    """Seconds as a number, or the three forms of an HTTP date, counted from now."""
    assert parse_retry_after(value, now=NOW) == GOOD[value]


@pytest.mark.parametrize("value", SENSELESS, ids=lambda value: repr(value)[:40])
def test_what_makes_no_sense_is_none(value: str | None) -> None:
    """Garbage, the past, and more than a day are no advice."""
    assert parse_retry_after(value, now=NOW) is None


def test_now_may_have_any_zone_or_none() -> None:
    """The moment counts, not how it is written; without a zone it is UTC."""
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    elsewhere = NOW.astimezone(timezone(timedelta(hours=8)))
    assert parse_retry_after(date, now=elsewhere) == 30.0
    assert parse_retry_after(date, now=NOW.replace(tzinfo=None)) == 30.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "2", "retry-after-ms": "1250"}, 1.25),
        ({"retry-after": "2", "x-ms-retry-after-ms": " 500 "}, 0.5),
        ({"retry-after": "2", "retry-after-ms": "-1"}, 2.0),
        ({"retry-after": "2", "retry-after-ms": "nan"}, 2.0),
        ({"retry-after": "2", "retry-after-ms": "86400001"}, 2.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after-ms": ""}, 30.0),
    ],
    ids=str,
)
def test_the_most_exact_header_counts(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds go before seconds, and what makes no sense before neither."""
    assert seconds == stated_wait(headers, now=NOW)


dates = st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-14))]))
digits = st.text(alphabet="0123456789.,:-+eE GMTNovSunaif/\t\r\n")


@given(
    value=st.one_of(st.text(), digits, dates.map(lambda d: d.strftime("%a, %d %b %Y %H:%M:%S %z"))),
    now=dates,
)
def test_any_text_gives_a_sane_number_or_none(value: str, now: datetime) -> None:
    """Whatever the header holds, and whatever the clock says, nothing is raised."""
    seconds = parse_retry_after(value, now=now)
    assert seconds is None or 0 <= seconds <= 86_400
