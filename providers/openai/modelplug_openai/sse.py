"""The data of server-sent events, out of the bytes of a stream.

The standard is WHATWG's (https://html.spec.whatwg.org/multipage/server-sent-events.html, section
9.2.6): lines end by CR, LF or CRLF; there may be a byte order mark first, comments, other fields,
no blank after the colon, several lines of data to an event. An event that the stream ends in the
middle of is none. Names of events are not told: the data says by itself whether it is an error.
"""

from __future__ import annotations

import re

from modelplug import TooLargeError

__all__ = ["MAX_EVENT", "Events"]

MAX_EVENT = 1 << 20
"""Bytes of the longest line that is taken, and of the data of the largest event."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Events:
    """Finds the data of events in what is received, however it is cut.

    Attributes:
        failure: why no more events are found: a line or an event is too large. It is set beside
            the events that came before, and every later call raises it.
    """

    __slots__ = ("_after_return", "_data", "_has_begun", "_line", "_pending", "_size", "failure")

    def __init__(self) -> None:
        self.failure: TooLargeError | None = None
        self._has_begun = False  # the byte order mark has been looked for
        self._after_return = False  # the last line ended by CR: a LF belongs to that
        self._line: list[bytes] = []  # a line that hasn't ended, in pieces
        self._pending = 0  # how long it is by now
        self._data: list[bytes] = []  # of an event that hasn't ended
        self._size = 0  # how much of it there is, line breaks included

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that are whole now.

        Raises:
            TooLargeError: there was too large a line or event before.
        """
        if self.failure is not None:
            raise self.failure
        if not received:
            return []
        found: list[bytes] = []
        if self._pending or self._data:
            border = received.find(b"\n\n") + 2
            if border < 2:
                self._read(received, found)
                return found
            self._read(received[:border], found)
            received = received[border:]
        if received and self.failure is None:
            self._run(received, found)
        return found

    def _run(self, received: bytes, found: list[bytes]) -> None:
        """Whole events of one line of data each at once, where that is all; else line by line."""
        end = received.rfind(b"\n\n") + 2
        name = b"data: " if received.startswith(b"data: ") else b"data:"
        if 2 <= end <= MAX_EVENT and received.startswith(name):
            run = received[len(name) : end - 2]
            events = run.split(b"\n\n" + name)
            if b"\r" not in run and run.count(b"\n") == 2 * (len(events) - 1):
                self._has_begun, self._after_return = True, False
                # Without the blank in the name it may yet be there.
                found += events if len(name) > 5 else [each.removeprefix(b" ") for each in events]
                received = received[end:]
        if received:
            self._read(received, found)

    def _read(self, received: bytes, found: list[bytes]) -> None:
        """The same by the letter of the standard, line by line."""
        if not self._has_begun:
            received = b"".join((*self._line, received))
            self._line, self._pending = [], 0
            if len(received) < len(_BOM) and _BOM.startswith(received):
                self._line, self._pending = [received], len(received)
                return
            self._has_begun = True
            received = received.removeprefix(_BOM)
        if self._after_return and received:
            received = received.removeprefix(b"\n")
            self._after_return = False
        if not received:
            return
        self._after_return = received.endswith(b"\r")
        *lines, rest = _LINE_END.split(received)
        if lines:
            lines[0] = b"".join((*self._line, lines[0]))
            self._line, self._pending = [], 0
        self._take(lines, found)
        if rest and self.failure is None:
            self._line.append(rest)
            self._pending += len(rest)
            if self._pending > MAX_EVENT:
                self._fail("a line")

    def _take(self, lines: list[bytes], found: list[bytes]) -> None:
        for line in lines:
            if not line:
                if self._data:
                    found.append(b"\n".join(self._data))
                    self._data, self._size = [], 0
                continue
            if len(line) > MAX_EVENT:
                self._fail("a line")
                return
            name, _, value = line.partition(b":")
            if name == b"data":
                value = value.removeprefix(b" ")
                self._data.append(value)
                self._size += len(value) + 1
                if self._size > MAX_EVENT:
                    self._fail("an event")
                    return

    def _fail(self, what: str) -> None:
        """Keep nothing but the failure."""
        self._line, self._data = [], []
        self._pending = self._size = 0
        self.failure = TooLargeError(f"{what} of the stream has more than {MAX_EVENT} bytes")
