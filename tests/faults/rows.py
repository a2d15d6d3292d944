"""The rows of the catalogue of faults, and the mark that ties tests to them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["COLLECTED", "MARK", "ROWS", "WAYS", "Cell", "Row", "cells_of"]

MARK = "fault(*rows, way=..., subject=...): rows of tests/faults/rows.toml that a test shows"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A fault.

    Attributes:
        says: which.
        phase: where it strikes.
        left_out: why no test shows it.
        open: what the product doesn't do yet.
        lacks: what of it no test shows.
        ways: why not everybody is asked in all four ways.
        only: why nobody else is asked than those who are.
        by: test modules outside this folder that are marked for it.
    """

    says: str
    phase: str
    left_out: str = ""
    open: str = ""
    lacks: str = ""
    ways: str = ""
    only: str = ""
    by: tuple[str, ...] = ()


def _read() -> Mapping[int, Row]:
    told = tomllib.loads(Path(__file__).with_name("rows.toml").read_text(encoding="utf-8"))
    return {int(number): Row(**row) for number, row in told["rows"].items()}


ROWS = _read()

WAYS = ("async stream", "sync stream", "async", "sync")
"""Of asking."""

Cell = tuple[int, str, str]
"""A row, a way of asking and who is asked: what a test shows."""


COLLECTED: dict[str, set[Cell]] = {}
"""What the tests of this run show, by their modules, whether or not they are selected then."""


def cells_of(item: pytest.Item) -> set[Cell]:
    """The cells that a test shows, by its marks and by what it is parametrised with."""
    found = set()
    for mark in item.iter_markers("fault"):
        way = mark.kwargs.get("way") or _way_of(item)
        found |= {(row, way, mark.kwargs.get("subject") or _subject_of(item)) for row in mark.args}
    return found


def _subject_of(item: pytest.Item) -> str:
    """Who is asked: the carrier that it is parametrised with."""
    spec = getattr(item, "callspec", None)
    carrier = spec.params.get("carrier") if spec is not None else None
    return str(getattr(carrier, "name", "spark"))


def _way_of(item: pytest.Item) -> str:
    spec = getattr(item, "callspec", None)
    if spec is None or not {"way", "ask"} & spec.params.keys():
        return "making"
    # The ids are what is left of the names of the parameters.
    return next((way for way in WAYS if way in spec.id.split("-")), "making")
