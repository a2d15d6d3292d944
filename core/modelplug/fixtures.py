"""Fixtures for pytest: ``pytest_plugins = ["modelplug.fixtures"]`` in a ``conftest.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from modelplug.testing import ScriptedClient

__all__ = ["modelplug_model", "modelplug_no_network"]


@pytest.fixture
def modelplug_model() -> Iterator[ScriptedClient]:
    """A scripted model that answers whatever client the test's app makes."""
    # Here: it brings pydantic and asyncio along, which a suite pays for when it uses it.
    from modelplug.testing import answering

    with answering() as model:
        yield model


@pytest.fixture
def modelplug_no_network() -> Iterator[None]:
    """Nothing may be connected to but this machine itself."""
    # Here, as above.
    from modelplug.testing import no_network

    with no_network():
        yield
