"""Adds ``--conformance`` to pytest.

All else is in ``modelplug.conformance.pytestplugin``, which is imported when it is asked for:
pytest loads this file in every suite of an environment, and rewrites the assertions of each module
of its distribution, which therefore has no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["pytest_addoption", "pytest_configure"]

_LEVELS = ("core", "streaming", "resilient", "complete")
"""Those of ``modelplug.conformance.check``, which isn't imported for suites that don't ask."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and what the configuration may say in their place."""
    group = parser.getgroup("modelplug", "conformance of modelplug's plugins")
    group.addoption(
        "--conformance",
        nargs="?",
        const="",
        metavar="BACKEND",
        help="Check plugins against modelplug's contract: BACKEND, or modelplug_backend of the"
        " configuration, or all that this project brings. Tests run besides only where they are"
        " named.",
    )
    group.addoption(
        "--conformance-level", choices=_LEVELS, help="What to check. Default: everything."
    )
    group.addoption(
        "--conformance-quantum",
        type=float,
        metavar="S",
        help="Seconds that all limits are multiples of: more for a slow machine. Default: 0.25.",
    )
    group.addoption(
        "--conformance-seed", type=int, metavar="N", help="What random choices come from."
    )
    group.addoption("--conformance-baseline", metavar="F", help="What is known to fail, as TOML.")
    group.addoption("--conformance-strict", action="store_true", help="Warnings fail, too.")
    parser.addini("modelplug_backend", "Backends that --conformance checks.", type="args")
    parser.addini("conformance_level", "What --conformance checks.")
    parser.addini("conformance_quantum", "Seconds that --conformance measures by.")
    parser.addini("conformance_baseline", "What --conformance knows to fail.", type="paths")
    parser.addini(
        "conformance_strict", "Whether --conformance fails on warnings.", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the rest, where it is asked for."""
    if config.getoption("conformance") is not None:
        # Here, so that no other suite pays for it.
        from modelplug.conformance.pytestplugin import configure

        configure(config)
