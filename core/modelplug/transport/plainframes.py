"""Plain frames: the fast way through those of an answer, and those that a client writes.

websockets' own parser takes 2 us a frame, as it is a coroutine that makes an object, and an enum
member, of each; cutting here takes a fifth of that. Nearly all that a service sends is unmasked
text in one frame of less than 64 KiB. At the first frame that isn't, everything from there on
goes to the library, for good: rules are its business, and so is whatever breaks them.
"""

from __future__ import annotations

import os
from struct import pack

# In C, where that could be built.
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # not in its __all__

__all__ = ["CLOSE", "TEXT", "PlainFrames", "farewell", "masked"]

TEXT = 0x81
"""The first byte of a text message in one frame (RFC 6455, section 5.2)."""

CLOSE = 0x88
"""The same of a close frame."""

_LONG = 126
"""In the second byte: the length is in the next two. Below, it is the length itself."""


class PlainFrames:
    """Cuts messages out of what is received, however that is cut itself.

    Args:
        max_size: bytes of the largest message that is cut out here.
    """

    __slots__ = ("_max_size", "_rest")

    def __init__(self, *, max_size: int) -> None:
        self._max_size = max_size
        self._rest = b""

    def cut(self, received: bytes, messages: list[bytes]) -> bytes:
        """Add the messages that are whole now to ``messages``.

        Returns:
            What is left from the first frame on that is none of these; empty as long as all are.
            Once there is something, this is not to be asked again.
        """
        data = self._rest + received if self._rest else received
        at, end = 0, len(data)
        while end - at >= 2:
            size, begin = data[at + 1], at + 2
            if data[at] != TEXT or size > _LONG:
                return data[at:]
            if size == _LONG:
                if end - at < 4:
                    break
                size, begin = data[at + 2] << 8 | data[at + 3], at + 4
                if size < _LONG:  # longer than it may be written (section 5.2)
                    return data[at:]
            if size > self._max_size:
                return data[at:]
            if begin + size > end:
                break
            at = begin + size
            messages.append(data[begin:at])
        self._rest = data[at:]
        return b""

    def rest(self) -> bytes:
        """The beginning of a frame that hasn't come whole."""
        return self._rest


def farewell(received: bytes) -> bytes | None:
    """What a close frame holds, if ``received`` begins with a whole one; None for anything else."""
    if len(received) < 2 or received[0] != CLOSE or received[1] >= _LONG:
        return None
    end = 2 + received[1]
    return received[2:end] if len(received) >= end else None


def masked(first: int, payload: bytes) -> bytes:
    """A frame as a client writes it (RFC 6455, sections 5.2 and 5.3).

    Args:
        first: its first byte.
        payload: what it holds; for a close frame at most 125 bytes.
    """
    size = len(payload)
    if size < _LONG:
        head = pack("!BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = pack("!BBH", first, 0x80 | _LONG, size)
    else:
        head = pack("!BBQ", first, 0x80 | _LONG + 1, size)
    mask = os.urandom(4)
    return b"".join((head, mask, apply_mask(payload, mask)))
