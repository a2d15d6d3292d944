"""Rows 1 to 24: from the look-up to the agreement; then the same client is answered."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn

import pytest
import trustme

from modelplug import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    HandshakeError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
    ResolveError,
    ServerError,
    Timeouts,
    TlsError,
    UnsafeEndpointError,
    UnsupportedOptionError,
    new_client,
)
from modelplug.transport import dial, tls
from tests.core.transport.peers import agreement
from tests.faults.asking import (
    PATIENT,
    Expected,
    Way,
    answered,
    every_way,
    failure,
    told,
)
from tests.faults.servers import (
    Handler,
    Server,
    agreed,
    answer,
    gone,
    head_of,
    hold,
    turned_away,
)
from tests.support.spark import APP_ID, KEY, SECRET, client_of

NAME = "service.test"
"""A host that only a test's own resolver knows."""

look_up = socket.getaddrinfo

Addresses = Callable[[], list[tuple[str, int]]]


@contextmanager
def resolver(*answers: Addresses) -> Iterator[list[str]]:
    """Look-ups of ``NAME`` get these answers in turn, the last one for ever; a list of them."""
    asked_for: list[str] = []

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        if host != NAME or options.get("flags"):
            return look_up(host, port, *arguments, **options)
        asked_for.append(host)
        addresses = answers[min(len(asked_for), len(answers)) - 1]()
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, address) for address in addresses]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield asked_for


def unknown(number: int) -> NoReturn:
    """A look-up that fails."""
    raise socket.gaierror(number, "no such name")


@pytest.mark.fault(1)
@every_way
@pytest.mark.parametrize(
    ("number", "retryable"),
    [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)],
    ids=["unknown", "not now"],
)
def test_a_name_without_address(number: int, retryable: bool, way: Way) -> None:
    """A name that nobody knows won't be known at the next try; a resolver in trouble may be."""
    with (
        Server(answer) as server,
        resolver(partial(unknown, number), lambda: [("127.0.0.1", server.port)]),
    ):
        client = client_of(f"ws://{NAME}", allow_insecure=True)
        expected = Expected(ResolveError, retryable, sent="no")
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"


@pytest.mark.fault(2)
@every_way
def test_a_look_up_that_hangs(way: Way) -> None:
    """It is left after the time for connecting, and the next one doesn't wait for it."""
    answers = threading.Event()

    def hang() -> list[tuple[str, int]]:
        answers.wait()
        return []

    with Server(answer) as server, resolver(hang, lambda: [("127.0.0.1", server.port)]):
        client = client_of(f"ws://{NAME}", allow_insecure=True)
        expected = Expected(ConnectTimeoutError, retryable=True, sent="no")
        try:
            assert expected == told(failure(client, way, Timeouts(connect=0.2)), expected)
            assert answered(client, way) == "fine"
        finally:
            answers.set()


@pytest.mark.fault(3)
@every_way
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_a_public_name_that_leads_inside(address: str, way: Way) -> None:
    """Spark's own address is on the internet: a key goes to no other, and nobody is connected to.

    Where the configuration names an address inside, it is meant.
    """

    def getaddrinfo(host: Any, port: int, *_: Any, flags: int = 0, **__: Any) -> list[Any]:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    connected: list[object] = []
    client = new_client("spark", api_app_id=APP_ID, api_key=KEY, api_secret=SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        patch.setattr("modelplug.transport.dial._attempt", connected.append)
        expected = Expected(UnsafeEndpointError, retryable=False, sent="no")
        assert expected == told(failure(client, way), expected)
    assert connected == []


@pytest.mark.fault(4)
@every_way
def test_a_name_that_leads_elsewhere_afterwards(way: Way) -> None:
    """A call makes one look-up, and connects to what that gave."""
    with Server(answer) as server, Server(answer) as elsewhere:
        here, there = [("127.0.0.1", each.port) for each in (server, elsewhere)]
        with resolver(lambda: [here], lambda: [there]) as look_ups:
            client = client_of(f"ws://{NAME}", allow_insecure=True)
            assert answered(client, way) == "fine"
        assert (len(look_ups), server.seen, elsewhere.seen) == (1, 1, 0)


@pytest.mark.fault(5)
@every_way
def test_one_of_two_addresses_is_dead(way: Way) -> None:
    """The other one serves."""
    with Server(answer) as server:
        with socket.create_server(("127.0.0.1", 0)) as vacant:
            dead = vacant.getsockname()
        with resolver(lambda: [dead, ("127.0.0.1", server.port)]):
            assert answered(client_of(f"ws://{NAME}", allow_insecure=True), way) == "fine"


@pytest.mark.fault(6)
@every_way
def test_nobody_listens(way: Way) -> None:
    """That is told at once, and that nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as vacant:
        port = vacant.getsockname()[1]
    client = client_of(f"ws://127.0.0.1:{port}")
    expected = Expected(ConnectError, retryable=True, sent="no")
    assert expected == told(failure(client, way), expected)
    with Server(answer, listener=socket.create_server(("127.0.0.1", port))):
        assert answered(client, way) == "fine"


@pytest.mark.fault(7)
@every_way
def test_packets_vanish(way: Way) -> None:
    """The time for connecting ends it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(8)]
    for filler in fillers:
        filler.setblocking(False)
        with suppress(BlockingIOError):
            filler.connect(listener.getsockname())
    client = client_of(f"ws://127.0.0.1:{listener.getsockname()[1]}")
    expected = Expected(ConnectTimeoutError, retryable=True, sent="no")
    try:
        assert expected == told(failure(client, way, Timeouts(connect=0.2)), expected)
    finally:
        for filler in fillers:
            filler.close()
    listener.listen(128)
    with Server(answer, listener=listener):
        assert answered(client, way) == "fine"


def drip(connection: socket.socket) -> None:
    """Agree, a byte at a time and never in time."""
    for byte in agreement(head_of(connection)):
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.05)


def flood(connection: socket.socket) -> None:
    """Send headers until the client has had enough."""
    head_of(connection)
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        connection.sendall(b"X-More: and more\r\n" * 64)


def one_header(connection: socket.socket) -> None:
    """Send a megabyte of one header."""
    head_of(connection)
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nX-Long: " + b"x" * (1 << 20))
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
    handler: Handler
    expected: Expected
    timeouts: Timeouts = PATIENT


def refusal(row: int, what: str, handler: Handler, error: type, *, retryable: bool = False) -> Case:
    """One that comes before anything was sent."""
    return Case(row, what, handler, Expected(error, retryable, sent="no"))


CASES = [
    Case(8, "silence", hold, Expected(ConnectTimeoutError, True, sent="no"), Timeouts(open=0.3)),
    refusal(14, "401", turned_away("401 Unauthorized", HMAC), AuthenticationError),
    refusal(15, "403", turned_away("403 Forbidden", DATE, date(-3600)), AuthenticationError),
    refusal(16, "404", turned_away("404 Not Found"), ModelNotFoundError),
    refusal(17, "429", turned_away("429 Too Many Requests"), RateLimitError, retryable=True),
    refusal(18, "500", turned_away("500 Oops"), ServerError, retryable=True),
    *(
        refusal(18, str(status), turned_away(f"{status} Oops"), OverloadedError, retryable=True)
        for status in (502, 503, 504)
    ),
    refusal(20, "a wrong proof", wrong_proof, HandshakeError),
    refusal(20, "no upgrade", no_upgrade, HandshakeError),
    refusal(20, "an extension", unasked, HandshakeError),
    refusal(21, "a flood of headers", flood, HandshakeError),
    refusal(21, "a long header", one_header, HandshakeError),
    refusal(22, "401", endless("401 Unauthorized"), AuthenticationError),
    refusal(22, "503", endless("503 Oops"), OverloadedError, retryable=True),
    Case(23, "drip", drip, Expected(ConnectTimeoutError, True, sent="no"), Timeouts(open=0.5)),
    refusal(24, "a page", turned_away("200 OK", b"<html>Log in</html>"), HandshakeError),
]


@every_way
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(each, id=f"{each.row} {each.what}", marks=pytest.mark.fault(each.row))
        for each in CASES
    ],
)
def test_a_handshake_that_fails(case: Case, way: Way) -> None:
    """The right class, in time, and nobody is left on the line."""
    with Server(case.handler, answer) as server:
        client = client_of(server.url)
        error = failure(client, way, case.timeouts)
        assert case.expected == told(error, case.expected)
        assert answered(client, way) == "fine"
        assert server.wait_gone()


@pytest.mark.fault(15)
@every_way
def test_a_refused_date_tells_how_wrong_the_clock_is(way: Way) -> None:
    """The hint has the seconds, from the service's own clock."""
    with Server(turned_away("403 Forbidden", DATE, date(-3600)), answer) as server:
        hint = failure(client_of(server.url), way).hint
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
@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER.items(), ids=RETRY_AFTER)
def test_how_long_to_wait(header: str, seconds: float | None, way: Way) -> None:
    """Whatever the header says, it is a sane number of seconds or none."""
    handler = turned_away("429 Too Many Requests", b"", f"Retry-After: {header}")
    with Server(handler) as server:
        error = failure(client_of(server.url), way)
    assert (type(error), error.retry_after) == (RateLimitError, seconds)


@pytest.mark.fault(19)
@every_way
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, way: Way) -> None:
    """Nobody connects to where it points, and its address is in no text."""
    with Server(answer) as canary:
        handler = turned_away(f"{status} Elsewhere", b"", f"Location: {canary.url}/trap")
        with Server(handler, answer) as server:
            client = client_of(server.url)
            error = failure(client, way)
            assert answered(client, way) == "fine"
        shown = f"{error!r} {vars(error)}"
        assert (type(error), error.retryable) == (HandshakeError, False)
        assert (canary.seen, "trap" in shown) == (0, False)


@pytest.mark.fault(12)
def test_a_proxy_that_cant_be_used() -> None:
    """It is refused when the client is made, rather than passed by; its password isn't shown."""
    with pytest.raises(UnsupportedOptionError) as caught:
        client_of("ws://127.0.0.1:1", http_proxy="http://user:pass-word@proxy.test:3128")
    assert "pass-word" not in f"{caught.value!r} {vars(caught.value)}"


@pytest.mark.fault(13)
@every_way
def test_proxies_of_the_environment_are_not_used(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that the app knows nothing of sends no key to a stranger."""
    with Server(hold) as proxy, Server(answer) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert answered(client_of(server.url), way) == "fine"
        assert proxy.seen == 0


# ------------------------------------------------------------------------------------- TLS


class Authority:
    """Whom the clients of this module trust, and what its servers show."""

    def __init__(self) -> None:
        self._trusted = trustme.CA()
        self.client = ssl.create_default_context()
        self._trusted.configure_trust(self.client)
        self.good = self._context(self._trusted)
        self.stranger = self._context(trustme.CA())
        self.other_host = self._context(self._trusted, "elsewhere.test")
        long_ago = datetime.now(UTC) - timedelta(days=30)
        self.expired = self._context(
            self._trusted, since=long_ago, until=long_ago + timedelta(days=1)
        )
        self.too_old = self._context(self._trusted)
        self.too_old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.deprecated_call():
            self.too_old.minimum_version = ssl.TLSVersion.TLSv1
            self.too_old.maximum_version = ssl.TLSVersion.TLSv1_1

    @staticmethod
    def _context(
        authority: trustme.CA,
        host: str = "127.0.0.1",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown = authority.issue_cert(host, not_before=since, not_after=until)
        shown.configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority() -> Authority:
    """One for all tests: keys take their time."""
    return Authority()


@pytest.fixture
def trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The authority, which the process's clients trust."""
    monkeypatch.setattr(tls._shared, "context", authority.client)
    return authority


@pytest.mark.fault(9)
@every_way
@pytest.mark.parametrize("shown", ["stranger", "other_host", "expired", "too_old"])
def test_a_certificate_that_is_not_good(shown: str, way: Way, trusting: Authority) -> None:
    """Nothing goes to whoever shows it, and trying again won't help."""
    with Server(answer, tls=[getattr(trusting, shown), trusting.good]) as server:
        client = client_of(server.url)
        expected = Expected(TlsError, retryable=False, sent="no")
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"


def alert(connection: socket.socket) -> None:
    """Fail TLS's handshake in its own words."""
    connection.recv(1 << 14)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    gone(connection)


def leave(connection: socket.socket) -> None:
    """End the connection after the first words."""
    connection.recv(1 << 14)


def plain(connection: socket.socket) -> None:
    """Answer TLS in HTTP."""
    connection.recv(1 << 14)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    gone(connection)


def secured(context: ssl.SSLContext) -> Handler:
    """Answer well, over TLS."""

    def handler(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            answer(wrapped)

    return handler


@every_way
@pytest.mark.parametrize(
    ("handler", "error", "retryable"),
    [
        pytest.param(alert, TlsError, False, id="alert", marks=pytest.mark.fault(10)),
        pytest.param(leave, ConnectError, True, id="end", marks=pytest.mark.fault(10)),
        pytest.param(plain, TlsError, False, id="plain text", marks=pytest.mark.fault(11)),
    ],
)
def test_what_is_no_tls(
    handler: Handler, error: type, retryable: bool, way: Way, trusting: Authority
) -> None:
    """A peer that can't is told from one that has gone, which may be back."""
    with Server(handler, secured(trusting.good)) as server:
        client = client_of(server.url.replace("ws:", "wss:"))
        expected = Expected(error, retryable, sent="no")
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"


@pytest.mark.fault(11)
@every_way
def test_plain_text_on_a_tls_port(way: Way, trusting: Authority) -> None:
    """Whatever TLS says to that, it is no WebSocket."""
    with Server(answer, tls=[trusting.good]) as server:
        error = failure(client_of(server.url.replace("wss:", "ws:")), way)
        assert type(error) in (HandshakeError, ConnectionLostError)
        assert answered(client_of(server.url), way) == "fine"


@pytest.mark.fault(84)
@every_way
def test_no_descriptor_is_left(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error that may pass, and passes."""
    refusals = [OSError(errno.EMFILE, os.strerror(errno.EMFILE))]

    def exhausted(*arguments: Any) -> socket.socket:
        if refusals:
            raise refusals.pop()
        return socket.socket(*arguments)

    with Server(answer) as server:
        client = client_of(server.url)
        theirs = SimpleNamespace(**{**vars(socket), "socket": exhausted})
        monkeypatch.setattr(dial, "socket", theirs)
        expected = Expected(ConnectError, retryable=True, sent="no")
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"
