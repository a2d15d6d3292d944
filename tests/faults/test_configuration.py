"""Rows 96 to 102: what is configured; what can't be used is refused before a key goes anywhere."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from modelplug import (
    ConfigSyntaxError,
    InvalidCredentialError,
    MissingCredentialError,
    ModelNotFoundError,
    ProxyLLMError,
    UnsafeEndpointError,
    UnsupportedOptionError,
    new_client,
)
from tests.faults.asking import Way, asked, every_way, making
from tests.faults.carriers import CARRIERS, REMOTE, Carrier, over
from tests.support.dists import install
from tests.support.spark import APP_ID, KEY, NOWHERE, SECRET, client_of

CONFIGS: dict[str, type[ProxyLLMError]] = {
    "": ConfigSyntaxError,
    ":model": ConfigSyntaxError,
    "{}?": ConfigSyntaxError,
    "{}?temperature": ConfigSyntaxError,
    "{}?temperature=0&temperature=1": ConfigSyntaxError,
    "{}?temperature=%zz": ConfigSyntaxError,
    "{} |": ConfigSyntaxError,
    "{}?no_such_option=1": UnsupportedOptionError,
    "{}?api_key=written-out-0123456789": InvalidCredentialError,
}


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(each, id=each, marks=pytest.mark.fault(96, subject=each))
        for each in ("spark", "echo")
    ],
)
@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_string_that_cant_be_read(backend: str, config: str) -> None:
    """It is refused when the client is made, by its column, and no secret of it is shown."""
    error = making(lambda: new_client(config.format(backend)))
    assert (type(error), error.retryable) == (CONFIGS[config], False)
    assert "written-out" not in f"{error!r} {vars(error)}"
    if isinstance(error, ConfigSyntaxError) and config:
        assert error.column is not None


@pytest.mark.fault(97)
@pytest.mark.parametrize("value", [None, "", "   ", "\n"])
@pytest.mark.parametrize("name", ["APPID", "API_KEY", "API_SECRET"])
def test_a_credential_that_is_missing(
    name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what is missing, and its variable, and no value of the others."""
    account = {"APPID": APP_ID, "API_KEY": KEY, "API_SECRET": SECRET}
    for each, given in account.items():
        monkeypatch.setenv(f"XUNFEI_SPARK_{each}", given)
    monkeypatch.delenv(f"XUNFEI_SPARK_{name}")
    if value is not None:
        monkeypatch.setenv(f"XUNFEI_SPARK_{name}", value)
    error = making(lambda: new_client("spark"))
    shown = f"{error} {error.hint}"
    assert (type(error), error.retryable) == (MissingCredentialError, False)
    assert {"APPID": "api_app_id"}.get(name, name.lower()) in shown
    assert f"set XUNFEI_SPARK_{name} too" in shown
    assert not any(given in shown for given in (KEY, SECRET))


@pytest.mark.fault(97)
def test_an_account_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing of it at all, the variables are named."""
    for name in ("APPID", "API_KEY", "API_SECRET"):
        monkeypatch.delenv(f"XUNFEI_SPARK_{name}", raising=False)
    hint = making(lambda: new_client("spark")).hint
    assert hint is not None
    assert "XUNFEI_SPARK_API_KEY" in hint


@pytest.mark.fault(97, subject="http")
@pytest.mark.parametrize("value", [None, "", "   ", "\n"])
def test_a_plugins_key_that_is_missing(
    value: str | None, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same of any backend that says what it needs: its variable is named."""
    source = "from tests.core.conformance.plugin import modelplug_backend"
    install(site, source=source, backends={"reference-sse": "made_up"})
    monkeypatch.setenv("REFERENCE_BASE", "http://127.0.0.1:1")
    monkeypatch.delenv("REFERENCE_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("REFERENCE_KEY", value)
    error = making(lambda: new_client("reference-sse"))
    assert (type(error), error.retryable) == (MissingCredentialError, False)
    assert "REFERENCE_KEY" in f"{error} {error.hint}"


BAD_KEYS = {
    98: ["a\rb", "a\nb", "a\r\nX: y", "a\0b", "a\x1bb", "a\tb", "a\x7fb"],
    99: ["schlüssel", "\ufeffabcdefgh", "abcd\u200befgh", "abcd\u00a0efgh", "密钥"],
}


FIELDS = (("spark", "api_key"), ("spark", "api_secret"), ("http", "proxy_api_key"))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(key, id=ascii(key), marks=pytest.mark.fault(row))
        for row, keys in BAD_KEYS.items()
        for key in keys
    ],
)
@pytest.mark.parametrize(
    ("carrier", "field"),
    [pytest.param(CARRIERS[name], field, id=f"{name} {field}") for name, field in FIELDS],
)
def test_a_key_that_cant_be_one(carrier: Carrier, field: str, key: str) -> None:
    """It is refused before it can reach a header, and is not shown."""
    error = making(lambda: carrier.client(f"{carrier.scheme()}://127.0.0.1:1", **{field: key}))
    assert (type(error), error.retryable) == (InvalidCredentialError, False)
    told_all = "".join(traceback.format_exception(error))
    assert key not in told_all + repr(vars(error))


@pytest.mark.fault(99)
def test_blanks_around_a_key_are_no_part_of_it() -> None:
    """Files end in a line break: that is taken off."""
    assert client_of(NOWHERE, api_key=f" {KEY}\n").params.credential().api_key.reveal() == KEY


@pytest.mark.fault(100)
@pytest.mark.parametrize(
    "fields",
    [
        {"config": "spark:a%0d%0aX-Smuggled: 1"},
        {"config": "spark:generalv3.5%0a"},
        {"config": "spark?api_version=v3%0d%0aX: 1"},
    ],
    ids=["model", "a line break", "version"],
)
def test_nothing_is_smuggled_in(fields: dict[str, str]) -> None:
    """No name that is configured can end a line of what is sent."""
    error = making(lambda: client_of(NOWHERE, **fields))
    assert isinstance(error, ModelNotFoundError | InvalidCredentialError | ConfigSyntaxError)


URLS = [
    "{}://user:word@a.test/",
    "{}://a.test@b.test/",
    "{}://a.test\\@b.test/",
    "{}://a.test/chat#b",
    "{}://a.test/chat?key=1",
    "ftp://a.test/",
    "file:///etc/passwd",
    "{}://\u0430.test/",
    "{}://a.test:443:80/",
    "{}://2130706433/",
    "{}://0x7f.1/",
    "{}://a.test\t/",
]


@pytest.mark.fault(101)
@every_way
@over(*REMOTE)
@pytest.mark.parametrize("url", URLS)
def test_an_address_that_can_be_read_in_two_ways(url: str, carrier: Carrier, way: Way) -> None:
    """No key goes there: when the client is made, or at its first call."""
    address = url.format(carrier.scheme(secure=True))
    error = making(lambda: way(carrier.client(address), asked()))
    assert (type(error), error.retryable) == (UnsafeEndpointError, False)


@pytest.mark.fault(101)
@every_way
@pytest.mark.parametrize(("name", "scheme"), [("spark", "https"), ("http", "wss")])
def test_an_address_of_another_wire(name: str, scheme: str, way: Way) -> None:
    """The other one's scheme is none here."""
    error = making(lambda: way(CARRIERS[name].client(f"{scheme}://a.test/"), asked()))
    assert type(error) is UnsafeEndpointError


@pytest.mark.fault(102)
@every_way
@over(*REMOTE)
def test_plain_text_to_a_public_host(carrier: Carrier, way: Way) -> None:
    """It is refused before anything is connected: by Spark at the call, else when it is made."""
    address = f"{carrier.scheme()}://service.example"
    error = making(lambda: way(carrier.client(address), asked()))
    sent = "no" if carrier.name == "spark" else None  # no call, nothing to be sent
    assert (type(error), error.retryable, error.sent) == (UnsafeEndpointError, False, sent)
