"""Headers that whoever makes a request may set; no I/O, and nothing that costs to import."""

from __future__ import annotations

import re

__all__ = ["header_fault"]

_OURS = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "expect", "host", "http2-settings"),
        *("keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)
"""Headers about the connection, or about where a message ends and what it is in (RFC 9110,
sections 7.6 and 10; RFC 9112, sections 6 and 9). The shell makes them, or nobody."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
"""RFC 9110, section 5.1."""

_VALUE = re.compile(r"[!-~](?:[\t -~]*[!-~])?", re.ASCII)
"""RFC 9110, section 5.5: what servers agree on. A blank around a value is nobody's."""


def header_fault(name: str, value: str) -> str | None:
    """Why a header can't be sent; None if it can. Of ``value``, a key perhaps, it tells nothing.

    Args:
        name: in any case.
        value: one line of visible ASCII, blanks within.
    """
    if not _NAME.fullmatch(name):
        return "a header has a name that none can have"
    if name.lower() in _OURS:
        return f"the header {name} is not for callers to set"
    if not _VALUE.fullmatch(value):
        return f"the header {name} has a value that none can have: one line of visible ASCII"
    return None
