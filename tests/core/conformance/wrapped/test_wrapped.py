"""Policies take no level away: what a client keeps, it keeps with all of them around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelplug.conformance.check import PROFILES
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from modelplug.registry import registry
from tests.core.conformance.wrapped.plugin import CLIENTS
from tests.support.dists import install, on_path

PLUGIN = "from tests.core.conformance.wrapped.plugin import modelplug_backend"

UPTO_RESILIENT = [
    check
    for check in all_checks()
    # Registration is about the plugin's own client, before there is anything around it.
    if check.profile in PROFILES[:3] and not check.id.startswith("REG-")
]


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A distribution that brings both."""
    folder = tmp_path_factory.mktemp("site")
    module = "conformance_wrapped"
    backends = dict.fromkeys(CLIENTS, module)
    install(folder, dist="modelplug-wrapped", module=module, source=PLUGIN, backends=backends)
    registry.cache_clear()
    with on_path(folder):
        yield
    registry.cache_clear()


@pytest.mark.parametrize("backend", CLIENTS)
@pytest.mark.parametrize("check", UPTO_RESILIENT, ids=lambda check: str(check.id))
def test_a_wrapped_client_is_resilient(backend: str, check: object) -> None:
    """Every check up to that level passes, or doesn't apply, as it does without policies."""
    report = run(Subject.of(backend), [check], quantum=0.1)  # type: ignore[list-item]  # one
    odd = [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")]
    assert odd == []
