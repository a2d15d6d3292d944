"""Text as it is written: plain to a file or a pipe, harmless to a terminal."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from types import TracebackType
from typing import Self, TextIO

import click

__all__ = [
    "Answer",
    "OutputError",
    "drop_output",
    "is_terminal",
    "one_line",
    "shown",
    "to_json",
    "write",
    "write_anything",
]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Every control character but tab and line feed, those of eight bits (C1) included, and those
that turn the direction of text, behind which a line can say another thing than it shows."""


class OutputError(Exception):
    """Standard output can't be written; ``reason`` is the system's own error."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def write(text: str = "", *, nl: bool = True) -> None:
    """Write to standard output, at once; what can't act on a terminal is the caller's to see to.

    Raises:
        OutputError: the disk is full, or nobody reads any more.
    """
    if sys.stdout is None:  # closed by whoever started us
        raise OutputError(OSError(errno.EBADF, os.strerror(errno.EBADF)))
    try:
        # With color=True click leaves escape sequences alone, which it would take out of what
        # is piped: that has to be the answer and nothing else.
        click.echo(text, nl=nl, color=True)
    except OSError as error:
        raise OutputError(error) from error


def shown(text: str) -> str:
    r"""``text`` with its control characters as escapes: ``\x1b`` can't move a cursor."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """``text`` for a message that must stay one line, and can't pretend to be another."""
    return shown(text).replace("\n", "\\n")


def to_json(value: object, *, indent: int | None = None) -> str:
    """``value`` as JSON that is safe on a terminal; Chinese stays readable."""
    text = json.dumps(value, ensure_ascii=not _is_unicode(sys.stdout), indent=indent, default=str)
    # json escapes the control characters below 32 only; all others stand inside strings.
    return re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def write_anything() -> None:
    """Let standard output take what its encoding hasn't: as escapes, not as a crash."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Send what standard output still holds to nowhere: it can't be written any more.

    Else the interpreter would try once more when it exits, and complain.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class Answer:
    """An answer on standard output, piece by piece, with exactly one newline at its end.

    One that fails before it began leaves nothing at all.
    """

    def __init__(self) -> None:
        self._escapes = is_terminal()
        self._newlines = 0  # held back, as they may turn out to be the last
        self._began = False

    def write(self, piece: str) -> None:
        """Write the next piece, at once."""
        text = piece.rstrip("\n")
        if text:
            self._began = True
            held = "\n" * self._newlines
            self._newlines = 0
            write(held + (shown(text) if self._escapes else text), nl=False)
        self._newlines += len(piece) - len(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._began or exc_type is None:
            write()
        elif exc_type is KeyboardInterrupt:
            click.echo(err=True)  # ends the line on which the terminal shows ^C


def _is_unicode(stream: TextIO | None) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().startswith("utf")
