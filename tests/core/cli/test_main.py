from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version


def test_it_runs_as_a_module() -> None:
    """``python -m modelplug.cli`` is the command line under its usual name."""
    command = [sys.executable, "-m", "modelplug.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"modelplug {version('modelplug')}\n"
