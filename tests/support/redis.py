"""A real Redis, or Valkey, that a test starts and ends."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis, RedisError

ENVIRONMENT = Path(__file__).parents[2] / ".venv-interop"
NAMES = ("redis-server", "valkey-server")

VARIABLE = "MODELPLUG_TESTS_REDIS"
"""Names a server's binary to be used in place of the one that is found."""

PASSWORD = "pass-0123456789abcdef"


def binary() -> str:
    """The server: of the environment that ``make interop-env`` makes, or of the machine."""
    if named := os.environ.get(VARIABLE):
        return named
    folders = [ENVIRONMENT / "bin", *ENVIRONMENT.glob("lib/python3*/site-packages/*lite/bin")]
    for path in [*map(str, folders), None]:
        for name in NAMES:
            if found := shutil.which(name, path=path):
                return found
    raise AssertionError(f"there is no {' or '.join(NAMES)}: run 'make interop-env' first")


class RedisServer:
    """A server that runs; it keeps nothing."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"

    def client(self) -> Redis:
        """A client of it, for looking."""
        return Redis.from_url(self.url)

    def kill(self) -> None:
        """End it at once, by its own id."""
        self._process.kill()
        self._process.wait()


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A server on a free port of the loopback device."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        told = {
            "--port": str(port),
            "--bind": "127.0.0.1",
            "--save": "",
            "--appendonly": "no",
            "--dir": folder,
            "--requirepass": PASSWORD,
        }
        words = [word for pair in told.items() for word in pair]
        process = subprocess.Popen([binary(), *words], stdout=subprocess.DEVNULL)
        server = RedisServer(process, port)
        try:
            _wait_for(server)
            yield server
        finally:
            server.kill()


def _wait_for(server: RedisServer) -> None:
    until = time.monotonic() + 20
    with server.client() as client:
        while time.monotonic() < until:
            assert server._process.poll() is None, "the server ended at once"
            try:
                client.ping()
            except RedisError:
                time.sleep(0.01)
            else:
                return
    raise AssertionError("the server doesn't answer")
