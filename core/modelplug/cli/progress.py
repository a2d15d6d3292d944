"""How far a run of the conformance kit is, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from shutil import get_terminal_size
from types import TracebackType
from typing import Self

import click

from modelplug.conformance.check import Check
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.report import Cell
from modelplug.conformance.verdict import FAILURES

__all__ = ["Progress"]

_BAR = 20
"""Characters of the bar."""


class Progress:
    """A bar on a terminal, and elsewhere a line whenever an area is done."""

    def __init__(self, areas: Sequence[str], *, is_terminal: bool) -> None:
        self._areas = areas  # of each cell that will come
        self._is_terminal = is_terminal
        self._done = 0
        self._failed = 0
        self._of_area: list[Cell] = []

    @classmethod
    def of(
        cls, checks: Sequence[Check], directions: Sequence[DirectionName] | None, *, times: int
    ) -> Progress:
        """That of a run of some checks."""
        areas = [
            check.area
            for check in checks
            for each in check.directions or ("-",)
            if each == "-" or directions is None or each in directions
        ]
        return cls(areas * times, is_terminal=sys.stderr is not None and sys.stderr.isatty())

    def __call__(self, cell: Cell) -> None:
        """One more cell is done."""
        area = self._areas[self._done]
        self._done += 1
        self._failed += cell.verdict in FAILURES
        self._of_area.append(cell)
        if self._is_terminal:
            self._draw(cell)
        elif self._done == len(self._areas) or self._areas[self._done] != area:
            bad = sum(each.verdict in FAILURES for each in self._of_area)
            failed = f", {bad} failed" if bad else ""
            click.echo(f"{area}: {len(self._of_area)} done{failed}", err=True)
            self._of_area.clear()

    def _draw(self, cell: Cell) -> None:
        total = len(self._areas)
        filled = _BAR * self._done // total
        bar = "#" * filled + "-" * (_BAR - filled)
        line = f"[{bar}] {self._done}/{total}, {self._failed} failed  {cell.name}"
        click.echo(f"\r\x1b[K{line[: get_terminal_size().columns - 1]}", nl=False, err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_terminal:
            click.echo("\r\x1b[K", nl=False, err=True)
