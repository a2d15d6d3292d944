"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.codec import SparkCodec


@pytest.fixture(autouse=True)
def no_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """No modelplug.toml of the developer's own has a say."""
    monkeypatch.setenv("MODELPLUG_CONFIG", "none")


@pytest.fixture
def upstream() -> Iterator[WebSocketUpstream]:
    """A running service that says what a test has it play, in Spark's words."""
    with WebSocketUpstream(SparkCodec()) as upstream:
        yield upstream
