"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from modelplug.registry import registry
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.codec import SparkCodec
from tests.core.conformance import tally
from tests.faults import table
from tests.faults.rows import MARK
from tests.support.dists import on_path

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark of the fault matrix known: tests anywhere may show one of its rows."""
    config.addinivalue_line("markers", MARK)
    # Here and not in the folders' own conftests: with several processes, the one that prints
    # collects nothing, and so reads none but this.
    config.pluginmanager.register(tally)
    config.pluginmanager.register(table)


@pytest.fixture(autouse=True)
def no_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """No modelplug.toml of the developer's own has a say."""
    monkeypatch.setenv("MODELPLUG_CONFIG", "none")


@pytest.fixture
def upstream() -> Iterator[WebSocketUpstream]:
    """A running service that says what a test has it play, in Spark's words."""
    with WebSocketUpstream(SparkCodec()) as upstream:
        yield upstream


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of ``sys.path`` for made-up distributions; the registry looks anew."""
    monkeypatch.delenv("MODELPLUG_BACKENDS", raising=False)
    monkeypatch.delenv("MODELPLUG_PLUGINS_DISABLED", raising=False)
    registry.cache_clear()
    with on_path(tmp_path):
        yield tmp_path
    registry.cache_clear()
