"""What goes wrong on the wire, in this package's errors: the one table at that border.

Who calls these does so outside the ``except`` block, so that no library's exception hangs on
to ours with the URL, headers and bytes in its frames. Its class name stays in the text.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any

from modelplug.errors import (
    ConnectError,
    ResolveError,
    TlsError,
    TransportError,
)
from modelplug.transport.endpoint import Endpoint

__all__ = ["connecting_failed", "lost", "printable"]


_FINAL_ALERTS = (
    "CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "PROTOCOL_VERSION",
    "INSUFFICIENT_SECURITY",
)
"""What is in the names of alerts that come again at each attempt (RFC 8446, section 6.2)."""


_NOT_TLS = "WRONG_VERSION_NUMBER"
"""OpenSSL's word for a first answer that is no TLS, such as HTTP's."""


def connecting_failed(error: OSError, endpoint: Endpoint) -> TransportError:
    """The error for an exception that came before the connection stood."""
    translate = next(into for kind, into in _TABLE if isinstance(error, kind))
    fault = translate(error, endpoint)
    fault.complete(sent="no")
    return fault


def lost(error: Exception | None, endpoint: Endpoint) -> str:
    """What to say of a connection that was cut; None for an end of file."""
    name = "end of file" if error is None else type(error).__name__
    return f"the connection to {endpoint} was cut ({name})"


def printable(text: str, *, limit: int) -> str:
    """What a peer said, fit for an error's text: one line of at most ``limit`` characters.

    Line breaks become blanks, so that JSON stays JSON; other characters that would steer a
    terminal or a log viewer are escaped.
    """
    text = text.strip()
    if not text.isprintable():
        text = "".join(map(_escaped, re.sub(r"\s", " ", text, flags=re.ASCII)))
    return text[:limit]


def _escaped(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def _unresolved(error: socket.gaierror, endpoint: Endpoint) -> TransportError:
    return ResolveError(
        f"no address for {endpoint} ({_name(error)})",
        retryable=error.errno == socket.EAI_AGAIN,
        hint="check the host in api_base, and that this machine is on the network",
    )


def _distrusted(error: ssl.SSLCertVerificationError, endpoint: Endpoint) -> TransportError:
    return TlsError(
        f"the certificate of {endpoint} is not good: {error.verify_message} "
        f"({type(error).__name__})",
        hint="to trust another authority, set SSL_CERT_FILE to its PEM file before the start",
    )


def _no_tls(error: ssl.SSLError, endpoint: Endpoint) -> TransportError:
    reason = (
        getattr(error, "reason", None) or error.strerror
    )  # OpenSSL's word, if it came from there
    plain = {"https": "http", "wss": "ws"}.get(endpoint.scheme)
    return TlsError(
        f"no TLS with {endpoint}: {reason} ({type(error).__name__})",
        retryable=_may_pass(error),
        hint=f"if the service has no TLS, its api_base begins with {plain}://"
        if plain and reason == _NOT_TLS
        else None,
    )


def _may_pass(error: ssl.SSLError) -> bool:
    """Whether a peer broke off a handshake that may well succeed the next time.

    It did so by an end, or by an alert, other than one about a certificate, rights or versions.
    """
    name = getattr(error, "reason", None) or ""  # OpenSSL's constant for it
    is_alert = "_ALERT_" in name and not any(kind in name for kind in _FINAL_ALERTS)
    return is_alert or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)


def _unconnected(error: OSError, endpoint: Endpoint) -> TransportError:
    return ConnectError(
        f"no connection to {endpoint} ({_name(error)})",
        hint="check api_base, and that the service runs there",
    )


def _name(error: OSError) -> str:
    """The class and the system's words; asyncio puts addresses into ``strerror``."""
    if isinstance(error, socket.gaierror):
        return f"{type(error).__name__}: {error.strerror}"
    words = f": {os.strerror(error.errno)}" if error.errno else ""
    return f"{type(error).__name__}{words}"


# The first that fits: those above are kinds of those below.
_TABLE: tuple[tuple[type[OSError], Callable[[Any, Endpoint], TransportError]], ...] = (
    (socket.gaierror, _unresolved),
    (ssl.SSLCertVerificationError, _distrusted),
    (ssl.SSLError, _no_tls),
    (OSError, _unconnected),
)
