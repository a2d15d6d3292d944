"""The main job of modelplug, on this machine, without a key: a file, a question, an answer.

``make demo`` runs it. It starts the emulator of a backend's service, asks it about a file of
this repository through the command line, and shows the answer as it comes. Each step shows the
command that it runs: type it yourself. ``--backend echo`` needs no emulator.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("README.md", "CONTRIBUTING.md", "examples/demo.py")
QUESTION = "What is this file about?"


def say(text: str) -> None:
    """Print at once, so that it stands before what a command prints."""
    print(text, flush=True)


@contextmanager
def modelplug(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Show a command and run it; however this program goes on, the command ends with it."""
    say(f"$ modelplug {shlex.join(arguments)}\n")
    with subprocess.Popen(
        [sys.executable, "-m", "modelplug.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def told(process: subprocess.Popen[bytes]) -> str:
    """All that a command had to say on standard error, once it is done."""
    return process.stderr.read().decode() if process.stderr else ""


def pieces(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What a command writes, in the pieces in which it writes them."""
    while process.stdout and (piece := os.read(process.stdout.fileno(), 65536)):
        yield piece


def ask(backend: str, file: str, variables: Mapping[str, str]) -> int:
    """Ask about a file and show the answer; the command's exit status."""
    count = 0
    with modelplug("ask", "-b", backend, "-v", "-f", file, QUESTION, **variables) as process:
        for piece in pieces(process):
            count += bool(piece.strip())
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()
        say(f"\n{told(process)}")
        status = process.wait()
    if status == 0:
        say(f"== Done: the answer came in {count} pieces, each shown when it came.")
    return status


def main(backend: str) -> int:
    """Run the steps; the exit status."""
    file = next(name for name in FILES if (ROOT / name).exists())
    name = backend.partition(":")[0].partition("?")[0]
    if name == "echo":  # it answers by itself
        say(f"== Ask {name} about {file}")
        return ask(backend, file, {})
    say(f"== 1. Start the emulator of {name}: its service, played on this machine")
    with modelplug("emulate", name) as emulator:
        line = emulator.stdout.readline() if emulator.stdout else b""
        if not line:
            say(told(emulator))
            return emulator.wait()
        place = json.loads(line)
        say(f"It listens on {place['url']} and says what to export:")
        say("".join(f"  {variable}\n" for variable in place["environment"]))
        say(f"== 2. Ask {backend} about {file}, with those variables set")
        status = ask(backend, file, place["environment"])
    if status == 0:
        say("Next, with questions of your own:")
        say(f"  modelplug emulate {name}      (says what to type in a second terminal)")
        say("  modelplug ask --help")
        say("  modelplug backends --check")
    return status


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--backend", metavar="CONFIG", default="spark:generalv3.5")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the commands end, too
    try:
        sys.exit(main(parser.parse_args().backend))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # nobody reads any more: the rest goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
