"""How a run was made: by which kit, against which requirements, where, and with which numbers."""

from __future__ import annotations

import platform
import secrets
from dataclasses import dataclass
from importlib.metadata import version

__all__ = ["QUANTUM", "QUICK_QUANTUM", "RUNS", "Conditions", "drawn"]

QUANTUM = 0.25
"""Seconds of a quantum, unless somebody says otherwise."""

QUICK_QUANTUM = 0.1
"""The same for a quick look."""

RUNS = 3
"""Runs after which what didn't differ is believed: what depends on timing may pass by luck."""

_SEEDS = 10**6
"""Seeds to draw from: enough of them, and short enough to be typed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What has to be the same for a run to be the same.

    Attributes:
        set: the requirement set; empty where all checks count.
        kit: the version of the kit, which is that of the core.
        python: the interpreter and its version.
        platform: operating system and machine.
        seed: what random choices came from; None where it isn't known.
        quantum: seconds that all limits were multiples of.
        repeat: how many times everything was run; each run has a seed one higher.
        strict: whether warnings count as failures.
        dist: the distribution, where the backend's name wasn't enough; else empty.
    """

    set: str = ""
    kit: str = ""
    python: str = ""
    platform: str = ""
    seed: int | None = None
    quantum: float = QUANTUM
    repeat: int = 1
    strict: bool = False
    dist: str = ""

    @classmethod
    def here(cls, *, seed: int, quantum: float) -> Conditions:
        """Those of a run in this process."""
        return cls(
            kit=version("modelplug"),
            python=f"{platform.python_implementation()} {platform.python_version()}",
            platform=f"{platform.system()} {platform.machine()}",
            seed=seed,
            quantum=quantum,
        )

    @property
    def options(self) -> list[str]:
        """What the command line needs to make them again, but for ``repeat``."""
        told = []
        if self.quantum != QUANTUM:
            told += ["--quantum", f"{self.quantum:g}"]
        if self.seed is not None:
            told += ["--seed", str(self.seed)]
        if self.strict:
            told.append("--strict")
        return told


def drawn() -> int:
    """A seed, where nobody has chosen one."""
    return secrets.randbelow(_SEEDS)
