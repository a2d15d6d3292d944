"""Results as tables in Markdown; ratios first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import dropwhile

from benchmarks.case import METRICS, Kind, Result
from benchmarks.running import NOT_INSTALLED
from benchmarks.summary import Spread, of_bare, of_ours, spread

__all__ = ["NOTHING", "amount", "growth", "markdown", "ranged", "ratio", "table"]

NOTHING = "–"  # noqa: RUF001  # an en dash, as the spreads have
LEAST = 0.01
"""Ratios below are told as such."""

UNITS: dict[Kind, Sequence[tuple[float, str]]] = {
    "seconds": [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")],
    "bytes": [(2**20, "MiB"), (2**10, "KiB")],
    "count": [(1.0, "")],
}
"""What amounts are told in, the largest unit first."""


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of these cells."""
    cells = list(header)
    lines = [cells, ["---", *["---:"] * (len(cells) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table(results: Sequence[Result]) -> str:
    """The table of one case, with its heading and its note."""
    case = results[0].case
    per = f" a {case.per}" if case.per else ""
    titles = [METRICS[name].title + (per if name == "cpu" else "") for name in case.shows]
    of = METRICS[case.headline].title
    header = ["", f"{of}, × bare", f"{of}, × ours", *titles]  # noqa: RUF001
    rows = (_row(results, each) for each in results if each.fault != NOT_INSTALLED)
    faults = "".join(
        f"\n{each.subject.name} wasn't measured: {each.fault}\n"
        for each in results
        if each.fault and each.fault != NOT_INSTALLED
    )
    return f"### {case.title}\n\n{case.note}\n\n{markdown(header, rows)}{faults}"


def _row(results: Sequence[Result], result: Result) -> list[str]:
    ratios = [ratio(of_bare(results, result)), ratio(of_ours(results, result))]
    is_reference = result.subject.name == result.subject.beside
    cells = [cell(spread(result, name), METRICS[name].kind) for name in result.case.shows]
    return [result.subject.name, "1" if is_reference else ratios[0], ratios[1], *cells]


def ratio(value: float | None) -> str:
    """A ratio with two digits after the point, none above ten."""
    if value is None:
        return NOTHING
    if value < LEAST:
        return f"< {LEAST}"
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def cell(found: Spread | None, kind: Kind) -> str:
    """The middle of the runs, and in brackets the least and the most if they differ.

    Memory hardly does: its middle alone is told.
    """
    if found is None:
        return NOTHING
    middle, low, high = (amount(each, kind) for each in (found.middle, found.low, found.high))
    return middle if kind == "bytes" else ranged(middle, low, high)


def ranged(middle: str, low: str, high: str) -> str:
    """The middle, and in brackets the least and the most if they differ."""
    return middle if low == high else f"{middle} ({low} – {high})"  # noqa: RUF001


def amount(value: float, kind: Kind) -> str:
    """A value in the unit that suits it, with three digits that matter."""
    units = UNITS[kind]
    size, unit = next(dropwhile(lambda each: value < each[0], units), units[-1])
    if kind == "count":
        return f"{value:.0f}"
    scaled = value / size
    return f"{scaled:.{max(0, 2 - len(str(int(scaled))) + 1)}f} {unit}"


def growth(shorter: Sequence[Result], longer: Sequence[Result]) -> str:
    """How much more the longer answers cost than the shorter ones, whole answers compared."""
    sizes = [each[0].case.answer.deltas for each in (shorter, longer) if each[0].case.answer]
    rows = []
    for less, more in zip(shorter, longer, strict=True):
        costs = spread(less, "cpu"), spread(more, "cpu")
        if costs[0] and costs[1]:
            times = costs[1].middle * sizes[1] / (costs[0].middle * sizes[0])
            rows.append([more.subject.name, ratio(times)])
    title = f"{sizes[1]:,} deltas, × {sizes[0]:,}"  # noqa: RUF001
    linear = f"Linear is {sizes[1] / sizes[0]:.2f}."
    return f"### Spark: how cost grows with length\n\n{linear}\n\n{markdown(['', title], rows)}"
