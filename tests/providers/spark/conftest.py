"""Fixtures of the Spark provider's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelplug_spark.emulator import SparkEmulator

VARIABLES = ("APPID", "API_KEY", "API_SECRET", "API_VERSION", "API_BASE")


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own account is used: the variables are unset."""
    for name in VARIABLES:
        monkeypatch.delenv(f"XUNFEI_SPARK_{name}", raising=False)


@pytest.fixture
def emulator() -> Iterator[SparkEmulator]:
    """A running service that answers without pauses."""
    with SparkEmulator(pace=0).running() as running:
        yield running
