"""OpenAI's own SDK, which shares no code with us, believes that the emulator is OpenAI."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from modelplug.testing import Fail, FailKind, RawRequest
from modelplug_openai.emulator import OpenAIEmulator
from tests.interop.foreign import ENVIRONMENT, FOLDER

SCRIPTED: tuple[FailKind, ...] = (
    "rate_limit",
    "server",
    "overloaded",
    "permission",
    "unknown_model",
)


@pytest.fixture(scope="module")
def told() -> Mapping[str, Any]:
    """What the SDK got, in each way of asking."""
    assert (ENVIRONMENT / ".stamp").exists(), "run 'make interop-env' first ('make test' does)"
    with OpenAIEmulator(pace=0, models=("any", "other")) as emulator:
        for kind in SCRIPTED:
            emulator.play(Fail(kind), when=asking(kind))
        emulator.play("half", Fail("server"), when=asking("amid"))
        account = emulator.describe()
        done = subprocess.run(
            [
                ENVIRONMENT / "bin/python",
                FOLDER / "openai_sdk.py",
                account["url"],
                account["api_key"],
            ],
            env={"PYTHONIOENCODING": "utf-8"},  # nothing of the machine's own, such as a proxy
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def asking(question: str) -> Any:
    """Whether a request has this question."""

    def asks(request: RawRequest) -> bool:
        return bool(request.body) and question == json.loads(request.body).get("messages", [{}])[
            -1
        ].get("content")

    return asks


def test_it_lists_the_models(told: Mapping[str, Any]) -> None:
    """By their names."""
    assert told["models"] == ["any", "other"]


def test_it_completes_an_answer(told: Mapping[str, Any]) -> None:
    """The same, whole and streamed."""
    whole, streamed = told["whole"], told["streamed"]
    assert "Why, 小明?" in whole["text"]
    assert (whole["text"], whole["reason"]) == (streamed["text"], streamed["reason"])
    assert (whole["reason"], streamed["ids"]) == ("stop", 1)
    assert streamed["pieces"] > 3


@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_it_reads_the_usage(told: Mapping[str, Any], way: str) -> None:
    """The bill comes with the answer, and adds up."""
    usage = told[way]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_it_calls_a_tool(told: Mapping[str, Any]) -> None:
    """Its own accumulator takes the pieces, and the result is answered."""
    called = told["called"]
    assert (called["name"], json.loads(called["arguments"])) == (
        "weather",
        {"city": "The weather, please."},
    )
    assert called["pieces"] > 1
    assert "rain" in called["answer"]


def test_it_gets_json(told: Mapping[str, Any]) -> None:
    """That fits the schema it asked for."""
    assert told["schema"] == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("stranger", ("AuthenticationError", 401, "invalid_api_key")),
        ("elsewhere", ("NotFoundError", 404, "unknown_url")),
        ("bad", ("BadRequestError", 400, None)),
    ],
)
def test_it_is_refused(
    told: Mapping[str, Any], way: str, expected: tuple[str, int, str | None]
) -> None:
    """Each refusal is one of its own classes."""
    found = told[way]
    assert expected == (found["error"], found["status"], found["code"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rate_limit", ("RateLimitError", 429)),
        ("server", ("InternalServerError", 500)),
        ("overloaded", ("InternalServerError", 503)),
        ("permission", ("PermissionDeniedError", 403)),
        ("unknown_model", ("NotFoundError", 404)),
    ],
)
def test_scripts_are_failures_to_it(
    told: Mapping[str, Any], kind: str, expected: tuple[str, int]
) -> None:
    """What tests of an app let happen, it takes for OpenAI's."""
    found = told["scripted"][kind]
    assert expected == (found["error"], found["status"])


def test_it_sees_a_failure_amid_a_stream(told: Mapping[str, Any]) -> None:
    """After what it heard."""
    found = told["amid"]
    assert (found["heard"], found["error"], found["status"]) == (["half"], "APIError", None)
