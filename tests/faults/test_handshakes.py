"""Rows 8 and 14 to 24: from the connection to the agreement, or to a response's head."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

import pytest

from modelplug import (
    AuthenticationError,
    ConnectTimeoutError,
    FirstDeltaTimeoutError,
    HandshakeError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProtocolError,
    ProxyLLMError,
    RateLimitError,
    ServerError,
    Timeouts,
)
from modelplug.errors import Phase
from tests.core.transport.peers import agreement
from tests.faults.asking import PATIENT, Expected, Way, answered, every_way, failure, told
from tests.faults.carriers import REMOTE, WEBSOCKETS, Carrier, over
from tests.faults.cases import over_carriers
from tests.faults.leaps import leaping
from tests.faults.lines import HTTP_HEAD, asked_of
from tests.faults.servers import Handler, Server, agreed, gone, head_of, hold, turned_away


def drip(good: Callable[[str], bytes]) -> Handler:
    """Agree, a byte at a time and never in time."""

    def handler(connection: socket.socket) -> None:
        for byte in good(head_of(connection)):
            connection.sendall(bytes([byte]))
            threading.Event().wait(0.05)

    return handler


def flood(status: bytes) -> Handler:
    """Send headers until the client has had enough."""

    def handler(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\n")
        while True:
            connection.sendall(b"X-More: and more\r\n" * 64)

    return handler


def one_header(status: bytes) -> Handler:
    """Send a megabyte of one header."""

    def handler(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nX-Long: " + b"x" * (1 << 20))
        gone(connection)

    return handler


def no_http(connection: socket.socket) -> None:
    """Speak another protocol."""
    asked_of(connection)
    connection.sendall(b"SSH-2.0-modelplug\r\n\r\n")
    gone(connection)


def endless(status: str) -> Handler:
    """Refuse, with a body that never ends."""

    def handler(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 200000000\r\n\r\n".encode())
        while True:
            connection.sendall(b"x" * 8192)

    return handler


def wrong_proof(connection: socket.socket) -> None:
    """Agree to somebody else's handshake."""
    head_of(connection)
    connection.sendall(agreement("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"))
    gone(connection)


def no_upgrade(connection: socket.socket) -> None:
    """Agree to nothing in particular."""
    head_of(connection)
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    gone(connection)


def unasked(connection: socket.socket) -> None:
    """Agree to more than was asked for."""
    agreed(connection, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    gone(connection)


def date(seconds: float) -> str:
    """A Date header so far from now."""
    return f"Date: {format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)}"


HMAC = b'{"message":"HMAC signature does not match"}'

DATE = b'{"message":"HMAC signature cannot be verified, a valid date is required"}'


class Case(NamedTuple):
    """A way to turn a client away, and what it must be."""

    row: int
    what: str
    on: tuple[str, ...]
    handler: Handler
    error: type[ProxyLLMError]
    leaps: tuple[float, Phase] | None = None


HTTP = ("http",)

SWITCHING = b"101 Switching Protocols"

OPEN: tuple[float, Phase] = (11.0, "open")
"""Longer than a WebSocket may take to open."""

FIRST: tuple[float, Phase] = (61.0, "sent")
"""Longer than a response may take to begin: over HTTP the question is out by then."""

CASES = [
    Case(8, "silence", WEBSOCKETS, hold, ConnectTimeoutError, OPEN),
    Case(8, "silence", HTTP, hold, FirstDeltaTimeoutError, FIRST),
    Case(14, "401", REMOTE, turned_away("401 Unauthorized", HMAC), AuthenticationError),
    Case(15, "403", ("spark",), turned_away("403 No", DATE, date(-3600)), AuthenticationError),
    Case(15, "403", HTTP, turned_away("403 Forbidden"), PermissionDeniedError),
    Case(16, "404", REMOTE, turned_away("404 Not Found"), ModelNotFoundError),
    Case(17, "429", REMOTE, turned_away("429 Too Many Requests"), RateLimitError),
    Case(18, "500", REMOTE, turned_away("500 Oops"), ServerError),
    *(
        Case(18, str(status), REMOTE, turned_away(f"{status} Oops"), OverloadedError)
        for status in (502, 503, 504)
    ),
    Case(20, "a wrong proof", WEBSOCKETS, wrong_proof, HandshakeError),
    Case(20, "no upgrade", WEBSOCKETS, no_upgrade, HandshakeError),
    Case(20, "an extension", WEBSOCKETS, unasked, HandshakeError),
    Case(20, "no HTTP", HTTP, no_http, ProtocolError),
    Case(21, "a flood of headers", WEBSOCKETS, flood(SWITCHING), HandshakeError),
    Case(21, "a flood of headers", HTTP, flood(b"200 OK"), ProtocolError),
    Case(21, "a long header", WEBSOCKETS, one_header(SWITCHING), HandshakeError),
    Case(21, "a long header", HTTP, one_header(b"200 OK"), ProtocolError),
    Case(22, "401", REMOTE, endless("401 Unauthorized"), AuthenticationError),
    Case(22, "503", REMOTE, endless("503 Oops"), OverloadedError),
    Case(23, "drip", WEBSOCKETS, drip(agreement), ConnectTimeoutError, OPEN),
    Case(23, "drip", HTTP, drip(lambda _: HTTP_HEAD), FirstDeltaTimeoutError, FIRST),
    Case(24, "a page", REMOTE, turned_away("200 OK", b"<html>Log in</html>"), HandshakeError),
]


@every_way
@over_carriers(CASES)
def test_a_client_that_is_turned_away(case: Case, carrier: Carrier, way: Way) -> None:
    """The right class, in time, and nobody is left on the line."""
    # Over HTTP the question is out by then: who refuses it has seen it, perhaps.
    expected = Expected(
        case.error, case.error.retryable, sent="maybe" if carrier.name == "http" else "no"
    )
    with Server(case.handler, carrier.answer) as server:
        client = carrier.client(server)
        leap = leaping(case.leaps[0], phase=case.leaps[1]) if case.leaps else nullcontext()
        with leap:
            error = failure(client, way, Timeouts() if case.leaps else PATIENT)
        assert expected == told(error, expected)
        assert answered(client, way) == "fine"
        assert server.wait_gone()


@pytest.mark.fault(15)
@every_way
@over("spark")
def test_a_refused_date_tells_how_wrong_the_clock_is(carrier: Carrier, way: Way) -> None:
    """The hint has the seconds, from the service's own clock."""
    with Server(turned_away("403 Forbidden", DATE, date(-3600)), carrier.answer) as server:
        hint = failure(carrier.client(server), way).hint
    assert hint is not None
    assert "ahead of the service's" in hint


RETRY_AFTER = {
    "7": 7.0,
    "0.5": 0.5,
    "-1": None,
    "1e9": None,
    "999999999": None,
    "soon": None,
    "NaN": None,
    "": None,
}


@pytest.mark.fault(17)
@every_way
@over(*REMOTE)
@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER.items(), ids=RETRY_AFTER)
def test_how_long_to_wait(header: str, seconds: float | None, carrier: Carrier, way: Way) -> None:
    """Whatever the header says, it is a sane number of seconds or none."""
    handler = turned_away("429 Too Many Requests", b"", f"Retry-After: {header}")
    with Server(handler) as server:
        error = failure(carrier.client(server), way)
    assert (type(error), error.retry_after) == (RateLimitError, seconds)


@pytest.mark.fault(19)
@every_way
@over(*REMOTE)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, carrier: Carrier, way: Way) -> None:
    """Nobody connects to where it points, and its address is in no text."""
    with Server(carrier.answer) as canary:
        handler = turned_away(f"{status} Elsewhere", b"", f"Location: {carrier.url(canary)}/trap")
        with Server(handler, carrier.answer) as server:
            client = carrier.client(server)
            error = failure(client, way)
            assert answered(client, way) == "fine"
        shown = f"{error!r} {vars(error)}"
        assert (type(error), error.retryable) == (HandshakeError, False)
        assert (canary.seen, "trap" in shown) == (0, False)
