"""One target under atheris, in a process of its own; run.py starts it.

Usage: python -m fuzz.engine TARGET [LIBFUZZER_OPTION | CORPUS_FOLDER]...
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from random import Random
from types import ModuleType

import atheris

ROOT = Path(__file__).resolve().parent.parent

BLIND_SHARE = 0.2
"""Of the changes to inputs of a target that has its own: as many are left to libFuzzer."""


def load(name: str) -> ModuleType:
    """The target, and all of ours that it imports, watched for new paths."""
    packages = ["modelplug", *(path.name for path in ROOT.glob("providers/*/modelplug_*"))]
    with atheris.instrument_imports(include=packages):
        return importlib.import_module(f"fuzz.targets.{name}")


def main(name: str, options: list[str]) -> None:
    """Fuzz until a limit in the options, or until a crash, which ends the process."""
    target = load(name)

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        """Either libFuzzer's change or the target's own."""
        random = Random(seed)
        if not hasattr(target, "mutate") or random.random() < BLIND_SHARE:
            changed: bytes = atheris.Mutate(data, max_size)
        else:
            changed = target.mutate(data, random)
        return changed[:max_size]

    atheris.Setup([sys.argv[0], *options], target.check, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
