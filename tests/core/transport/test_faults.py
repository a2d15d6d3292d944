"""The table of what goes wrong on the wire, and what a peer's words may do to a terminal."""

from __future__ import annotations

import errno
import json
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.errors import ConnectError, ResolveError, TlsError, TransportError
from modelplug.transport import Endpoint
from modelplug.transport.faults import connecting_failed, lost, printable

ENDPOINT = Endpoint.parse("wss://a.example/chat")


def distrust(reason: str) -> ssl.SSLCertVerificationError:
    """What ssl raises for a certificate that it refuses."""
    error = ssl.SSLCertVerificationError(1, f"certificate verify failed: {reason}")
    error.verify_message = reason
    return error


def broken_off(reason: str) -> ssl.SSLError:
    """What ssl raises for a handshake that failed for OpenSSL's reason."""
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind", "told", "retryable"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), ResolveError, "no such name", False),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), ResolveError, "try again", True),
        (distrust("certificate has expired"), TlsError, "certificate has expired", False),
        (ssl.SSLError(1, "whatever"), TlsError, "SSLError", False),
        (broken_off("SSLV3_ALERT_HANDSHAKE_FAILURE"), TlsError, "HANDSHAKE_FAILURE", True),
        (broken_off("TLSV1_ALERT_INTERNAL_ERROR"), TlsError, "INTERNAL_ERROR", True),
        (broken_off("TLSV1_ALERT_PROTOCOL_VERSION"), TlsError, "PROTOCOL_VERSION", False),
        (broken_off("TLSV13_ALERT_CERTIFICATE_REQUIRED"), TlsError, "REQUIRED", False),
        (broken_off("TLSV1_ALERT_UNKNOWN_CA"), TlsError, "UNKNOWN_CA", False),
        (broken_off("WRONG_VERSION_NUMBER"), TlsError, "WRONG_VERSION_NUMBER", False),
        (ssl.SSLEOFError(8, "EOF occurred"), TlsError, "SSLEOFError", True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), ConnectError, "RefusedError", True),
        (OSError(errno.EMFILE, "x"), ConnectError, "Too many open files", True),
        (TimeoutError(), ConnectError, "TimeoutError", True),
        (OSError("odd"), ConnectError, "(OSError)", True),
    ],
)
def test_each_fault_has_its_error(
    error: OSError, kind: type[TransportError], told: str, retryable: bool
) -> None:
    """The class, the library's own class name or reason, and the endpoint; nothing else."""
    ours = connecting_failed(error, ENDPOINT)
    assert (type(ours), ours.retryable, ours.sent) == (kind, retryable, "no")
    assert str(ENDPOINT) in str(ours)
    assert told in str(ours)
    assert type(error).__name__ in str(ours)


@pytest.mark.parametrize(
    ("url", "plain"), [("wss://a.example/", "ws://"), ("https://a.example/", "http://")]
)
def test_an_answer_that_is_no_tls_suggests_another_scheme(url: str, plain: str) -> None:
    """Any other failure of TLS has another cause."""
    endpoint = Endpoint.parse(url, schemes=("wss", "https"))
    ours = connecting_failed(broken_off("WRONG_VERSION_NUMBER"), endpoint)
    assert f"begins with {plain}" in str(ours.hint)
    assert connecting_failed(broken_off("TLSV1_ALERT_UNKNOWN_CA"), endpoint).hint is None


def test_a_lost_connection_says_how() -> None:
    """A cut by RST and one by FIN read differently."""
    assert "ConnectionResetError" in lost(ConnectionResetError(), ENDPOINT)
    assert "end of file" in lost(None, ENDPOINT)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain", "plain"),
        (" \r\n trimmed\t", "trimmed"),
        ("two\r\nlines", "two  lines"),
        ("red\x1b[31m", "red\\x1b[31m"),
        ("zero\x00\x7f\x9b.", "zero\\x00\\x7f\\x9b."),
        ("right-to-left \u202e", "right-to-left \\u202e"),
        ("鉴权失败", "鉴权失败"),
        ("long" * 100, "longlonglo"),
    ],
)
def test_a_peers_words_are_made_harmless(said: str, shown: str) -> None:
    """One line, nothing that steers a terminal, other scripts as they are."""
    assert printable(said, limit=10 if said.startswith("long") else 100) == shown


def test_json_stays_json() -> None:
    """A body over several lines can still be parsed by whoever knows its form."""
    body = json.dumps({"message": "no", "code": [1, 2]}, indent=2)
    assert json.loads(printable(body, limit=1000)) == {"message": "no", "code": [1, 2]}


@given(said=st.text(), limit=st.integers(0, 50))
def test_any_words_become_one_printable_line(said: str, limit: int) -> None:
    """Whatever a peer says, it fits and prints."""
    shown = printable(said, limit=limit)
    assert shown.isprintable()
    assert len(shown) <= limit
