"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelplug.registry import registry
from tests.support.dists import on_path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of ``sys.path`` for made-up distributions; the registry looks anew."""
    monkeypatch.delenv("MODELPLUG_BACKENDS", raising=False)
    monkeypatch.delenv("MODELPLUG_PLUGINS_DISABLED", raising=False)
    registry.cache_clear()
    with on_path(tmp_path):
        yield tmp_path
    registry.cache_clear()
