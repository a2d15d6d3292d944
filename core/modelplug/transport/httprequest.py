"""A request of HTTP/1.1 and its bytes (RFC 9112); no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, TypeAlias

from modelplug.errors import UnsupportedOptionError, WrongUseError
from modelplug.secrets import Secret
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.headers import header_fault

__all__ = ["HttpRequest", "Method"]

Method: TypeAlias = Literal["DELETE", "GET", "PATCH", "POST", "PUT"]
"""What can be asked for. The response to HEAD has no body, whatever its head says."""

_METHODS = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})

# RFC 3986, section 3.4, and what servers are sent all the same; never a blank, # or control.
_QUERY = re.compile(r"[!\x22\x24-\x7e]*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """What is asked for; shows neither its query, nor its headers, nor its body.

    Attributes:
        endpoint: host and path.
        method: of the request.
        query: what follows the question mark.
        headers: those of the caller.
        body: all of it.

    Raises:
        UnsupportedOptionError: the query has what none can have, or there is a header that
            ``header_fault`` finds fault with.
        WrongUseError: a method that is not for callers.
    """

    endpoint: Endpoint
    method: Method = "POST"
    query: str | Secret = field(default="", repr=False)
    headers: Mapping[str, str | Secret] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise WrongUseError("no such method", hint=f"one of {', '.join(sorted(_METHODS))}")
        if isinstance(self.query, str) and not _QUERY.fullmatch(self.query):
            raise UnsupportedOptionError(
                "a query has a blank or another character that must be percent-encoded",
                sent="no",
            )
        for name in self.headers:
            self._check(name)

    @property
    def secrets(self) -> list[Secret]:
        """What must not show in an error."""
        texts = [self.query, *self.headers.values()]
        return [each for each in texts if isinstance(each, Secret)]

    def to_bytes(self) -> bytes:
        """The request as it goes out: the one place where its secrets are revealed."""
        # In generators, and in one expression: no frame that an error could show keeps the text.
        return b"".join(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        yield f"{self.method} {self.endpoint.path}".encode()
        if self.query:
            yield b"?"
            yield _encoded(self.query)
        yield f" HTTP/1.1\r\nhost: {self.endpoint.host_header}\r\n".encode()
        if not any(name.lower() == "user-agent" for name in self.headers):
            yield _user_agent()
        yield b"accept-encoding: identity\r\n"
        for name, value in self.headers.items():
            yield f"{name}: ".encode()
            yield _revealed(value)
            yield b"\r\n"
        if self.body or self.method != "GET":
            yield b"content-length: %d\r\n" % len(self.body)
        yield b"\r\n"
        yield self.body

    def _check(self, name: str) -> None:
        value = self.headers[name]
        # A Secret has no control characters: it wouldn't have been one.
        fault = header_fault(name, "secret" if isinstance(value, Secret) else value)
        del value  # whoever reads a traceback with locals must not find it here
        if fault:
            raise UnsupportedOptionError(fault, sent="no")


def _revealed(value: str | Secret) -> bytes:
    return (value.reveal() if isinstance(value, Secret) else value).encode("latin-1")


def _encoded(query: str | Secret) -> bytes:
    if isinstance(query, str):
        return query.encode()
    # Nobody can see what is in it: a blank would split the request line.
    return query.reveal().replace(" ", "%20").replace("#", "%23").encode()


@cache
def _user_agent() -> bytes:
    try:
        return f"user-agent: modelplug/{version('modelplug')}\r\n".encode()
    except PackageNotFoundError:  # frozen into an app, without what installers write
        return b"user-agent: modelplug\r\n"
