"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.upstream import Step, Upstream

Serve = Callable[..., Upstream]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts scripted services, ``serve(*steps, refusal=...)``, and ends them afterwards."""
    with ExitStack() as running:

        def start(*steps: Step, refusal: tuple[int, str] | None = None) -> Upstream:
            return running.enter_context(Upstream(steps, refusal).serving())

        yield start
