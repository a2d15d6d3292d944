"""Spark clients that nobody here wrote, and the one way to have them ask the emulator.

Each has a script here that takes an address, an account and a question, and prints a line of JSON
last: a list with a mapping for each way in which the client can ask. It has ``error``, or ``text``
and, if the client shows them, ``usage`` and ``pieces``, the number of deltas of a streamed answer.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modelplug_spark.emulator import SparkEmulator

FOLDER = Path(__file__).parent
ENVIRONMENT = FOLDER.parents[1] / ".venv-interop"


class ForeignClient(NamedTuple):
    """A client's script, what runs it, and whether the client shows the words of a refusal."""

    script: str
    interpreter: str = "python"
    shows_words: bool = True

    def ask(self, question: str, **changes: str) -> list[Mapping[str, Any]]:
        """What it gets from an emulator of its own; changes are to the account that it uses."""
        stamp = ENVIRONMENT / ".stamp"
        assert stamp.exists(), "run 'make interop-env' first ('make test' does)"
        with SparkEmulator(pace=0) as emulator:
            told = {**emulator.describe(), **changes}
            account = [told[name] for name in ("url", "app_id", "api_key", "api_secret")]
            done = subprocess.run(
                [ENVIRONMENT / "bin" / self.interpreter, FOLDER / self.script, *account, question],
                # Nothing of the machine's own, such as a proxy or options of Node.js.
                env={"NODE_PATH": str(ENVIRONMENT / "node_modules"), "PYTHONIOENCODING": "utf-8"},
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=60,
                check=True,
            )
        answers: list[Mapping[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return answers


CLIENTS = (
    ForeignClient("official_sdk.py"),
    ForeignClient("xunfeispark.py"),
    ForeignClient("spark_llm_api.js", "node", shows_words=False),
)
