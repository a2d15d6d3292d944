"""However the bytes of a response are cut, the parser reads the same response out of them.

An input is all that comes on a connection until the server ends it.
"""

from __future__ import annotations

from typing import NamedTuple

from fuzz.splitting import splits
from modelplug import ConnectionLostError, HandshakeError, ProtocolError
from modelplug.transport import Endpoint
from modelplug.transport.httpparser import HEAD_LIMIT, HEADER_LINES, ResponseParser

__all__ = ["check"]

ENDPOINT = Endpoint(scheme="http", host="127.0.0.1", port=80)

KINDS = (ConnectionLostError, HandshakeError, ProtocolError)


class Heard(NamedTuple):
    """What a response is in the end; without status and headers, if its head isn't good."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool
    failure: type[Exception] | None


def check(data: bytes) -> None:
    """Fail if a split changes the response, or if it ends in no way, or in two."""
    # Of more than a head can have, the limits go by what one read brings.
    heard = [parsed(pieces) for pieces in splits(data)]
    assert len(data) > HEAD_LIMIT or all(each == heard[0] for each in heard), heard


def parsed(pieces: list[bytes]) -> Heard:
    """A response that comes in these pieces, and then the end of the connection."""
    parser = ResponseParser(ENDPOINT)
    body = b""
    for piece in pieces:
        parser.feed(piece)
        body += parser.taken()
    parser.feed_eof()
    failure = parser.failure()
    assert parser.is_complete == (failure is None), "not one end"
    assert failure is None or isinstance(failure, KINDS), repr(failure)
    assert parser.idle_seconds == 0.0, "a connection that has ended is kept"
    assert len(parser.headers) <= HEADER_LINES + 1, "headers without bounds"
    assert not parser.has_head or 101 <= parser.status <= 999, parser.status
    kind = None if failure is None else type(failure)
    status, headers = (parser.status, parser.headers) if parser.has_head else (0, {})
    return Heard(status, headers, body, parser.is_complete, kind)
