"""On what the figures were taken: machine, versions, and how busy it was."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.running import FOREIGN, authorities

__all__ = ["load", "machine", "versions"]

OWN = ("modelplug", "httptools", "msgspec", "pydantic", "tiktoken", "websockets")
THEIRS = (
    *("any-llm-sdk", "httpx", "langchain-community", "litellm", "openai", "pydantic-ai-slim"),
    *("spark-ai-python", "websocket-client"),
)

_ASK = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def load() -> str:
    """How busy the machine is: the load averages of 1, 5 and 15 minutes."""
    return ", ".join(f"{each:.2f}" for each in os.getloadavg())


def versions(python: str | Path, names: Sequence[str]) -> Mapping[str, str]:
    """The versions of distributions in an environment, of those that are there."""
    command = [str(python), "-c", _ASK, *names]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    found: dict[str, str] = json.loads(told)
    return found


def machine() -> Mapping[str, str]:
    """Everything that a reader of the figures should know, by its name."""
    found = dict(versions(sys.executable, OWN))
    if FOREIGN.exists():
        found |= versions(FOREIGN, THEIRS)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "certificate authorities": str(authorities().count(b"-----BEGIN CERTIFICATE")),
        "versions": ", ".join(f"{name} {found[name]}" for name in found),
        "load average before": load(),
    }


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text("utf-8").splitlines() if told.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
