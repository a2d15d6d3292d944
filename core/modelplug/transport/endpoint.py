"""The address of a service: checked once, and the checked value is what connects.

A URL that two parsers read in two ways is how a key gets sent to the wrong host. So there is
one parser, it takes only what can be read in one way, and nobody parses its result again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from modelplug.errors import UnsafeEndpointError

__all__ = ["Endpoint"]

_PORTS = {"wss": 443, "https": 443, "ws": 80, "http": 80}

_URL = re.compile(r"([A-Za-z]+)://([^/?#]*)([^?#]*)([?#]?)", re.ASCII)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", re.ASCII)
# Underscores are in no registered name, but in those of containers and clusters.
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a service is. Has no place for credentials, so it is safe to print.

    Attributes:
        scheme: ``wss``, ``https``, ``ws`` or ``http``.
        host: a name in lower case, an IPv4 address, or an IPv6 address without brackets.
        port: 1 to 65535.
        path: begins with a slash; percent-encoded where it must be.
        public_only: whether it must be on the internet: ``dial`` refuses a host with an
            address that is private, loopback or otherwise not public.

    Raises:
        UnsafeEndpointError: one of the fields can't be one.
    """

    scheme: str
    host: str
    port: int
    path: str = "/"
    public_only: bool = False

    def __post_init__(self) -> None:
        if self.scheme not in _PORTS:
            raise UnsafeEndpointError(f"the scheme must be one of {', '.join(_PORTS)}")
        if (problem := _problem(self.host, self.port, self.path)) is not None:
            raise UnsafeEndpointError(problem)

    @classmethod
    def parse(
        cls,
        url: str | None,
        *,
        schemes: Sequence[str] = ("wss", "ws"),
        allow_insecure: bool = False,
        public_only: bool = False,
    ) -> Endpoint:
        """The endpoint that ``url`` names, if credentials may be sent there.

        Plain ``ws`` and ``http`` are for loopback only: localhost, 127.0.0.0/8 and ::1.

        Args:
            url: scheme, host, port and path; nothing else. None, as of params without an
                address, is refused.
            schemes: those that the protocol has.
            allow_insecure: take plain ``ws`` and ``http`` for any host.
            public_only: see the class. For the address of a public service that a plugin has
                built in; one that the operator's configuration names may be anywhere.

        Raises:
            UnsafeEndpointError: the URL is something else, can be read in two ways, or isn't
                encrypted. The message tells nothing of what stands in the URL.
        """
        if url is None:
            raise UnsafeEndpointError(
                "there is no address", hint=f"set api_base to one with {schemes[0]}://"
            )
        parts = _parts(url, schemes)
        del url  # may hold a password, and a traceback with locals would show it
        if isinstance(parts, str):
            raise UnsafeEndpointError(
                f"not an address to send credentials to: {parts}",
                hint="check api_base, or where else it was set",
            )
        scheme, host, port, path = parts
        endpoint = cls(scheme=scheme, host=host, port=port, path=path, public_only=public_only)
        if not (endpoint.secure or endpoint.is_loopback or allow_insecure):
            raise UnsafeEndpointError(
                f"{endpoint} is not encrypted: whoever is on the way can read the key",
                hint=f"use {_secured(scheme)}://, or allow_insecure=true if the network is trusted",
            )
        return endpoint

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("wss", "https")

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine, by its name or address alone."""
        return self.host in ("localhost", "::1") or (
            self.host.startswith("127.") and _is_number(self.host)
        )

    @property
    def host_header(self) -> str:
        """Host and port as the Host header has them: no default port, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def with_path(self, path: str) -> Endpoint:
        """The same service at another path.

        Raises:
            UnsafeEndpointError: ``path`` can't be one.
        """
        return replace(self, path=path)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.path}"


def _parts(url: str, schemes: Sequence[str]) -> tuple[str, str, int, str] | str:
    """Scheme, host, port and path; or what is wrong, in words that repeat nothing of ``url``."""
    found = _URL.match(url)
    problem = _character_problem(url) or _url_problem(found, schemes)
    if problem is not None or found is None:
        return problem or "it is no URL"
    scheme, path = found[1].lower(), found[3] or "/"
    authority = _AUTHORITY.fullmatch(found[2])
    if authority is None:
        return "the host or the port is malformed"
    host = _canonical(authority[1])
    port = int(authority[2] or _PORTS[scheme])
    # Told here, before there is an Endpoint: a traceback with locals would show what it holds.
    return _problem(host, port, path) or (scheme, host, port, path)


def _character_problem(url: str) -> str | None:
    if not url.isascii():
        # Other scripts have letters that look like these: a Cyrillic one makes another host.
        return "it has characters outside ASCII; write the host in punycode (xn--...)"
    if not url.isprintable() or " " in url:
        return "it has blanks or control characters"
    if "\\" in url:
        return "it has a backslash, which some take for a slash"
    return None


def _url_problem(found: re.Match[str] | None, schemes: Sequence[str]) -> str | None:
    if found is None or found[1].lower() not in _PORTS.keys() & set(schemes):
        return f"it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    if "@" in found[2]:
        return "it has a user or password in it; give the key as a key"
    if found[4]:
        return "it has a query or fragment"
    return None


def _canonical(host: str) -> str:
    if not host.startswith("["):
        return host.lower()
    try:
        return str(IPv6Address(host[1:-1]))
    except ValueError:
        return host  # isn't a host by any grammar below


def _problem(host: str, port: int, path: str) -> str | None:
    """What keeps these from being an endpoint's, in words that repeat nothing of them."""
    if (problem := _host_problem(host)) is not None:
        return problem
    if not 0 < port < 65536:
        return "the port must be 1 to 65535"
    return None if _PATH.fullmatch(path) else "the path is malformed; percent-encode what is odd"


def _host_problem(host: str) -> str | None:
    if not host:
        return "it has no host"
    if ":" in host:
        good = _canonical(f"[{host}]") == host
    elif _is_number(host):
        good = _is_ipv4(host)
    else:
        good = len(host) <= 253 and _NAME.fullmatch(host) is not None
    return None if good else "the host is malformed"


def _is_number(host: str) -> bool:
    """Whether a host can only be an IPv4 address; 2130706433 and 0x7f.1 are ones to resolvers."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _is_ipv4(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


def _secured(scheme: str) -> str:
    return {"ws": "wss", "http": "https"}[scheme]
