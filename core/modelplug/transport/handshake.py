"""What a server answers instead of what was asked for.

websockets' protocol decides whether an answer is good. It reads a bad one's body to its end
before it tells the status, though, and forgets the status where the body breaks its limits. So
the start of the answer is kept here beside it. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from modelplug.errors import HandshakeError
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.faults import printable
from modelplug.transport.retry_after import stated_wait

__all__ = [
    "BODY_LIMIT",
    "MESSAGE_LIMIT",
    "REFUSAL_SECONDS",
    "Answer",
    "Refusal",
    "misunderstanding",
    "refusal_of",
    "refused",
]

MESSAGE_LIMIT = 8192
"""Bytes of an error's body that are told; of a WebSocket's handshake no more are read."""

BODY_LIMIT = 65_536
"""Bytes of an error's body that are read over HTTP."""

REFUSAL_SECONDS = 1.0
"""How long the body of a refusal is waited for once its head is there."""

_KEPT = 65_536
"""Bytes of an answer that are kept; servers' own limits on headers are below."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")
_BLANK = b"\r\n\r\n"
"""Where a head ends."""

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A server's answer to a handshake that is no WebSocket, or to a request that is an error.

    Attributes:
        status: its HTTP status.
        message: the start of its body, in one line, without this call's secrets.
        date: its Date header; tells whose clock is wrong where signatures expire.
        retry_after: seconds to wait, where a header says so.
        headers: all of them, names in lower case, without this call's secrets.
        body: over HTTP, as text without this call's secrets; empty unless it came whole, in
            time, without a coding and of at most 64 KiB: half of it may end in half a secret.
    """

    status: int
    message: str = ""
    date: str | None = None
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)


class Answer:
    """The start of a server's answer, as it comes."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, received: bytes) -> tuple[bytes, bytes]:
        """Take the next bytes; gives those of the head, and those behind it."""
        begin = len(self._received)
        if begin < _KEPT:
            self._received += received
        blank = self._received.find(_BLANK)
        end = max(0, blank + len(_BLANK) - begin) if blank >= 0 else len(received)
        return received[:end], received[end:]

    @property
    def status(self) -> int | None:
        """The HTTP status; None before there is one, or if this is no HTTP."""
        found = _STATUS.match(self._received)
        return int(found[1]) if found else None

    @property
    def may_be_http(self) -> bool:
        """Whether the server, silent so far or not, may have begun a good answer."""
        return b"HTTP/1.".startswith(self._received[:7])

    @property
    def is_enough(self) -> bool:
        """Whether this is an error of whose body no more will be read."""
        if self.status in (None, 101):
            return False
        head = self._received.find(b"\r\n\r\n")
        size = len(self._received)
        return size >= _KEPT or (head >= 0 and size - head >= 4 + MESSAGE_LIMIT)

    @property
    def is_refusal(self) -> bool:
        """Whether this is an error whose head is complete, and whose body may still come."""
        return self.status not in (None, 101) and b"\r\n\r\n" in self._received

    def refusal(self, scrub: Callable[[str], str]) -> Refusal | None:
        """The answer as far as it has come; None if it has no status but a WebSocket's.

        Args:
            scrub: takes out secrets, which a server may repeat.
        """
        status = self.status
        if status is None or status == 101:
            return None
        head, blank, body = bytes(self._received).partition(_BLANK)
        # Of a head that was cut the last line may end in half a secret.
        headers = _headers(head if blank else head.rpartition(b"\r\n")[0])
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = _unchunked(body)
        return refusal_of(status, headers, body, is_whole=False, scrub=scrub)


def refusal_of(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    is_whole: bool,
    scrub: Callable[[str], str],
) -> Refusal:
    """The refusal that an answer is.

    Args:
        status: its HTTP status.
        headers: names in lower case.
        body: as far as it came. That of a redirect, which tells its target again, is left out.
        is_whole: whether that is all of it.
        scrub: takes out secrets, which a server may repeat.
    """
    # Before it is cut: half a secret is not found.
    said = "" if 300 <= status < 400 else scrub(body.decode(errors="replace"))
    date = headers.get("date")
    return Refusal(
        status=status,
        message=printable(said, limit=MESSAGE_LIMIT),
        date=None if date is None else printable(scrub(date), limit=100),
        retry_after=stated_wait(headers, now=datetime.now(UTC)),
        headers={scrub(name): scrub(value) for name, value in headers.items()},
        body=said if is_whole else "",
    )


def refused(
    refusal: Refusal, endpoint: Endpoint, *, instead_of: str = "a response"
) -> HandshakeError:
    """The error for a refusal that the provider makes nothing of.

    Args:
        refusal: the server's answer.
        endpoint: who gave it.
        instead_of: what it was asked for.
    """
    if 300 <= refusal.status < 400:
        hint = "redirects are not followed: put the right address into the configuration"
    elif refusal.status < 300:
        hint = "this is not the service that was meant; look for a proxy or a login page on the way"
    else:
        hint = None
    return HandshakeError(
        f"{endpoint} answered with HTTP status {refusal.status} instead of {instead_of}",
        status=refusal.status,
        retryable=refusal.status in (408, 429) or refusal.status >= 500,
        retry_after=refusal.retry_after,
        provider_code=refusal.status,
        provider_message=refusal.message or None,
        hint=hint,
    )


def misunderstanding(error: Exception, scrub: Callable[[str], str]) -> str:
    """Why an answer is no HTTP, or no WebSocket in spite of its status."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return printable(scrub(f"{type(cause).__name__}: {cause}"), limit=200)


def _headers(head: bytes) -> dict[str, str]:
    """What a head has, as far as it makes sense; the first of a name counts."""
    found: dict[str, str] = {}
    for line in head.splitlines()[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _unchunked(body: bytes) -> bytes:
    """A body without the marks of chunked coding, as far as it has come and makes sense."""
    plain = b""
    while (chunk := _CHUNK.match(body)) is not None:
        end = chunk.end() + int(chunk[1], 16)
        plain += body[chunk.end() : end]
        body = body[end + 2 :]
    return plain
