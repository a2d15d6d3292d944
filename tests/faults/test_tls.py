"""Rows 9 to 11: what is wrong with the other side's TLS; then the same client is answered."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from modelplug import ConnectError, ConnectionLostError, HandshakeError, ProtocolError, TlsError
from modelplug.transport import tls
from tests.faults.asking import Expected, Way, answered, every_way, failure, told
from tests.faults.carriers import REMOTE, Carrier, over
from tests.faults.servers import Handler, Server, gone


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
@over(*REMOTE)
@pytest.mark.parametrize("shown", ["stranger", "other_host", "expired", "too_old"])
def test_a_certificate_that_is_not_good(
    shown: str, carrier: Carrier, way: Way, trusting: Authority
) -> None:
    """Nothing goes to whoever shows it, and trying again won't help."""
    with Server(carrier.answer, tls=[getattr(trusting, shown), trusting.good]) as server:
        client = carrier.client(server)
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


def secured(answer: Handler, context: ssl.SSLContext) -> Handler:
    """Answer well, over TLS."""

    def handler(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            answer(wrapped)

    return handler


@every_way
@over(*REMOTE)
@pytest.mark.parametrize(
    ("handler", "error", "retryable"),
    [
        pytest.param(alert, TlsError, True, id="alert", marks=pytest.mark.fault(10)),
        pytest.param(leave, ConnectError, True, id="end", marks=pytest.mark.fault(10)),
        pytest.param(plain, TlsError, False, id="plain text", marks=pytest.mark.fault(11)),
    ],
)
def test_what_is_no_tls(
    handler: Handler, error: type, retryable: bool, carrier: Carrier, way: Way, trusting: Authority
) -> None:
    """A peer that can't is told from one that has gone, which may be back."""
    with Server(handler, secured(carrier.answer, trusting.good)) as server:
        client = carrier.client(f"{carrier.scheme(secure=True)}://127.0.0.1:{server.port}")
        expected = Expected(error, retryable, sent="no")
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"


@pytest.mark.fault(11)
@every_way
@over(*REMOTE)
def test_plain_text_on_a_tls_port(carrier: Carrier, way: Way, trusting: Authority) -> None:
    """Whatever TLS says to that, it is no answer."""
    with Server(carrier.answer, tls=[trusting.good]) as server:
        plain = carrier.client(f"{carrier.scheme()}://127.0.0.1:{server.port}")
        assert type(failure(plain, way)) in (HandshakeError, ProtocolError, ConnectionLostError)
        assert answered(carrier.client(server), way) == "fine"
