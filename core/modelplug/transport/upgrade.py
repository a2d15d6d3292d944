"""The plain way through a WebSocket's opening handshake: what asks, and the answer that agrees.

Nearly every server agrees in a few lines that can be read in one way only. websockets' own
reading of them is general, and takes 60 us; this takes a tenth of that, a good part of what a
request costs. An answer that is anything else, good or not, goes to the library as it came.
"""

from __future__ import annotations

import re

from websockets.utils import accept_key

from modelplug.secrets import Secret
from modelplug.transport.endpoint import Endpoint

__all__ = ["agrees", "asking"]

_HEAD = re.compile(
    rb"HTTP/1\.1 101 [ -~]*\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
"""Status and headers as RFC 9112 has them, sections 4 and 5, and as everybody writes them."""

_MOST = 4096
"""Bytes of a head that is read here: well below what the library takes."""

_MOST_LINES = 64
"""The same for its headers."""

_OTHER = (b"sec-websocket-", b"content-length", b"transfer-encoding")
"""How headers begin that would say more than yes."""


def asking(endpoint: Endpoint, query: Secret, *, key: str) -> bytes:
    """The request of a handshake (RFC 6455, section 4.1).

    In no object of the library's: one with the query in it would show that in its repr. Blanks,
    which would split the request line, are encoded.

    Args:
        endpoint: who is asked, and for which path.
        query: what follows the path's question mark.
        key: of the library's ``generate_key``.
    """
    return b"".join(
        (
            b"GET ",
            endpoint.path.encode(),
            b"?" if query else b"",
            query.reveal().replace(" ", "%20").encode(),
            b" HTTP/1.1\r\nHost: ",
            endpoint.host_header.encode(),
            b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
            key.encode(),
            b"\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
    )


def agrees(head: bytes, *, key: str) -> bool:
    """Whether an answer agrees, plainly (RFC 6455, section 4.1, on the server's response).

    False is no refusal: whether the answer is good all the same is the library's to say.

    Args:
        head: the answer up to its blank line, or a part of that.
        key: what was asked with.
    """
    found = _HEAD.fullmatch(head) if len(head) <= _MOST else None
    if found is None:
        return False
    lines = found[1].splitlines()
    said: dict[bytes, bytes] = {}
    for line in lines[:_MOST_LINES]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in said:
            return False
        said[name] = value.lstrip()
    accepted = said.pop(b"sec-websocket-accept", b"") == accept_key(key).encode()
    upgraded = said.get(b"upgrade", b"").lower() == b"websocket"
    connected = said.get(b"connection", b"").lower() == b"upgrade"
    is_short = len(lines) <= _MOST_LINES
    return accepted and upgraded and connected and is_short and not any(map(_says_more, said))


def _says_more(name: bytes) -> bool:
    return name.startswith(_OTHER)
