"""Loading each backend in a process of its own, to tell which work.

A plugin may do anything while it is imported: hang, end the process, print, crash the
interpreter. Here it can do so to nobody but itself.

``python -m modelplug.cli.check NAME DIST`` is what runs in those processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from modelplug.cli.failure import Failure
from modelplug.errors import ProxyLLMError
from modelplug.plugins import InstalledPlugin
from modelplug.registry import registry

__all__ = ["Verdict", "check"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of loading a backend.

    Attributes:
        status: ``ok``; ``failed`` with an error; ``hung``: not done in time; ``died``: its
            process ended without a word.
        error: the error's class; message, cause, hint: its words.
        capabilities: by name: native, emulated, unsupported or not_implemented.
        emulator: whether ``modelplug emulate`` can run one.
    """

    status: str
    error: str | None = None
    message: str | None = None
    cause: str | None = None
    hint: str | None = None
    capabilities: Mapping[str, str] = field(default_factory=dict)
    emulator: bool = False


def check(plugins: Collection[InstalledPlugin], *, seconds: float = 10.0) -> Sequence[Verdict]:
    """A verdict on each, in order; as many at once as there are processors."""
    running: set[subprocess.Popen[bytes]] = set()
    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        return list(pool.map(lambda plugin: _check(plugin, seconds, running), plugins))
    finally:
        # After Ctrl-C some still run, and the pool would wait for them.
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            process.kill()
        pool.shutdown()


def _check(
    plugin: InstalledPlugin, seconds: float, running: set[subprocess.Popen[bytes]]
) -> Verdict:
    # -P: without it, a module in the working directory would stand in for an installed one.
    command = [sys.executable, "-P", "-m", "modelplug.cli.check", plugin.name, plugin.dist]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=nothing) as process:
        running.add(process)
        try:
            told, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return Verdict(status="hung", message=f"not loaded within {seconds:g} s")
        finally:
            running.discard(process)
    try:
        return Verdict(**json.loads(told))
    except ValueError:
        return Verdict(status="died", message=_end(process.returncode))


def _end(status: int) -> str:
    if status < 0:
        return f"its process was ended by signal {-status}"
    return f"its process ended itself with exit status {status}"


def main(name: str, dist: str) -> None:
    """Load one backend, and write the verdict where the plugin can't: it has no such file."""
    told = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.write(told, json.dumps(asdict(_load(name, dist))).encode())
    # At once: threads or exit handlers that the plugin has left behind might not end.
    os._exit(0)


def _load(name: str, dist: str) -> Verdict:
    try:
        plugin = registry().find(name, dist)
        backend = registry().load(name, dist)
        registry().load_client(backend, plugin)
    except ProxyLLMError as error:
        failure = Failure.of(error)
        return Verdict(
            status="failed",
            error=type(error).__name__,
            message=error.message,
            cause=failure.cause,
            hint=failure.hint,
        )
    return Verdict(
        status="ok",
        capabilities=backend.capabilities.to_dict(),
        emulator=backend.emulator is not None,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
