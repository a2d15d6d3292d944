"""Signed URLs."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate
from urllib.parse import parse_qs, parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.signing import date_of, seconds_of, sign, signature, signed_text

HOST, PATH, DATE = "spark-api.xf-yun.com", "/v1.1/chat", "Fri, 05 May 2023 10:43:39 GMT"
KEY, SECRET = "addd2272b6d8b7c8abdd79531420ca3b", "MjlmNzkzNmZkMDQ2OTc0ZDdmNGE2ZTZi"


def test_a_vector_computed_by_hand_agrees() -> None:
    """The documentation's algorithm, spelled out with hmac, hashlib and base64 alone."""
    text = (
        b"host: spark-api.xf-yun.com\ndate: Fri, 05 May 2023 10:43:39 GMT\nGET /v1.1/chat HTTP/1.1"
    )
    mac = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
    plain = (
        f'api_key="{KEY}", algorithm="hmac-sha256", headers="host date request-line", '
        f'signature="{base64.b64encode(mac).decode()}"'
    )
    expected = {
        "authorization": [base64.b64encode(plain.encode()).decode()],
        "date": [DATE],
        "host": [HOST],
    }
    signed = sign(HOST, PATH, key=KEY, secret=SECRET, date=DATE)
    assert expected == parse_qs(signed.query.reveal())


def test_the_documentations_own_vector_agrees() -> None:
    """D-Auth prints this signature for this key, secret, host, path and date."""
    text = signed_text(HOST, PATH, DATE)
    assert signature(text, SECRET) == "z5gHdu3pxVV4ADMyk467wOWDQ9q6BQzR3nfMTjc/DaQ="


def test_a_query_is_url_encoded() -> None:
    """Blanks, colons and equals signs don't stand in it as they are."""
    query = sign(HOST, PATH, key=KEY, secret=SECRET, date=DATE).query.reveal()
    assert not set(query) & set(" :,")
    assert [name for name, _ in parse_qsl(query)] == ["authorization", "date", "host"]


def test_what_is_derived_from_a_secret_can_be_named() -> None:
    """The authorization and the signature are told apart, so that both can be concealed."""
    signed = sign(HOST, PATH, key=KEY, secret=SECRET, date=DATE)
    assert parse_qs(signed.query.reveal())["authorization"] == [signed.authorization.reveal()]
    assert signature(signed_text(HOST, PATH, DATE), SECRET) == signed.signature.reveal()
    assert signed.signature.reveal() in base64.b64decode(signed.authorization.reveal()).decode()


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=1)
)
def test_a_signature_is_44_characters_on_one_line(secret: str) -> None:
    """Whatever the secret, nothing in the query could end a line of the request."""
    signed = sign(HOST, PATH, key=KEY, secret=secret, date=DATE)
    assert len(signed.signature.reveal()) == 44
    assert signed.query.reveal().isascii()
    assert signed.query.reveal().isprintable()


def test_a_date_is_english_and_in_gmt() -> None:
    """RFC 1123, whatever this machine's language and zone."""
    assert date_of(1683283419) == DATE


@pytest.mark.parametrize("zone", ["GMT", "UTC", "+0000", "-0000"])
def test_a_date_is_read_in_any_spelling_of_its_zone(zone: str) -> None:
    """The Java SDK writes UTC for GMT."""
    assert seconds_of(DATE.replace("GMT", zone)) == 1683283419


@given(st.text() | st.from_regex(r"\w+, \d+ \w+ \d+ [0-9:]+ [A-Z+0-9-]+"))
def test_what_is_no_date_is_none(text: str) -> None:
    """No text makes the parser fail."""
    assert isinstance(seconds_of(text), float | None)


@given(st.integers(min_value=0, max_value=2**33))
def test_a_date_survives_writing_and_reading(seconds: int) -> None:
    """To the second."""
    assert seconds == seconds_of(date_of(seconds))


@given(
    st.integers(min_value=-(2**33), max_value=2**33), st.floats(0, 1, exclude_max=True, width=16)
)
def test_all_of_a_second_has_one_date(second: int, fraction: float) -> None:
    """That of its beginning, before the epoch too."""
    assert formatdate(second, usegmt=True) == date_of(second + fraction)
