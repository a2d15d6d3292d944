"""No secret, raw or derived, shows anywhere on the client's side, whatever happens."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from modelplug import ModelOutput, ProxyLLMClient, ProxyLLMError, Timeouts
from tests.conftest import Serve
from tests.support.leaks import our_locals
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.upstream import KEY, SECRET, Upstream, answer, client_of, frame

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


def encodings(text: str) -> Iterable[str]:
    """The forms in which a text may come along."""
    raw = text.encode()
    yield from (text, quote(text, safe=""), quote_plus(text), raw.hex())
    yield from (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode())
    yield base64.b64encode(raw).decode().rstrip("=")


def secrets_of(upstream: Upstream) -> set[str]:
    """The credentials and all that was derived from them for this service, in every form."""
    texts = [KEY, SECRET]
    for path in upstream.paths:
        (authorization,) = parse_qs(urlsplit(path).query)["authorization"]
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


def echo_all(upstream: Upstream) -> str:
    """The worst that a service can say: everything it was sent."""
    (path,) = upstream.paths
    return f"{path} {' '.join(secrets_of(upstream))}"


class Telltale(Upstream):
    """A service that repeats what it was sent, in its refusal or in its error frame."""

    status = 0

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse with everything, or let in and tell it later."""
        given = super().admit(connection, request)
        if self.status:
            return connection.respond(
                HTTPStatus(self.status), json.dumps({"message": echo_all(self)})
            )
        self.steps = [frame("a", status=0), frame(code=10003, message=echo_all(self))]
        return given


SCENARIOS: dict[str, Callable[[Serve], Upstream]] = {
    "answer": lambda serve: serve(*answer("a", "b")),
    "error frame": lambda serve: serve(frame(code=10013, message="refused")),
    "cut": lambda serve: serve(frame("a", status=0), None),
    "closed": lambda serve: serve(frame("a", status=0), 1000),
    "garbage": lambda serve: serve("{oops"),
    "unauthorized": lambda serve: serve(
        refusal=(401, '{"message": "HMAC signature does not match"}')
    ),
    "redirect": lambda serve: serve(refusal=(302, "")),
    "refused": lambda serve: Upstream(url="ws://127.0.0.1:1"),
    "tls on a plain port": lambda serve: Upstream(url=serve().url.replace("ws:", "wss:")),
    "no such host": lambda serve: Upstream(url="wss://no-such-host.invalid"),
}


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


def leaks(text: str, upstream: Upstream) -> list[str]:
    """Which secrets a text holds."""
    return sorted(secret for secret in secrets_of(upstream) if secret in text)


@directions
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_nothing_shows(
    serve: Serve,
    scenario: Callable[[Serve], Upstream],
    ask: Ask,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Errors, logs at DEBUG of every library, dumps and frames hold no secret in any form."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets").setLevel(logging.DEBUG)
    upstream = scenario(serve)
    client = client_of(upstream, timeouts=Timeouts(first_delta=5, connect=5))
    told = watched(client, ask)
    records = "\n".join(
        f"{record.getMessage()} {record.args} {vars(record)}" for record in caplog.records
    )
    assert leaks(f"{told}\n{records}\n{capfd.readouterr()}", upstream) == []


@directions
@pytest.mark.parametrize("status", [0, 401, 403, 404, 429, 500, 200])
def test_a_service_that_repeats_them_is_not_repeated(status: int, ask: Ask) -> None:
    """Even when the service sends every secret back, no error of ours holds one."""
    upstream = Telltale()
    upstream.status = status
    with upstream.serving():
        told = watched(client_of(upstream), ask)
    assert upstream.paths
    assert leaks(told, upstream) == []


def test_the_search_would_find_one(serve: Serve) -> None:
    """The forms that are searched for are those that the service really received."""
    upstream = serve(*answer("a"))
    asyncio.run(client_of(upstream).generate("hi"))
    assert KEY in leaks(f"x {KEY}", upstream)
    assert leaks(upstream.paths[0], upstream)


@pytest.mark.parametrize("before", range(160, 230, 7))
@pytest.mark.parametrize("code", [10003, 11200, 10019])
def test_half_a_secret_is_not_shown_either(serve: Serve, before: int, code: int) -> None:
    """Texts are cut after secrets are taken out: no piece of one stays at the edge."""
    upstream = serve(frame("a", status=0), frame(code=code, message="x" * before + KEY))
    try:
        told = repr(client_of(upstream).sync_generate("hi").warnings)
    except ProxyLLMError as error:
        told = shown(error)
    assert KEY[:12] not in told


def test_what_a_service_says_stays_one_line(serve: Serve) -> None:
    """Control characters of a service's are escaped, so that a log can't be forged."""
    upstream = serve(frame(code=10003, message="a\x1b[2J\n2026 ERROR made up"))
    with pytest.raises(ProxyLLMError) as caught:
        client_of(upstream).sync_generate("hi")
    assert str(caught.value).isprintable()
