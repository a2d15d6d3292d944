"""iFlytek's own SDK, which shares no code with us, believes that the emulator is Spark."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from modelplug_spark.emulator import SparkEmulator

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-interop" / "bin" / "python"
SCRIPT = Path(__file__).parent / "official_sdk.py"
QUESTION = "Why is the sky blue?"


def ask(**changes: str) -> list[Mapping[str, object]]:
    """What the SDK gets from the emulator: streamed, then plain."""
    assert PYTHON.exists(), "run 'make interop-env' first ('make test' does)"
    with SparkEmulator(pace=0).running() as emulator:
        told = {**emulator.describe(), **changes}
        account = [told[name] for name in ("url", "app_id", "api_key", "api_secret")]
        done = subprocess.run(
            [PYTHON, SCRIPT, *account, QUESTION],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    answers: list[Mapping[str, object]] = json.loads(done.stdout)
    return answers


def test_it_completes_a_streamed_and_a_plain_answer() -> None:
    """The SDK streams an answer in pieces, and gets the same one whole with its usage."""
    streamed, plain = ask()
    assert QUESTION in str(streamed["text"])
    assert streamed["pieces"] > 3  # type: ignore[operator]  # a number
    assert streamed["text"] == plain["text"]
    usage = plain["usage"]
    assert isinstance(usage, dict)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"api_secret": "wrong"}, "401 Unauthorized.*HMAC signature does not match"),
        ({"api_key": "unknown"}, "401 Unauthorized.*fail to retrieve credential"),
        ({"app_id": "00000000"}, "11200|10015|10016|AppIdNoAuthError"),
    ],
    ids=["secret", "key", "app"],
)
def test_it_is_refused_as_the_service_refuses(wrong: dict[str, str], words: str) -> None:
    """Wrong credentials end in the SDK's own error with the service's status and words."""
    for answer in ask(**wrong):
        assert re.search(words, str(answer["error"]))
