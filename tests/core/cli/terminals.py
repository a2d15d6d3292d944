"""The command line at a terminal: what a person types, and what is on the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.core.cli.processes import SECONDS

__all__ = ["ALT_ENTER", "CTRL_C", "CTRL_D", "UP", "Terminal", "at_terminal"]

CTRL_C, CTRL_D, UP, ALT_ENTER = "\x03", "\x04", "\x1b[A", "\x1b\r"

# The terminal is the one that signals come from: Ctrl-C is a key like any other here.
_START = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
from modelplug.cli import main
main()
"""


class Terminal:
    """A command line that somebody sits at."""

    def __init__(self, process: subprocess.Popen[bytes], keys: int) -> None:
        self._process = process
        self._keys = keys
        self.seen = ""

    def type(self, keys: str) -> None:
        """Press keys; Enter is a carriage return."""
        os.write(self._keys, keys.encode())

    def read_until(self, text: str) -> str:
        """Wait for ``text`` behind all that was waited for before; what came up to its end."""
        while text not in self.seen:
            assert select.select([self._keys], [], [], SECONDS)[0], f"nothing but {self.seen!r}"
            piece = self._read()
            assert piece, f"ended, after {self.seen!r}"
            self.seen += piece
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def interrupt(self, until: str) -> None:
        """Press Ctrl-C at the prompt, and wait for ``until``; see ``_insist``."""
        self._insist(lambda: self.type(CTRL_C), lambda: until in self.seen)
        self.read_until(until)

    def end_by_ctrl_c(self) -> int:
        """Press Ctrl-C; its status."""
        self._insist(lambda: self.type(CTRL_C), lambda: self._process.poll() is not None)
        return self.end()

    def end_by_sigterm(self) -> int:
        """Send SIGTERM; its status."""
        self._insist(self._process.terminate, lambda: self._process.poll() is not None)
        return self.end()

    def end(self) -> int:
        """Wait for its end; its status. What it wrote since is in ``seen``."""
        while piece := self._read():
            self.seen += piece
        return self._process.wait(SECONDS)

    def _insist(self, signal: Callable[[], None], done: Callable[[], bool]) -> None:
        """Signal, and once more where that had no effect.

        One that comes in the very moment in which Python's readline begins to wait for keys is
        served with the next: nobody presses Ctrl-C as fast as these tests do.
        """
        for _ in range(3):
            signal()
            until = time.monotonic() + 5
            while not done() and time.monotonic() < until:
                if select.select([self._keys], [], [], 0.05)[0]:
                    self.seen += self._read()
            if done():
                return
        raise AssertionError(f"nothing came of it; {self.seen!r}")

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._keys)[3] & termios.ECHO)

    def _read(self) -> str:
        with suppress(OSError):  # as Linux says that nobody writes any more
            return os.read(self._keys, 65536).decode(errors="replace")
        return ""


@contextmanager
def at_terminal(
    *arguments: str, columns: int = 80, rows: int = 24, **env: str
) -> Iterator[Terminal]:
    """The command line, started at a terminal of its own; killed if a test leaves early."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    plain = {name: its for name, its in os.environ.items() if name not in ("COLUMNS", "LINES")}
    try:
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _START, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**plain, "TERM": "xterm-256color", **env},
            start_new_session=True,
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)
            finally:
                process.kill()
    finally:
        os.close(ours)
