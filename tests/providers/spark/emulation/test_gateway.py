"""The gateway: every way of signing that works in practice, and each refusal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.gateway import CHECKS, Account, Refused, Upgrade, refusal
from modelplug_spark.emulation.settings import EmulatorSettings

NOW = 1_795_255_200.0
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"
ACCOUNT = Account(app_id="12345678", api_key="key" * 8, api_secret="secret" * 4)
PATH = "/v3.5/chat"
HOST = "127.0.0.1:8080"


def mac(secret: str = ACCOUNT.api_secret, *, host: str = HOST, date: str = DATE) -> str:
    """A signature, made without the product's code."""
    text = f"host: {host}\ndate: {date}\nGET {PATH} HTTP/1.1"
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def authorization(
    signature: str,
    *,
    key: str = ACCOUNT.api_key,
    template: str = 'api_key="{key}", algorithm="hmac-sha256", '
    'headers="host date request-line", signature="{signature}"',
) -> str:
    """The base64 of an authorization text."""
    return base64.b64encode(template.format(key=key, signature=signature).encode()).decode()


def query(
    signed: str | None = None,
    *,
    date: str = DATE,
    host: str = HOST,
    escape: Callable[[str], str] = quote_plus,
) -> str:
    """A query as most clients write it."""
    signed = authorization(mac(host=host, date=date)) if signed is None else signed
    return f"authorization={escape(signed)}&date={quote_plus(date)}&host={quote_plus(host)}"


def answer(asked: str, *, path: str = PATH, host: str = HOST, **settings: Any) -> Refused | None:
    """What the gateway says to a query."""
    upgrade = Upgrade(
        path=path,
        query=asked,
        host_header=host,
        now=NOW,
        account=ACCOUNT,
        settings=EmulatorSettings(**settings),
    )
    return refusal(upgrade)


SIGNED = 'headers="host date request-line", signature="{signature}"'
KONG = f'hmac username="{{key}}", algorithm="hmac-sha256", {SIGNED}'
BLANKS = f'api_key="{{key}}", algorithm="hmac-sha256",         {SIGNED}'
DENSE = f'api_key="{{key}}",algorithm="hmac-sha256",{SIGNED}'.replace(", ", ",")

UTC = DATE.replace("GMT", "UTC")

ACCEPTED = {
    "documented": query(),
    "one-api": query(authorization(mac(), template=KONG)),
    "spark-ai-python": query(authorization(mac(), template=BLANKS)),
    "sparkdesk-api": query(authorization(mac(date=UTC), template=DENSE), date=UTC),
    "java sdk": query(date=UTC, host="127.0.0.1"),
    "langchain js": query(host="spark-api.xf-yun.com", escape=lambda text: text),
    "percent blanks": query().replace("+", "%20"),
    "java order": "&".join(query().split("&")[::-1]),
    "escaped all": query(escape=lambda text: quote(text, safe="")),
    "five minutes ago": query(date="Sat, 21 Nov 2026 09:55:00 GMT"),
    "in five minutes": query(date="Sat, 21 Nov 2026 10:05:00 GMT"),
    "another parameter": query() + "&x=1",
}


@pytest.mark.parametrize("asked", ACCEPTED.values(), ids=ACCEPTED)
def test_a_way_of_signing_that_works_in_practice_is_let_in(asked: str) -> None:
    """Section 2.1: all of these clients are in use."""
    assert answer(asked) is None


def test_a_query_without_a_host_is_signed_for_the_header() -> None:
    """The Host header stands in."""
    assert answer(query().rpartition("&")[0]) is None


HMAC = "HMAC signature cannot be verified"
CLOCK = f"{HMAC}, a valid date or x-date header is required for HMAC Authentication"
NO_HOST = f"{HMAC}:enforced header 'host' not used for signature creation"


def without(name: str) -> str:
    """An authorization that lacks one of its fields."""
    template = 'api_key="{key}", algorithm="hmac-sha256", headers="host date request-line", '
    whole = template + 'signature="{signature}"'
    return authorization(mac(), template=re.sub(rf'{name}="[^"]*"(, )?', "", whole))


COVERING = 'api_key="{key}", algorithm="hmac-sha256", headers="%s", signature="{signature}"'

REFUSED = {
    "nothing": ("", 401, "Unauthorized"),
    "no authorization": (query().partition("&")[2], 401, "Unauthorized"),
    "empty authorization": (query(""), 401, "Unauthorized"),
    "no date": (f"authorization={authorization(mac())}&host={HOST}", 403, CLOCK),
    "odd date": (query(date="today"), 403, CLOCK),
    "slow clock": (query(date="Sat, 21 Nov 2026 09:54:59 GMT"), 403, CLOCK),
    "fast clock": (query(date="Sat, 21 Nov 2026 10:05:01 GMT"), 403, CLOCK),
    "no base64": (query("?"), 401, HMAC),
    "no text": (query(base64.b64encode(b"\xff").decode()), 401, HMAC),
    "no key": (query(without("api_key")), 401, HMAC),
    "no algorithm": (query(without("algorithm")), 401, HMAC),
    "no headers": (query(without("headers")), 401, HMAC),
    "no signature": (query(without("signature")), 401, HMAC),
    "other algorithm": (
        query(authorization(mac(), template=COVERING.replace("sha256", "sha1") % "host date")),
        401,
        HMAC,
    ),
    "no host covered": (
        query(authorization(mac(), template=COVERING % "date request-line")),
        401,
        NO_HOST,
    ),
    "no line covered": (
        query(authorization(mac(), template=COVERING % "host date")),
        401,
        NO_HOST.replace("host", "request-line"),
    ),
    "unknown key": (
        query(authorization(mac(), key="other")),
        401,
        f"{HMAC}: fail to retrieve credential",
    ),
    "wrong secret": (query(authorization(mac("other"))), 401, "HMAC signature does not match"),
    "other date": (
        query(authorization(mac(date=UTC))),
        401,
        "HMAC signature does not match",
    ),
    "other host": (
        query(authorization(mac(host="x"))),
        401,
        "HMAC signature does not match",
    ),
}


@pytest.mark.parametrize(("asked", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_has_the_gateways_status_and_text(asked: str, status: int, message: str) -> None:
    """Section 2.2, to the letter."""
    assert Refused(status, message) == answer(asked)


def test_a_signature_holds_for_its_path_only() -> None:
    """The request line is signed."""
    expected = Refused(401, "HMAC signature does not match")
    assert expected == answer(query(), path="/v1.1/chat")


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (f"date={quote_plus('today')}", "Unauthorized"),
        (query("?", date="today"), CLOCK),
        (query(authorization("x", key="other", template=COVERING % "")), NO_HOST),
        (query(authorization("x", key="other")), f"{HMAC}: fail to retrieve credential"),
    ],
    ids=["authorization, date", "date, base64", "headers, key", "key, signature"],
)
def test_the_first_of_several_faults_is_told(asked: str, refused: str) -> None:
    """Kong's order: authorization, date, form, credential, signature."""
    told = answer(asked)
    assert told is not None
    assert refused == told.message


@pytest.mark.parametrize(("host", "admitted"), [("127.0.0.1:9", True), ("localhost:8080", False)])
def test_a_strict_gateway_compares_the_hosts(host: str, admitted: bool) -> None:
    """By name, not by port."""
    assert admitted is (answer(query(), host=host, strict_host=True) is None)


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        (query("?", date="today"), 401, HMAC),
        (query(authorization("x", key="other"), date="today"), 401, f"{HMAC}: fail to retrieve"),
        (query(date="Sat, 21 Nov 2026 09:54:59 GMT"), 403, CLOCK),
        (f"authorization={authorization(mac(date=''))}&host={quote_plus(HOST)}", 403, CLOCK),
    ],
    ids=["base64", "key", "clock", "no date"],
)
def test_the_clock_may_be_looked_at_last(asked: str, status: int, message: str) -> None:
    """After the credentials, by a setting: the real order is not known."""
    told = answer(asked, date_first=False)
    assert told is not None
    assert (status, True) == (told.status, told.message.startswith(message))
    assert answer(query(), date_first=False) is None


def test_a_wrong_signature_may_have_kongs_status() -> None:
    """403, by a setting; an unknown key stays 401."""
    told = answer(query(authorization(mac("other"))), mismatch_status=403)
    assert told == Refused(403, "HMAC signature does not match")
    unknown = answer(query(authorization(mac(), key="other")), mismatch_status=403)
    assert unknown is not None
    assert unknown.status == 401


@given(st.text(), st.text())
def test_any_query_has_an_answer(path: str, asked: str) -> None:
    """And no stranger is let in."""
    assert isinstance(answer(asked, path=path), Refused)


@given(st.binary())
def test_any_authorization_has_an_answer(text: bytes) -> None:
    """Whatever the base64 holds."""
    assert isinstance(answer(query(base64.b64encode(text).decode())), Refused)


def test_an_account_keeps_its_secrets_to_itself() -> None:
    """In logs and tracebacks there is the app's name only."""
    assert repr(ACCOUNT) == "Account(app_id='12345678')"


def test_every_check_is_in_the_order() -> None:
    """The six rows of section 2.2 that the gateway decides, and the strict one."""
    assert len(set(CHECKS)) == 7
