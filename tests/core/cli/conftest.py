from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from modelplug.cli.app import app
from modelplug.registry import registry
from tests.core.cli.distributions import Site

Run: TypeAlias = Callable[..., Result]


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of the developer's own chooses a backend, and no log handler stays."""
    for name in ("MODELPLUG_BACKEND", "MODELPLUG_BACKENDS", "MODELPLUG_PLUGINS_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def run() -> Run:
    """Runs the command line in this process, as click does."""

    def runs(*arguments: str, **options: str | bytes) -> Result:
        return CliRunner().invoke(app, arguments, **options)  # type: ignore[arg-type]

    return runs


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder for made-up distributions; on the path here, and in the processes that start."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    # Before what is there: the tests of a copy of the project run that copy.
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    registry.cache_clear()
    importlib.invalidate_caches()
    yield Site(folder)
    registry.cache_clear()
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
