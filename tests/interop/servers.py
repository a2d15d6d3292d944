"""Servers that nobody here wrote, each in a process of its own while its block lasts.

Each has a script here that starts it, prints its address, and serves until its standard input
ends: so it ends even if these tests are killed.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.interop.foreign import ENVIRONMENT, FOLDER

_SECONDS = 120.0
"""How long one may take to start, and to answer a look at it: none takes so long by itself."""


@contextmanager
def foreign_server(script: str, *arguments: str, logs: Path) -> Iterator[str]:
    """A server's address; ``logs`` is the folder for what it says on the way."""
    assert (ENVIRONMENT / ".stamp").exists(), "run 'make interop-env' first ('make test' does)"
    log = logs / f"{script}.log"
    with log.open("wb") as said, _process(script, *arguments, said=said) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, f"{script} didn't start: {log.read_text(errors='replace')[-2000:]}"
        yield address


@contextmanager
def _process(script: str, *arguments: str, said: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [ENVIRONMENT / "bin" / "python", FOLDER / script, *arguments],
        env={"PYTHONIOENCODING": "utf-8"},  # nothing of the machine's own, such as a proxy
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
    )
    # One that never prints would have us wait for ever.
    starting = threading.Timer(_SECONDS, process.kill)
    starting.start()
    try:
        with process:  # closes its pipes, and waits for it
            try:
                yield process
            finally:
                starting.cancel()
                _end(process)
    finally:
        starting.join()


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def looked_at(address: str, *, key: str = "") -> str:
    """What a server says at an address, by the standard library."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = Request(address, headers=headers)  # noqa: S310  # of a server of ours
    with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
        text: str = response.read().decode()
    return text


def json_at(address: str) -> Any:
    """The same, as JSON."""
    return json.loads(looked_at(address))
