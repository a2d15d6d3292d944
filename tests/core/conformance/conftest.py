"""The reference and its mutants, installed as far as metadata tells."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelplug.registry import registry
from tests.core.conformance.mutants import all_mutants
from tests.core.conformance.project import Project
from tests.support.dists import install, on_path

PLUGIN = "from tests.core.conformance.plugin import modelplug_backend"


@pytest.fixture(scope="package", autouse=True)
def untracked() -> None:
    """Each check has the collector look at all that there is, so less of it shortens the suite."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A distribution that brings them all."""
    folder = tmp_path_factory.mktemp("site")
    references = [f"reference{kind}" for kind in ("", "-sse", "-inprocess", "-blocking")]
    names = [*references, *(each.name for each in all_mutants())]
    module = "conformance_reference"
    install(
        folder,
        dist="modelplug-reference",
        module=module,
        source=PLUGIN,
        backends=dict.fromkeys(names, module),
    )
    registry.cache_clear()
    with on_path(folder):
        yield folder
    registry.cache_clear()


@pytest.fixture
def project(tmp_path: Path, installed: Path) -> Project:
    """One with a test of its own, beside an installed reference."""
    return Project(tmp_path, installed)
