"""A plugin's repository, in which pytest is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

FAST = "--conformance-quantum=0.05"

OWN = """
def test_own():
    assert True
"""


class Project:
    """A plugin's repository."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder = folder
        self._site = site
        self.configure()
        (folder / "test_own.py").write_text(OWN)

    def configure(self, *lines: str, name: str = "modelplug-nothing") -> None:
        """Write pyproject.toml."""
        table = "\n".join(['addopts = ["-p", "no:asyncio", "-p", "no:hypothesispytest"]', *lines])
        text = f'[project]\nname = "{name}"\nversion = "1"\n[tool.pytest]\n{table}\n'
        (self.folder / "pyproject.toml").write_text(text)

    def pytest(self, *arguments: str) -> tuple[int, str]:
        """What a run ends with, and what it says."""
        paths = os.pathsep.join(map(str, (self._site, self.folder / "site", ROOT)))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr
