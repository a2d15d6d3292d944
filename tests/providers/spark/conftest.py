"""Fixtures of the Spark provider's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelplug_spark.emulator import SparkEmulator

ROW = "row(*ids): what a test shows of the protocol, by the ids of rows.toml beside this file"

VARIABLES = ("APPID", "API_KEY", "API_SECRET", "API_VERSION", "API_BASE")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known; scripts/spark_coverage.py collects what it marks."""
    config.addinivalue_line("markers", ROW)


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own account is used: the variables are unset."""
    for name in VARIABLES:
        monkeypatch.delenv(f"XUNFEI_SPARK_{name}", raising=False)


@pytest.fixture
def emulator() -> Iterator[SparkEmulator]:
    """A running service that answers without pauses."""
    with SparkEmulator(pace=0) as running:
        yield running
