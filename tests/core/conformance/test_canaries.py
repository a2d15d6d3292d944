"""The forms in which a secret is found, and the places where it is looked for."""

from __future__ import annotations

import logging
import os
import sys
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote_plus, urlencode

import pytest

from modelplug.conformance.canaries import error_texts, forms, on_wire, printed, recorded
from modelplug.conformance.harness import Account
from modelplug.testing.exchange import Exchange

KEY = Account().api_key


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_base64_is_found_wherever_it_begins(before: int, after: int, encode: object) -> None:
    """As part of a longer text, which moves its bits."""
    assert callable(encode)
    text = encode(b"x" * before + KEY.encode() + b"y" * after).decode()
    assert any(form in text for form in forms(KEY))
    assert any(form in quote_plus(text) for form in forms(KEY))


@pytest.mark.parametrize(
    "text",
    [KEY, quote_plus(KEY), KEY.encode().hex(), urlencode({"k": KEY})],
    ids=["raw", "quoted", "hexadecimal", "in-a-query"],
)
def test_other_forms_are_found(text: str) -> None:
    """As it is, in URLs, in hexadecimals."""
    assert any(form in text for form in forms(KEY))


def test_another_secret_is_not_found() -> None:
    """Two accounts have nothing in common that would be taken for either."""
    other = Account().api_key
    assert not [form for form in forms(KEY) for text in forms(other) if form in text]


def test_errors_are_read_with_their_causes_and_notes() -> None:
    """A round of causes ends."""
    error, cause = ValueError("outer"), KeyError(KEY)
    error.__cause__, cause.__context__ = cause, error
    error.add_note("a note")
    places = error_texts(error)
    assert [place for place, text in places.items() if "a note" in text and "notes" in place]
    assert KEY in places["the text of KeyError"]


def test_records_are_kept_of_loggers_that_pass_nothing_on() -> None:
    """With their level and name; the kit's own service isn't heard."""
    aloof = logging.getLogger("modelplug-aloof")
    aloof.propagate = False
    with recorded(logging.INFO) as records:
        aloof.warning("a key: %s", KEY)
    (place,) = records.texts
    assert "WARNING" in place
    assert KEY in records.texts[place]


def test_what_is_printed_is_collected() -> None:
    """By Python, and past it."""
    with printed() as told:
        sys.stdout.write("one ")
        os.write(2, b"two")
    assert told.text == "one two"


def test_requests_are_read_through_their_encodings() -> None:
    """What stands in base64 in a query is read."""
    signed = b64encode(f'api_key="{KEY}"'.encode()).decode()
    exchange = Exchange(target=f"/chat?{urlencode({'authorization': signed})}")
    assert KEY in on_wire([exchange])
