"""What importing a plugin does, in a process of its own; the other half is ``importer.py``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias, TypedDict

from modelplug.conformance.lab import Lab
from modelplug.conformance.mute import origin
from modelplug.conformance.processes import fate, started
from modelplug.conformance.verdict import Violation

__all__ = ["Found", "Neighbour", "Part", "importing"]

Part: TypeAlias = Literal["import", "count", "meet", "renew"]
"""``import``: load the plugin and its client. ``count``: also make one, and count tokens.
``meet``: make one, and then look for the backend by its name alone, and for the neighbour.
``renew``: load the plugin into a core of another contract."""

_NOWHERE = "127.0.0.1:9"
"""An address where nobody listens: a client is made there, and asks nothing."""

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
        made: the class of the client that was made, where one was to be made.
        plain: what came of the backend's name alone, a distribution or an error.
        neighbour: what came of loading the neighbour, an error.
        listed: the distributions that the list of backends has the neighbour's name from.
    """

    error: str
    client: str
    needs: list[str]
    early: list[str]
    reached: list[str]
    changed: list[str]
    printed: str
    made: str
    plain: str
    neighbour: str
    listed: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """A distribution that is installed beside the plugin's, in that process alone.

    Attributes:
        backend: the backend that it brings.
        dist: what it is called.
        source: its plugin module.
    """

    backend: str
    dist: str
    source: str

    def install(self, folder: Path) -> str:
        """Write it into a folder; where that belongs on the path."""
        module = self.dist.replace("-", "_")
        info = folder / "site" / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {self.dist}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        points = f"[modelplug.backends]\n{self.backend} = {module}\n"
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        (folder / "site" / f"{module}.py").write_text(self.source, encoding="utf-8")
        return str(folder / "site")


def importing(
    lab: Lab, part: Part, *, without: str | None = None, beside: Neighbour | None = None
) -> Found:
    """Do a part of what an app does with the plugin, in a process of its own.

    Args:
        lab: whose plugin.
        part: how much of it.
        without: a package that isn't to be found there.
        beside: what else is installed there.

    Raises:
        Violation: the process didn't end, or didn't end well.
    """
    with TemporaryDirectory(prefix="modelplug-") as folder:
        told = Path(folder) / "found.json"
        task = {
            "backend": lab.backend.name,
            "dist": lab.subject.plugin.dist,
            "url": origin(lab.upstream, _NOWHERE),
            "part": part,
            "without": without,
            "site": beside.install(Path(folder)) if beside else None,
            "neighbour": beside.backend if beside else None,
            "told": str(told),
        }
        status, printed = _ended(task)
        if not told.exists():
            raise Violation(f"a process that loads the plugin died, {fate(status)}: {printed}")
        found: Found = json.loads(told.read_text(encoding="utf-8"))
    return {**found, "printed": printed}


def _ended(task: Mapping[str, object]) -> tuple[int, str]:
    """The exit status of a process with this task, and what it printed."""
    with started("importer", task, stderr=subprocess.PIPE) as process:
        try:
            said = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        else:
            return process.returncode, "".join(said)
    raise Violation("a process that loads the plugin doesn't end")
