"""What was typed into the chat, kept from one time to the next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from modelplug.params import read_variable

__all__ = ["InputHistory"]

_KEPT = 1000
"""Inputs that are read again."""

_MOST = 4 << 20
"""Bytes above which a file is no history that we have written, and isn't read."""


class InputHistory:
    """A file of the user's own, readable by nobody else, with an input a line, as JSON.

    Whatever goes wrong with it, the chat goes on: it is a convenience.

    Args:
        file: None is for none.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    @classmethod
    def chosen(cls, name: str | None) -> InputHistory:
        """That of ``--history``: a file's name, or ``none``; None is the usual file."""
        if name == "none":
            return cls(None)
        return cls(Path(name).expanduser() if name else _usual_file())

    def read(self) -> list[str]:
        """The last inputs, first to last."""
        try:
            return list(self._lines())[-_KEPT:]
        except (OSError, ValueError):
            return []

    def add(self, text: str) -> None:
        """Remember one more, at once: a chat may be killed."""
        try:
            self._append(json.dumps(text) + "\n")
        except (OSError, ValueError):
            self._file = None  # it won't work the next time either

    def _lines(self) -> Iterator[str]:
        if self._file is None or self._file.stat().st_size > _MOST:
            return
        for line in self._file.read_text(encoding="ascii").splitlines():
            value: object = json.loads(line)
            if isinstance(value, str):
                yield value

    def _append(self, line: str) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._file, flags, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)  # it may have been there, for all to read
            file.write(line)


def _usual_file() -> Path | None:
    try:
        folder = Path(read_variable("XDG_STATE_HOME") or "~/.local/state").expanduser()
    except RuntimeError:  # nobody knows where home is
        return None
    return folder / "modelplug" / "chat-history.jsonl"
