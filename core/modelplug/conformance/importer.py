"""The process of ``importing``: it loads a plugin, and writes down what happened.

It imports nothing of the kit before the plugin has been looked at.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

REACHING = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "subprocess.Popen",
    "os.system",
    "os.posix_spawn",
    "os.exec",
    "os.fork",
    "urllib.Request",
)
"""Audit events of whoever asks the network, or another process, for something."""

CHANGING = {"os.putenv": "an environment variable", "os.unsetenv": "an environment variable"}
"""Audit events of whoever changes what is the app's."""


class Without:
    """Has a package not be installed."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Nothing, and nobody else is asked."""
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class Watch:
    """Notes audit events while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.reached: list[str] = []
        self.changed: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in REACHING and not _is_of_asyncio(event):
            self.reached.append(event)
        if event in CHANGING:
            self.changed.append(f"{CHANGING[event]}, {arguments[0]!r}")


def _is_of_asyncio(event: str) -> bool:
    """Whether it is the socket pair that a loop makes for itself where there are no pairs."""
    return sys.platform == "win32" and event in ("socket.connect", "socket.bind")


def state() -> dict[str, object]:
    """What is the app's, and not an import's to change."""
    root = logging.getLogger()
    return {
        "the threads": sorted(each.name for each in threading.enumerate()),
        "the root logger's handlers": [type(each).__name__ for each in root.handlers],
        "the root logger's level": root.level,
        "the warnings filters": [str(each) for each in warnings.filters],
        "sys.excepthook": str(sys.excepthook),
        "sys.stdout": str(sys.stdout),
        "asyncio's policy": str(getattr(asyncio.events, "_event_loop_policy", None)),
    }


def load(name: str, dist: str, found: dict[str, Any]) -> None:
    """What the first ``new_client`` of an app does before it makes one."""
    registry = import_module("modelplug.registry").registry()
    plugin = registry.find(name, dist)
    backend = registry.load(plugin.name, plugin.dist)
    client = backend.client.partition(":")[0]
    found["early"] = [client] if client in sys.modules else []
    before = packages()
    found["client"] = registry.load_client(backend, plugin).__name__
    own = {"modelplug", plugin.value.partition(".")[0], client.partition(".")[0]}
    found["needs"] = sorted(packages() - before - own)


def packages() -> set[str]:
    """What is imported, but for the standard library."""
    return {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)


def made(task: dict[str, Any]) -> Any:
    """A client, as the harness says."""
    account = import_module("modelplug.conformance.harness").Account()
    kit = import_module("modelplug.conformance.subject")
    params = kit.Subject.of(task["backend"], task["dist"]).params(task["url"], account)
    return import_module("modelplug.factory").new_client(params)


def meet(task: dict[str, Any], found: dict[str, Any]) -> None:
    """Make a client, and look what became of the backend's name and of the neighbour."""
    with made(task) as client:
        found["made"] = type(client).__name__
    registry = import_module("modelplug.registry").registry()
    neighbour = task["neighbour"]
    named = [each.dist for each in registry.backends() if each.name == neighbour]
    found["listed"] = named
    found["plain"] = outcome(lambda: registry.find(task["backend"]).dist)
    found["neighbour"] = outcome(lambda: registry.load(neighbour).name)


def outcome(call: Callable[[], str]) -> str:
    """What a call gives, or the error that it raises."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # a plugin may raise anything
        return f"{type(error).__name__}: {error}"


AHEAD = 9
"""How far the contract of a renewed core is ahead: 10 isn't less than 9."""


def renew() -> None:
    """Have the core be of another contract, before any plugin is there."""
    modules = [import_module(f"modelplug{name}") for name in ("", ".backend", ".registry")]
    contract = modules[0].CONTRACT + AHEAD
    for module in modules:
        vars(module)["CONTRACT"] = contract


async def count(task: dict[str, Any]) -> None:
    """Make a client, and count."""
    with made(task) as client:
        await client.count_token(client.default_model, "Hello, world")
        await client.count_tokens("Hello, world")


def main(task: dict[str, Any]) -> None:
    """Do the task, and write down what happened."""
    if task["site"]:
        sys.path.insert(0, task["site"])
    found: dict[str, Any] = {"error": "", "client": "", "early": [], "needs": []}
    found |= {"made": "", "plain": "", "neighbour": "", "listed": []}
    import_module("modelplug")
    if task["part"] == "renew":
        renew()
    watch = Watch()
    if task["without"]:
        sys.meta_path.insert(0, Without(task["without"]))
    before = state()
    watch.on = True
    try:
        load(task["backend"], task["dist"], found)
        if task["part"] == "count":
            import_module("modelplug.bridge").run(lambda: count(task))
        if task["part"] == "meet":
            meet(task, found)
    except Exception as error:  # noqa: BLE001  # a plugin may raise anything
        found["error"] = f"{type(error).__name__}: {error}"
    watch.on = False
    after = state()
    found["reached"] = sorted(set(watch.reached))
    found["changed"] = [*watch.changed, *(what for what in after if after[what] != before[what])]
    Path(task["told"]).write_text(json.dumps(found), encoding="utf-8")
