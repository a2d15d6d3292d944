"""The fixtures for pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modelplug import WrongUseError, new_client
from modelplug.testing import ScriptedClient

pytest_plugins = ["modelplug.fixtures"]


def test_a_test_says_what_the_model_says(modelplug_model: ScriptedClient) -> None:
    """Whatever client its app makes."""
    modelplug_model.say("Paris.")
    assert new_client("echo").sync_generate("Where?").text == "Paris."


def test_a_test_may_refuse_the_network(modelplug_no_network: None) -> None:
    """Whatever its app is configured to."""
    account = {"api_app_id": "1", "api_key": "k", "api_secret": "s"}
    client = new_client({"backend": "spark", "api_base": "wss://example.invalid", **account})
    with pytest.raises(WrongUseError):
        client.sync_generate("hi")


def test_a_suite_pays_for_what_it_uses() -> None:
    """Until a test asks for a fixture, nothing else is imported."""
    code = (
        "import sys, modelplug.fixtures; print({'pydantic', 'modelplug.testing'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
