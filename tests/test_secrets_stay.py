"""No secret, raw or derived, shows anywhere on the client's side, whatever happens."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import socket
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest

from modelplug import Finish, ModelOutput, ProxyLLMClient, ProxyLLMError, Timeouts
from modelplug.testing import (
    CutFrame,
    Fail,
    Garbage,
    HangUp,
    Message,
    RawRequest,
    Refuse,
    Status,
    Step,
)
from modelplug.testing.websocket import Connection, WebSocketUpstream
from modelplug_spark.codec import SparkCodec
from tests.providers.spark.wire import error, frame
from tests.support.leaks import our_locals
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.spark import KEY, SECRET, client_of

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


def encodings(text: str) -> Iterable[str]:
    """The forms in which a text may come along."""
    raw = text.encode()
    yield from (text, quote(text, safe=""), quote_plus(text), raw.hex())
    yield from (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode())
    yield base64.b64encode(raw).decode().rstrip("=")


def targets_of(upstream: WebSocketUpstream) -> list[str]:
    """The targets of all handshakes: not every connection comes so far."""
    return [exchange.target for exchange in upstream.exchanges if exchange.target]


def secrets_of(upstream: WebSocketUpstream) -> set[str]:
    """The credentials and all that was derived from them for this service, in every form."""
    texts = [KEY, SECRET]
    for target in targets_of(upstream):
        (authorization,) = parse_qs(urlsplit(target).query)["authorization"]
        plain = base64.b64decode(authorization).decode()
        texts += [authorization, plain.partition('signature="')[2].rstrip('"')]
    return {form for text in texts for form in encodings(text)}


def shown(error: BaseException) -> str:
    """All that an error can tell: text, fields, chain, and the locals of our frames."""
    lines = [
        str(error),
        repr(error),
        repr(error.args),
        repr(vars(error)),
        str(error.__notes__ if hasattr(error, "__notes__") else ""),
    ]
    with suppress(Exception):
        lines.append(repr(pickle.dumps(error)))
    parts: list[BaseException | None] = [error, error.__cause__, error.__context__]
    for part in parts:
        if part is not None:
            lines += [*traceback.format_exception(part), our_locals(part)]
    return "\n".join(lines)


def echo_all(upstream: WebSocketUpstream) -> str:
    """The worst that a service can say: everything it was sent."""
    (target,) = targets_of(upstream)
    return f"{target} {' '.join(secrets_of(upstream))}"


class Telltale(WebSocketUpstream):
    """A service that repeats what it was sent, in its refusal or in its error frame."""

    status = 0

    def admit(self, request: RawRequest) -> Status | None:
        """Refuse with everything, or let in and tell it later."""
        return Status(self.status, json.dumps({"message": echo_all(self)})) if self.status else None

    async def answer(self, connection: Connection, request: RawRequest) -> None:
        """Tell everything."""
        for message in (frame("a", 0, status=0), error(10003, echo_all(self))):
            await connection.write(*connection.message_frames(message))


Scenario = Callable[[WebSocketUpstream], str]
"""Prepares a service, and tells where it is."""


def played(*steps: Step) -> Scenario:
    """A service that plays these steps."""

    def prepare(upstream: WebSocketUpstream) -> str:
        upstream.play(*steps)
        return upstream.url

    return prepare


SCENARIOS: dict[str, Scenario] = {
    "answer": played("a", "b", Finish()),
    "error frame": played(Fail("content_filter_input", message="refused")),
    "cut": played("a", CutFrame(0)),
    "closed": played("a", HangUp()),
    "garbage": played(Garbage()),
    "unauthorized": played(Fail("auth")),
    "redirect": played(Status(302)),
    "refused": played(Refuse()),
    "tls on a plain port": lambda upstream: upstream.url.replace("ws:", "wss:"),
    "no such host": lambda _: "wss://no-such-host.invalid",
}


look_up = socket.getaddrinfo


def looked_up(host: str, *arguments: Any, **options: Any) -> Any:
    """Addresses without asking a server, which may take its time."""
    if str(host).endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return look_up(host, *arguments, **options)


def watched(client: ProxyLLMClient, ask: Ask) -> str:
    """Everything that asking shows: the outcome, the client, its params."""
    try:
        outputs: Iterable[ModelOutput] = ask(client, "hi")
        told = [repr(list(outputs))]
    except ProxyLLMError as error:
        told = [shown(error)]
    params = client.params
    told += [
        repr(client),
        str(vars(client)),
        repr(params),
        params.model_dump_json(),
        str(dict(params)),
    ]
    return "\n".join(told)


def leaks(text: str, upstream: WebSocketUpstream) -> list[str]:
    """Which secrets a text holds."""
    return sorted(secret for secret in secrets_of(upstream) if secret in text)


@directions
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_nothing_shows(
    upstream: WebSocketUpstream,
    scenario: Scenario,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Errors, logs at DEBUG of every library, dumps and frames hold no secret in any form."""
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets").setLevel(logging.DEBUG)
    client = client_of(scenario(upstream), timeouts=Timeouts(first_delta=5, connect=5))
    told = watched(client, ask)
    records = "\n".join(
        f"{record.getMessage()} {record.args} {vars(record)}" for record in caplog.records
    )
    assert leaks(f"{told}\n{records}\n{capfd.readouterr()}", upstream) == []


@directions
@pytest.mark.parametrize("status", [0, 401, 403, 404, 429, 500, 200])
def test_a_service_that_repeats_them_is_not_repeated(status: int, ask: Ask) -> None:
    """Even when the service sends every secret back, no error of ours holds one."""
    with Telltale(SparkCodec()) as upstream:
        upstream.status = status
        told = watched(client_of(upstream), ask)
    assert targets_of(upstream)
    assert leaks(told, upstream) == []


def test_the_search_would_find_one(upstream: WebSocketUpstream) -> None:
    """The forms that are searched for are those that the service really received."""
    upstream.play("a", Finish())
    asyncio.run(client_of(upstream).generate("hi"))
    assert KEY in leaks(f"x {KEY}", upstream)
    assert leaks(upstream.exchanges.wait().target, upstream)


@pytest.mark.parametrize("before", range(160, 230, 7))
@pytest.mark.parametrize("code", [10003, 11200, 10019])
def test_half_a_secret_is_not_shown_either(
    upstream: WebSocketUpstream, before: int, code: int
) -> None:
    """Texts are cut after secrets are taken out: no piece of one stays at the edge."""
    said = (frame("a", 0, status=0), error(code, "x" * before + KEY))
    upstream.play(*map(Message, said))
    try:
        told = repr(client_of(upstream).sync_generate("hi").warnings)
    except ProxyLLMError as caught:
        told = shown(caught)
    assert KEY[:12] not in told


def test_what_a_service_says_stays_one_line(upstream: WebSocketUpstream) -> None:
    """Control characters of a service's are escaped, so that a log can't be forged."""
    upstream.play(Fail("unknown_model", message="a\x1b[2J\n2026 ERROR made up"))
    with pytest.raises(ProxyLLMError) as caught:
        client_of(upstream).sync_generate("hi")
    assert str(caught.value).isprintable()
