"""The command line in a process of its own, with what only a process has: signals and pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

# Ctrl-C arrives although this may run where it is ignored, as in the background of a shell.
_START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from modelplug.cli import main
main()
"""
COMMAND = [sys.executable, "-W", "error", "-c", _START]

SECONDS = 60
"""After which a process that should have ended is a failure; it is not waited for otherwise."""


class Ended(NamedTuple):
    """What became of a process."""

    status: int
    stdout: str
    stderr: str


class Program:
    """A running command line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.seen = b""

    def read_until(self, text: str) -> str:
        """Wait until ``text`` was written to standard output; all that has been so far."""
        while text.encode() not in self.seen:
            piece = os.read(self._process.stdout.fileno(), 65536)  # type: ignore[union-attr]
            assert piece, f"ended, after {self.seen!r} and {self._process.stderr.read()!r}"  # type: ignore[union-attr]
            self.seen += piece
        return self.seen.decode()

    def press_ctrl_c(self) -> None:
        """What a terminal does: the signal goes to the whole group."""
        os.killpg(self._process.pid, signal.SIGINT)

    def interrupt(self) -> None:
        """Send Ctrl-C's signal to the process alone."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM to the process alone."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to the process alone."""
        self._process.kill()

    def stop_reading(self) -> None:
        """Close this end of its standard output."""
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process.stdout = None

    def end(self) -> Ended:
        """Wait for its end."""
        out, err = self._process.communicate(timeout=SECONDS)
        return Ended(self._process.returncode, (self.seen + (out or b"")).decode(), err.decode())


@contextmanager
def started(
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    **env: str,
) -> Iterator[Program]:
    """The command line, started in a process group of its own; killed if a test leaves early."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
        start_new_session=True,
    ) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


def ended(*arguments: str, stdin: str = "", **env: str) -> Ended:
    """The command line, run to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin.encode(),
        capture_output=True,
        env={**os.environ, **env},
        timeout=SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
