"""How messages stand in the body of an HTTP response: as SSE events, or as lines of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from modelplug.testing.steps import Lines

__all__ = ["Framing", "ndjson", "sse"]

_LINE_END = re.compile(rb"\r\n|\r|\n")

_COMMENT = b": a comment, which says nothing"

_FIELDS = ((b"id", b"7"), (b"event", b"message"), (b"retry", b"3000"), (b"unheard-of", b"{}"))
"""Fields that a client which reads the data alone passes over; ``message`` is any event's type."""


class Framing(Protocol):
    """One way to put messages into a body.

    Attributes:
        content_type: what the response says that it is.
        lacks: steps that it has no place for, and why not.
    """

    content_type: str
    lacks: Mapping[object, str]

    def message(self, data: bytes, manner: Lines, *, ping: bool = False) -> bytes:
        """A message as it stands in the body; with ``ping``, what means nothing is among it."""
        ...  # pragma: no cover

    def ping(self, manner: Lines) -> bytes:
        """What keeps the connection alive and means nothing."""
        ...  # pragma: no cover


class _Sse:
    """Server-sent events, as the WHATWG has them (sections 9.2.5 and 9.2.6)."""

    content_type = "text/event-stream"
    lacks: Mapping[object, str] = {}

    def message(self, data: bytes, manner: Lines, *, ping: bool = False) -> bytes:
        pieces = _cut(data) if manner.several else _LINE_END.split(data)
        lines = [_field(b"data", piece, manner) for piece in pieces]
        if manner.fields:
            first, *others = (_field(name, value, manner) for name, value in _FIELDS)
            # Names without a colon are fields, too; what has no data is no event.
            lines = [first, b"event", b"", *others, *lines]
        if manner.comments or ping:
            lines = [_COMMENT, lines[0], b":", *lines[1:], _COMMENT]
        end = manner.end.encode()
        return b"".join(line + end for line in (*lines, b""))

    def ping(self, manner: Lines) -> bytes:
        return b":" + 2 * manner.end.encode()


class _Ndjson:
    """A message a line; blank ones mean nothing."""

    content_type = "application/x-ndjson"
    lacks: Mapping[object, str] = {Lines: "NDJSON has but one way to write a message"}

    def message(self, data: bytes, manner: Lines, *, ping: bool = False) -> bytes:
        line = _LINE_END.sub(b" ", data) + b"\n"
        return self.ping(manner) + line if ping else line

    def ping(self, manner: Lines) -> bytes:
        return b"\n"


def _field(name: bytes, value: bytes, manner: Lines) -> bytes:
    # One blank after the colon is no part of the value, so a value that begins with one needs it.
    needed = manner.blank or value.startswith(b" ")
    return name + (b": " if needed else b":") + value


def _cut(data: bytes) -> list[bytes]:
    """A message in pieces that mean the same with line ends between them, if it is JSON."""
    try:
        json.loads(data)
    except ValueError:
        return _LINE_END.split(data)
    ends = [*_joints(data), len(data)]
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return [line for piece in pieces for line in _LINE_END.split(piece)]


def _joints(data: bytes) -> Iterator[int]:
    """Where blanks may stand in JSON: after what opens or separates, outside of texts."""
    in_text = escaped = False
    for at, byte in enumerate(data[:-1]):
        if escaped:
            escaped = False
        elif byte == ord('"'):
            in_text = not in_text
        elif in_text:
            escaped = byte == ord("\\")
        elif byte in b"{[,:":
            yield at + 1


sse: Framing = _Sse()
"""Server-sent events: what OpenAI's kind of service speaks."""

ndjson: Framing = _Ndjson()
"""JSON, a message a line: what Ollama's kind of service speaks."""
