"""What is known to fail, and why: a file in the plugin's repository, which can't go stale.

::

    [[xfail]]
    check = "FLT-09"
    directions = ["sync-stream"]      # all that the check has, if left out
    reason = "the SDK caps frames at 1 MB"
    url = "https://…"
    expires = 2027-03-01              # the last day on which it holds

Each entry has all of these but ``directions``. Ids are exact. An entry with nothing to expect
fails the run: its check passes by now, is unknown, or its day has come.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelplug.conformance.directions import ALL
from modelplug.conformance.report import Cell, Report
from modelplug.conformance.verdict import Verdict
from modelplug.errors import WrongUseError

__all__ = ["Baseline", "BaselineError", "Expected", "apply", "read"]

_EXPECTED: frozenset[Verdict] = frozenset({"fail", "warn", "untestable"})
"""What an entry can expect; what is flaky, or the harness's fault, can't be expected."""


class BaselineError(WrongUseError):
    """A baseline can't be read."""


class Expected(BaseModel):
    """One failure that is known.

    Attributes:
        check: the id of its check.
        directions: in which ways of asking; none for all.
        reason: why it fails.
        url: where to read on.
        expires: the last day on which it is expected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    directions: tuple[str, ...] = ()
    reason: str = Field(min_length=1)
    url: str = Field(min_length=1)
    expires: date

    def covers(self, cell: Cell) -> bool:
        """Whether it is about this cell."""
        return cell.check == self.check and (
            not self.directions or cell.direction in self.directions
        )


class Baseline(BaseModel):
    """All of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    xfail: tuple[Expected, ...] = ()


def read(path: Path) -> Baseline:
    """The baseline in a file.

    Raises:
        BaselineError: it can't be read, is no TOML, or has what no baseline has.
    """
    try:
        return Baseline.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        broken = error.strerror or "can't be read"
    except ValidationError as invalid:
        each = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in invalid.errors())
        broken = f"{'; '.join(each)} (an entry has check, reason, url and expires)"
    except ValueError as error:  # no TOML, or no UTF-8
        broken = str(error)
    except RecursionError:
        broken = "it is nested too deep"
    raise BaselineError(f"baseline {path.name}: {broken}")


def apply(report: Report, baseline: Baseline, *, known: Collection[str], today: date) -> Report:
    """The report with what was expected marked as such, and with what is stale.

    Args:
        report: what a run found.
        baseline: what is expected.
        known: the ids of all checks, those that weren't looked at included.
        today: the day on which entries are still good, or not.
    """
    valid = [each for each in baseline.xfail if each.expires >= today]
    stale = [
        cell
        for each in baseline.xfail
        for cell in _stale(each, report, known=known, is_valid=each in valid)
    ]
    cells = tuple(_marked(cell, valid) for cell in report.cells)
    return replace(report, cells=cells, stale=tuple(stale))


def _marked(cell: Cell, valid: Sequence[Expected]) -> Cell:
    for each in valid:
        if each.covers(cell) and cell.verdict in _EXPECTED:
            told = f"{cell.told} (expected until {each.expires}: {each.reason}, {each.url})"
            return replace(cell, verdict="xfail", told=told)
    return cell


def _stale(
    expected: Expected, report: Report, *, known: Collection[str], is_valid: bool
) -> Iterator[Cell]:
    if expected.check not in known:
        yield _line(expected, "-", "there is no such check")
    elif not is_valid:
        yield _line(expected, "-", f"it expired on {expected.expires}")
    elif expected.directions:
        for direction in expected.directions:
            yield from _stale_direction(expected, direction, report)
    else:
        cells = report.of(expected.check)
        if cells and all(cell.verdict in ("pass", "n/a") for cell in cells):
            yield _line(expected, "-", "the check passes")


def _stale_direction(expected: Expected, direction: str, report: Report) -> Iterator[Cell]:
    looked = report.of(expected.check)
    found = [cell for cell in looked if cell.direction == direction]
    if direction not in ALL or (report.asked and looked and not found):
        yield _line(expected, direction, "the check has no such direction")
    elif found and found[0].verdict in ("pass", "n/a"):
        yield _line(expected, direction, "the check passes")


def _line(expected: Expected, direction: str, why: str) -> Cell:
    told = f"the baseline expects it to fail ({expected.reason}), but {why}"
    return Cell(check=expected.check, direction=direction, verdict="stale", told=told)
