"""What a plugin does in a process of its own, where nothing was imported before it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias, TypedDict

from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import Violation
from modelplug.plugins import InstalledPlugin
from modelplug.registry import registry

__all__ = ["Found", "Part", "alone", "plugin_of"]

Part: TypeAlias = Literal["import", "count"]
"""``import``: load the plugin and its client. ``count``: also make one, and count tokens."""

_PATIENCE = 60.0
"""Seconds for a process, interpreter and imports included: a hang is meant, no slowness."""


class Found(TypedDict):
    """What a process of its own saw.

    Attributes:
        error: what the plugin raised, if it did.
        client: the name of the class that serves.
        needs: packages that aren't the plugin's own and came with its client.
        early: which modules of the client came with the plugin's module already.
        reached: what it asked of the network and of other processes.
        changed: what it changed in its process.
        printed: what it wrote on standard output and standard error.
    """

    error: str
    client: str
    needs: list[str]
    early: list[str]
    reached: list[str]
    changed: list[str]
    printed: str


def alone(lab: Lab, part: Part, *, without: str | None = None) -> Found:
    """Do a part of what an app does with the plugin, in a process of its own.

    Args:
        lab: whose plugin.
        part: how much of it.
        without: a package that isn't to be found there.

    Raises:
        Violation: the process didn't end, or didn't end well.
    """
    dist = plugin_of(lab).dist
    with TemporaryDirectory(prefix="modelplug-") as folder:
        told = Path(folder) / "found.json"
        task = {
            "path": sys.path,
            "backend": lab.backend.name,
            "dist": dist,
            "part": part,
            "without": without,
            "told": str(told),
        }
        script = Path(__file__).with_name("child.py")
        done = _run([sys.executable, "-X", "utf8", str(script), json.dumps(task)])
        if not told.exists():
            raise Violation(
                f"a process that loads the plugin ended with {done.returncode}: {done.stderr}"
            )
        found: Found = json.loads(told.read_text(encoding="utf-8"))
    return {**found, "printed": done.stdout + done.stderr}


def plugin_of(lab: Lab) -> InstalledPlugin:
    """The plugin as its distribution's metadata has it; two may bring one of that name."""
    named = [each for each in registry().backends() if each.name == lab.backend.name]
    for plugin in named[:-1]:
        if registry().load(plugin.name, plugin.dist).client == lab.backend.client:
            return plugin
    return named[-1]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            encoding="utf-8",
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        pass
    raise Violation("a process that loads the plugin doesn't end")
