"""Wheels, and fresh environments that have nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def uv(*arguments: object, cwd: Path | None = None) -> None:
    """Run uv, which the development environment has, and fail with what it said."""
    command = [sys.executable, "-m", "uv", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def build(project: Path, into: Path) -> Path:
    """The wheel of a project."""
    before = set(into.glob("*.whl"))
    uv("build", "-q", "--wheel", "--no-build-isolation", "-p", sys.executable, "-o", into, project)
    (wheel,) = {*into.glob("*.whl")} - before
    return wheel


def environment(folder: Path, requirements: Sequence[object]) -> Path:
    """The interpreter of a new environment with these wheels, and what they need."""
    uv("venv", "-q", "-p", sys.executable, folder)
    python = folder / "bin" / "python"
    constraints = ROOT / "requirements" / "dev.txt"
    uv("pip", "install", "-q", "-p", python, "-c", constraints, *requirements)
    return python
