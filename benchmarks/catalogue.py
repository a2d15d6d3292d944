"""All cases, in the order in which they are run and told."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.case import Case
from benchmarks.themes import crowds, deltas, leaving, offline, requests, startup

__all__ = ["CASES", "case_of", "chosen"]

CASES: Sequence[Case] = (
    *deltas.CASES,
    *requests.CASES,
    *crowds.CASES,
    *leaving.CASES,
    *startup.CASES,
    *offline.CASES,
)


def case_of(name: str) -> Case:
    """The case of that name.

    Raises:
        KeyError: there is none.
    """
    return {case.name: case for case in CASES}[name]


def chosen(prefixes: Sequence[str]) -> list[Case]:
    """The cases whose names begin so; all of them without a prefix.

    Raises:
        ValueError: no case's name begins with one of them.
    """
    for prefix in prefixes:
        if not any(case.name.startswith(prefix) for case in CASES):
            names = ", ".join(case.name for case in CASES)
            raise ValueError(f"no case begins with {prefix}; there are {names}")
    return [case for case in CASES if not prefixes or case.name.startswith(tuple(prefixes))]
