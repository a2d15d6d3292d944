"""The signature in a Spark URL: HMAC-SHA256 over host, date and request line.

Documented in D-Auth and D-SpeechAuth (section 2.1 of the protocol notes). Pure: whoever signs
says what time it is. The service computes the same ``signature`` and compares.
"""

from __future__ import annotations

import hmac
import math
from binascii import b2a_base64
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote_plus

from modelplug import Secret

__all__ = ["TOLERANCE", "Signed", "date_of", "seconds_of", "sign", "signature", "signed_text"]

TOLERANCE = 300
"""Seconds by which a request's date may differ from the gateway's clock (D-Auth, D-SpeechAuth)."""


def date_of(seconds: float) -> str:
    """Seconds since the epoch as RFC 1123 has it, in English and in GMT (D-Auth; step 1).

    The second that has begun, of times before the epoch too.
    """
    return _date_of(math.floor(seconds))


# All requests of a second have one date: this and ``_told`` were two fifths of what signing costs.
@lru_cache(maxsize=8)
def _date_of(second: int) -> str:
    return formatdate(second, usegmt=True)


def seconds_of(date: str) -> float | None:
    """The other way round; None for what is no date. ``UTC`` is as good as ``GMT`` (L-soa99)."""
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def signed_text(host: str, path: str, date: str) -> str:
    """What is signed: three lines, the last without a line break (D-Auth; section 2.1 step 2).

    Args:
        host: as it is sent in the query, with its port where that isn't the scheme's own.
        path: the URL's path without the query.
        date: as it is sent in the query.
    """
    return f"host: {host}\ndate: {date}\nGET {path} HTTP/1.1"


def signature(text: str, secret: str) -> str:
    """Base64 of the HMAC-SHA256 of ``text``, always 44 characters (D-SpeechAuth; step 3).

    The secret is used as it stands, not decoded from base64.
    """
    return _base64(hmac.digest(secret.encode(), text.encode(), "sha256"))


class Signed(NamedTuple):
    """A query, and what stands in it: all as secret as the key and the secret that made it.

    Attributes:
        query: what authenticates a request, without the question mark (D-Auth; steps 4, 5).
        authorization: the key in plain base64, so a server that repeats it gives the key away.
        signature: see ``signature``.
    """

    query: Secret
    authorization: Secret
    signature: Secret


def sign(host: str, path: str, *, key: str, secret: str, date: str) -> Signed:
    """Sign a request; good for 300 seconds around ``date``.

    Args:
        host: as in ``signed_text``.
        path: the same.
        key: the console's APIKey.
        secret: the console's APISecret.
        date: as ``date_of`` writes it.
    """
    signed = signature(signed_text(host, path, date), secret)
    authorization = (
        f'api_key="{key}", algorithm="hmac-sha256", headers="host date request-line", '
        f'signature="{signed}"'
    )
    encoded = _base64(authorization.encode())
    # These are all that base64 has of what needs it; quote would look at each character.
    quoted = encoded.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    query = f"authorization={quoted}&{_told(host, date)}"
    return Signed(Secret(query), Secret(encoded), Secret(signed))


@lru_cache(maxsize=8)  # as a date: nothing in it is secret
def _told(host: str, date: str) -> str:
    """The open part of a query."""
    return f"date={quote_plus(date)}&host={quote_plus(host)}"


def _base64(said: bytes) -> str:
    return b2a_base64(said, newline=False).decode()
