"""Fixtures of the OpenAI provider's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelplug.testing.http import HttpUpstream
from modelplug_openai.codec import OpenAICodec
from modelplug_openai.emulator import OpenAIEmulator
from modelplug_openai.presets import PRESETS


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own account is used: the variables are unset."""
    for preset in PRESETS:
        for name in (preset.key, preset.base_variable, preset.version_variable):
            if name:
                monkeypatch.delenv(name, raising=False)


@pytest.fixture
def emulator() -> Iterator[OpenAIEmulator]:
    """A running service that answers without pauses."""
    with OpenAIEmulator(pace=0) as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[HttpUpstream]:
    """A running service that says what a test has it play, in OpenAI's words."""
    with HttpUpstream(OpenAICodec()) as running:
        yield running
