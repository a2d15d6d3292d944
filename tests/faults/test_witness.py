"""The search for secrets finds each form of one, whatever way it comes out."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import warnings
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from modelplug import Finish, ProxyLLMError, ProxyModelParameters, Secret, ServerError
from modelplug.testing import Fail
from modelplug.testing.websocket import WebSocketUpstream
from tests.faults.canary import FORMS, Canaries
from tests.faults.witness import Witness
from tests.support.leaks import OURS
from tests.support.scripted import AsyncScripted
from tests.support.spark import KEY, SECRET, client_of

CANARY = 'Zq7Canary/"planted"+X9=='
"""Of this module alone, and never made a Secret: what watches all tests must not look for it."""

SPELT = {
    "raw": 'Zq7Canary/"planted"+X9==',
    "percent-encoded": "Zq7Canary%2F%22planted%22%2BX9%3D%3D",
    "percent-encoded in lower case": "Zq7Canary%2f%22planted%22%2bX9%3d%3d",
    "percent-encoded path": "Zq7Canary/%22planted%22%2BX9%3D%3D",
    "base64": "WnE3Q2FuYXJ5LyJwbGFudGVkIitYOT09",
    "hexadecimal": "5a713743616e6172792f22706c616e746564222b58393d3d",
    "JSON": r"Zq7Canary/\"planted\"+X9==",
    "JSON with slashes escaped": r"Zq7Canary\/\"planted\"+X9==",
    "JSON fit for HTML": r"Zq7Canary/\"planted\"\u002bX9\u003d\u003d",
}
"""Forms as they are, so that the search isn't proved by itself alone."""


@dataclass
class Held:
    """Something with a field."""

    inner: object


def deep(text: str) -> object:
    """A text, six steps away."""
    return Held({"a": [Held((Held(text),))]})


def fail(error: BaseException) -> None:
    """Raise, and have it caught by whoever expects it."""
    with pytest.raises(type(error)):
        raise error


def print_twice(text: str) -> None:
    """On the one stream."""
    print("before", text, "after")


def log_failure(text: str) -> None:
    """As a handler of errors does."""
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("modelplug").debug("failed", exc_info=True)


def log_apart(text: str) -> None:
    """By a logger that hands nothing on."""
    logger = logging.getLogger("tests.faults.apart")
    assert not logger.propagate
    logger.debug(text)


def warn_unseen(text: str) -> None:
    """A warning that a test expects."""
    with pytest.warns(UserWarning, match="."):
        warnings.warn(text, stacklevel=1)


def caused(text: str) -> None:
    """By what an error comes of."""
    try:
        raise ServerError("outer") from ValueError(text)
    except ServerError:
        pass  # as a test may that tells nobody


def in_context(text: str) -> None:
    """By what was being handled when an error came."""
    with suppress(ServerError):
        try:
            raise KeyError(text)
        except KeyError:
            raise ServerError("outer")  # noqa: B904  # so


def noted(text: str) -> None:
    """By a note."""
    error = ServerError("outer")
    error.add_note(text)
    fail(error)


def grouped(text: str) -> None:
    """In a group of errors."""
    fail(BaseExceptionGroup("several", [ValueError(text)]))


def in_a_frame(text: str) -> None:
    """By a local of a frame of the product's."""
    source = "def call(given):\n    kept = [given]\n    raise error('bare')\n"
    names: dict[str, Callable[[str], None]] = {}
    exec(compile(source, str(Path(OURS[0], "planted.py")), "exec"), {"error": ServerError}, names)  # noqa: S102  # its place is what counts
    with suppress(ServerError):
        names["call"](text)


def told_to_observers(text: str) -> None:
    """By what a call's observers are told of it."""
    client = AsyncScripted(Finish())
    client.model_names = (text,)
    asyncio.run(client.generate("hi"))


def warned_in_outputs(text: str) -> None:
    """By a warning on the outputs."""
    client = AsyncScripted()
    client.steps = (lambda: client.calls[0].note(warning=text), Finish())
    asyncio.run(client.generate("hi"))


def in_a_client(text: str) -> None:
    """By an attribute of a client."""
    client = AsyncScripted(Finish())
    client.backend = text
    asyncio.run(client.generate("hi"))


def in_params(text: str) -> None:
    """By a field of what a client is made of."""
    AsyncScripted(Finish(), params=ProxyModelParameters(proxy_api_app_id=text))


CHANNELS: dict[str, Callable[[str], object]] = {
    "stdout": print_twice,
    "stderr": lambda text: sys.stderr.write(f"x{text}x"),
    "a log's message": lambda text: logging.getLogger("websockets").debug(text),
    "a log's argument": lambda text: logging.getLogger("a.b").info("%.1s", text),
    "a log's extra": lambda text: logging.getLogger().debug("x", extra={"of": deep(text)}),
    "a log's failure": log_failure,
    "a logger apart": log_apart,
    "a warning": warn_unseen,
    "an error's text": lambda text: fail(ServerError(text)),
    "an error's field": lambda text: fail(ServerError("x", provider_message=text)),
    "an error's depth": lambda text: fail(ServerError("x", attempts=(deep(text),))),
    "another's error": lambda text: fail(ValueError("x", {"of": deep(text)})),
    "a dropped error": lambda text: repr(ProxyLLMError("x", hint=text)),
    "a cause": caused,
    "a context": in_context,
    "a note": noted,
    "a group": grouped,
    "a frame": in_a_frame,
    "an event": told_to_observers,
    "an output": warned_in_outputs,
    "a client": in_a_client,
    "params": in_params,
}
"""Ways in which a text can come out."""


@pytest.fixture(autouse=True)
def apart() -> None:
    """A logger that hands nothing on."""
    logging.getLogger("tests.faults.apart").propagate = False


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_what_is_planted_is_found(channel: str, form: str) -> None:
    """Each form in each channel, and nothing where nothing was planted."""
    watching = Witness(CANARY)
    with watching.watching():
        CHANNELS[channel]("harmless")
        assert watching.found() == []
        CHANNELS[channel](FORMS[form](CANARY))
    assert watching.found()


@pytest.mark.parametrize("form", SPELT)
def test_a_form_is_what_it_is_called(form: str) -> None:
    """By a hand that shares no code with it."""
    assert SPELT[form] == FORMS[form](CANARY)


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_within_base64_is_found(encode: Callable[[bytes], bytes], before: str) -> None:
    """As in the header of basic authentication, wherever it begins there."""
    text = encode(f"{before}{KEY}:and more".encode()).decode()
    assert Canaries([KEY]).found({"a header": {f"Basic {text}"}})


@pytest.mark.parametrize("secret", [KEY, SECRET])
def test_the_matrix_s_own_secrets_have_six_forms_and_more(secret: str) -> None:
    """Characters that each encoding changes are in them."""
    assert len({form(secret) for form in FORMS.values()}) >= 10


def test_what_is_too_short_or_a_mask_is_not_searched_for() -> None:
    """It would be found wherever nothing is wrong."""
    assert Canaries(["short", "**********", " " * 20]).secrets == set()


def test_whatever_becomes_a_secret_is_one() -> None:
    """Keys of a test's own, fixed or fetched, and those that are refused."""
    watching = Witness()
    with watching.watching():
        Secret("fixed-0123456789")
        Secret(lambda: "fetched-0123456789").reveal()
        with suppress(ProxyLLMError):
            Secret("refused-\x00-0123456789")
    expected = {"fixed-0123456789", "fetched-0123456789", "refused-\x00-0123456789"}
    assert expected == watching.canaries.secrets


@pytest.mark.parametrize("part", ["query", "authorization", "decoded", "signature"])
def test_what_is_derived_of_secrets_is_searched_for(spark: WebSocketUpstream, part: str) -> None:
    """All that the service really received of them."""
    watching = Witness()
    spark.play(Fail("auth"))
    with watching.watching(), suppress(ProxyLLMError):
        client_of(spark).sync_generate("hi")
    query = urlsplit(spark.exchanges[-1].target).query
    (authorization,) = parse_qs(query)["authorization"]
    decoded = b64decode(authorization).decode()
    texts = {
        "query": query,
        "authorization": quote(authorization),
        "decoded": json.dumps(decoded),
        "signature": quote(decoded.partition('signature="')[2].rstrip('"'), safe=""),
    }
    assert watching.found() == []
    assert watching.canaries.found({"planted": {texts[part]}})


def test_clients_without_an_account_get_one() -> None:
    """Also a plugin that needs none has secrets to keep."""
    watching = Witness()
    with watching.watching():
        credential = AsyncScripted(Finish()).params.credential()
    given = [credential.api_key.reveal(), credential.api_secret.reveal()]
    assert given == [KEY, SECRET]


def test_nothing_stays_in_place() -> None:
    """When it has heard enough, all is as it was."""

    def places() -> list[object]:
        kinds = (ProxyLLMError, Secret, AsyncScripted)
        return [*(kind.__init__ for kind in kinds), pytest.raises, warnings.warn, sys.stdout.write]

    before = places()
    with Witness().watching():
        assert before != places()
    assert before == places()
