"""How a run was made."""

from __future__ import annotations

import platform
from importlib.metadata import version

from modelplug.conformance.conditions import Conditions, drawn


def test_conditions_are_those_of_this_process() -> None:
    """The kit has the core's version, being a part of it."""
    here = Conditions.here(seed=7, quantum=0.1)
    assert here.kit == version("modelplug")
    assert here.python.endswith(platform.python_version())
    assert here.platform.startswith(platform.system())
    assert (here.seed, here.quantum, here.repeat) == (7, 0.1, 1)


def test_options_are_what_is_not_as_usual() -> None:
    """The seed is always given, where it is known."""
    assert Conditions().options == []
    assert Conditions(quantum=0.1, seed=0, strict=True).options == [
        "--quantum",
        "0.1",
        "--seed",
        "0",
        "--strict",
    ]


def test_a_seed_is_short_enough_to_be_typed() -> None:
    """Any of a million."""
    assert all(0 <= drawn() < 10**6 for _ in range(100))
