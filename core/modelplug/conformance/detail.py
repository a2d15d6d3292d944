"""What stands behind a cell of the HTML page: what happened, the script, what the service saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from modelplug.conformance.check import Rule
from modelplug.conformance.marks import mark
from modelplug.conformance.report import Cell, Report

__all__ = ["detail", "is_good", "reference", "stale"]


def is_good(cells: Sequence[Cell]) -> bool:
    """Whether there is nothing that anybody has to look at."""
    return all(cell.verdict in ("pass", "n/a") for cell in cells)


def reference(number: int, check: Rule) -> str:
    """The anchor of a check of the backend with this number."""
    return escape(f"d{number}-{check.id}")


def detail(number: int, report: Report, check: Rule, *, label: str) -> Iterator[str]:
    """One check of one backend, which the page calls by a label, in all directions."""
    cells = report.of(check.id)
    kind = ' class="good"' if is_good(cells) else ""
    level = f"{'must' if check.must else 'should'}, {check.profile}"
    yield f'<article id="{reference(number, check)}"{kind}>'
    yield f'<h3><span class="id">{escape(check.id)}</span> {escape(check.title)} '
    yield f'<span class="muted">· {escape(label)}</span></h3>'
    yield f'<p>{escape(check.rule)} <span class="tag">{level}</span></p>'
    if not report.scores(check.id):
        against = escape(report.conditions.set)
        yield f'<p class="muted">Not in set {against}, so not scored: it fails no level.</p>'
    for cell in cells:
        yield from _section(report, cell)
    yield "</article>"


def stale(report: Report) -> Iterator[str]:
    """What the baseline expects in vain."""
    for cell in report.stale:
        yield f'<article><h3><span class="id">{escape(cell.name)}</span> '
        yield f'<span class="muted">· baseline of {escape(report.backend)}</span></h3>'
        yield f'<div class="verdict">{mark("stale")} {escape(cell.told)}</div></article>'


def _section(report: Report, cell: Cell) -> Iterator[str]:
    way = "" if cell.direction == "-" else f"{escape(cell.direction)}: "
    yield f'<section><div class="verdict">{mark(cell.verdict)}'
    yield f"<b>{way}{cell.verdict}</b></div><dl>"
    label = "why not" if cell.verdict == "n/a" else "what happened"
    yield from _entry(label, [cell.told] if cell.told else [])
    yield from _entry("the service", cell.script)
    yield from _entry("it saw", cell.timeline)
    yield from _entry("run it again", [report.again(cell)])
    yield "</dl></section>"


def _entry(label: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        text = "\n".join(lines)
        yield f"<dt>{label}</dt><dd><pre>{escape(text)}</pre></dd>"
