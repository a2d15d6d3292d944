"""However the bytes of an event stream are cut, the client finds the same events in them.

An input is the stream. What a client that reads it by the letter of the standard would find is
worked out here once more, the simple way.
"""

from __future__ import annotations

import re

from fuzz.splitting import splits
from modelplug import TooLargeError
from modelplug_openai.sse import MAX_EVENT, Events

__all__ = ["check"]


def check(data: bytes) -> None:
    """Fail if a split changes the events, or if they aren't what the standard says."""
    expected = standard(data) if len(data) < MAX_EVENT else None
    for pieces in splits(data):
        found, has_failed = fed(pieces)
        assert all(len(event) <= MAX_EVENT for event in found), "an event without bounds"
        assert expected is None or (found, has_failed) == (expected, False), pieces


def fed(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """The events in a stream that comes in these pieces, and whether it was too large."""
    events = Events()
    found: list[bytes] = []
    for piece in pieces:
        try:
            found += events.feed(piece)
        except TooLargeError:
            return found, True
    return found, events.failure is not None


def standard(data: bytes) -> list[bytes]:
    """Section 9.2.6 of the HTML standard, for the data alone."""
    found: list[bytes] = []
    lines: list[bytes] = []
    # What is behind the last line's end is no line yet.
    for line in re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
        elif not line and lines:
            found.append(b"\n".join(lines))
            lines = []
    return found
