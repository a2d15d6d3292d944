"""Reports as one HTML page that needs nothing else: the matrix, and a detail for each of its cells.

Backends stand across, checks down. Without scripts a mark leads to its detail further down; with
them it opens in front, and the filters work. Whatever comes from a report is escaped.

Several reports of one backend stand beside each other in the order in which they were given, and
what differs between them is what changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby, pairwise

from modelplug.conformance.check import PROFILES, Rule
from modelplug.conformance.detail import detail, is_good, reference, stale
from modelplug.conformance.directions import ALL
from modelplug.conformance.headline import circumstances, level, versions
from modelplug.conformance.marks import ENDINGS, MEANINGS, ending, mark
from modelplug.conformance.report import Cell, Report, catalogue, named, worst
from modelplug.conformance.verdict import SEVERITY

__all__ = ["page"]

_WAYS = {"async-stream": "as", "sync-stream": "ss", "async": "a", "sync": "s"}
"""Headings of the four ways of asking, which are as narrow as a mark."""

_MANY = 4
"""From so many backends on, each has one mark a check: the worst of the four."""


def page(reports: Sequence[Report]) -> str:
    """The page of one report, or of several."""
    ordered = sorted(reports, key=lambda each: (each.backend, each.distribution))
    names = ", ".join(dict.fromkeys(report.backend for report in ordered))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Conformance: {escape(names)}</title>",
            f"<style>\n{_asset('page.css')}</style></head>",
            "<body>",
            *_head(ordered),
            *_failed(ordered),
            *_tools(compares=bool(_successions(ordered))),
            *_matrix(ordered),
            *_legend(),
            *_details(ordered),
            '<dialog id="detail" aria-label="Detail">',
            '<form method="dialog"><button>Close</button></form><div id="shown"></div></dialog>',
            f"<script>\n{_asset('page.js')}</script>",
            "</body></html>\n",
        ]
    )


def _asset(name: str) -> str:
    return files("modelplug.conformance").joinpath(name).read_text("utf-8")


# ---------------------------------------------------------------------- what stands above


def _head(reports: Sequence[Report]) -> Iterator[str]:
    yield "<header><h1>Conformance</h1>"
    yield f'<p class="muted">{_counted(reports)} A mark leads to what happened.</p>'
    yield '<div class="cards">'
    for label, report in zip(_labels(reports), reports, strict=True):
        yield from _card(label, report)
    yield "</div></header>"


def _counted(reports: Sequence[Report]) -> str:
    checks, backends = len(catalogue(reports)), len({report.backend for report in reports})
    told = f"{checks} checks of {backends} backend{'s' if backends > 1 else ''}"
    return f"{told}, {len(reports)} reports." if len(reports) > backends else f"{told}."


def _labels(reports: Sequence[Report]) -> list[str]:
    """What to call each: by its backend, and where that isn't enough its version and number."""
    backends = Counter(report.backend for report in reports)
    versions = Counter((report.backend, report.version) for report in reports)
    seen: Counter[tuple[str, str]] = Counter()
    labels = []
    for report in reports:
        which = (report.backend, report.version)
        seen[which] += 1
        told = report.backend if backends[report.backend] == 1 else " ".join(which)
        labels.append(told if versions[which] == 1 else f"{told} #{seen[which]}")
    return labels


def _successions(reports: Sequence[Report]) -> list[tuple[Report, Report]]:
    """Each report beside the next one of the same backend."""
    return [pair for pair in pairwise(reports) if pair[0].backend == pair[1].backend]


def _card(label: str, report: Report) -> Iterator[str]:
    told = f"level: {level(report)}" if report.asked else "no level: something was left out"
    yield f'<section class="card"><h2>{escape(label)}</h2>'
    yield f'<p class="reached">{escape(told)}</p>'
    yield f'<p class="muted">{escape(" · ".join(versions(report)))}</p>'
    yield '<ol class="levels" aria-label="Levels">'
    for profile in PROFILES:
        reached = report.level is not None and PROFILES.index(profile) <= PROFILES.index(
            report.level
        )
        tick = "✓ " if reached else ""
        yield f"<li{' class=reached' if reached else ''}>{tick}{profile.title()}</li>"
    yield "</ol>"
    if report.sides:
        yield '<ul class="levels sides" aria-label="Side badges">'
        yield from (f'<li class="reached">✓ {side.title()}</li>' for side in report.sides)
        yield "</ul>"
    yield '<div class="counts">'
    counts = Counter(cell.verdict for cell in (*report.cells, *report.stale))
    for verdict in reversed(SEVERITY):
        if counts[verdict]:
            yield f"<span>{mark(verdict)} {counts[verdict]} {verdict}</span>"
    if report.not_scored:
        yield f"<span>{len(report.not_scored)} checks not scored</span>"
    made = f"{report.distribution}; {circumstances(report)}"
    yield f'</div><p class="made">{escape(made)}</p></section>'


def _failed(reports: Sequence[Report]) -> Iterator[str]:
    """What to look at first: a line for each check that fails a run."""
    if not any(report.failures for report in reports):
        return
    yield '<section><h2>What failed</h2><ul class="failed">'
    for number, (label, report) in enumerate(zip(_labels(reports), reports, strict=True)):
        for check in catalogue([report]):
            if cells := [cell for cell in report.of(check.id) if report.fails(cell)]:
                name = f'<a href="#{reference(number, check)}">{escape(named(cells))}</a>'
                told = f"{escape(check.title)} · {escape(label)}"
                yield f"<li>{mark(worst(cells))} {name} {told}</li>"
        for cell in report.stale:
            yield f"<li>{mark('stale')} {escape(cell.name)} {escape(cell.told)}</li>"
    yield "</ul></section>"


def _tools(*, compares: bool) -> Iterator[str]:
    yield '<div class="tools" id="tools" hidden>'
    yield '<label><input type="checkbox" id="bad"> Only failures and warnings</label>'
    hidden = "" if compares else " hidden"
    yield f'<label{hidden}><input type="checkbox" id="changed"> Only what changed</label>'
    yield '<label>Level <select id="level">'
    for profile in PROFILES:
        chosen = " selected" if profile == PROFILES[-1] else ""
        yield f'<option value="{profile}"{chosen}>up to {profile}</option>'
    yield "</select></label></div>"
    yield '<p class="none" id="nothing" hidden>No check is like that.</p>'


# ---------------------------------------------------------------------- the matrix


def _matrix(reports: Sequence[Report]) -> Iterator[str]:
    size = "many" if len(reports) >= _MANY else "several" if len(reports) > 1 else "one"
    if size != "many":
        yield f'<p class="muted">The four ways of asking: {_ways()}.</p>'
    yield f'<table class="{size}"><thead><tr><th scope="col">Check</th>'
    yield '<th scope="col" class="rule">Rule</th>'
    for label in _labels(reports):
        yield f'<th scope="col" class="backend"><span class="name">{escape(label)}</span>'
        yield '<div class="ways each">'
        yield from (f'<span title="{way}">{short}</span>' for way, short in _WAYS.items())
        yield "</div></th>"
    yield "</tr></thead>"
    for area, checks in groupby(catalogue(reports), lambda each: each.area):
        yield f'<tbody><tr class="area"><th scope="rowgroup">{escape(area)}</th>'
        yield f'<th class="rule"></th><th colspan="{len(reports)}"></th></tr>'
        for check in checks:
            yield from _row(check, reports)
        yield "</tbody>"
    yield "</table>"


def _row(check: Rule, reports: Sequence[Report]) -> Iterator[str]:
    cells = [cell for report in reports for cell in report.of(check.id)]
    bad = "" if is_good(cells) else " data-bad"
    changed = " data-changed" if _is_changed(check, reports) else ""
    tag = "" if check.must else ' <span class="tag">should</span>'
    if any(report.of(check.id) and not report.scores(check.id) for report in reports):
        tag += ' <span class="tag" title="not in the requirement set">not scored</span>'
    rule = escape(check.rule)
    yield f'<tr class="row" data-level="{check.profile}"{bad}{changed}><th scope="row">'
    yield f'<details><summary title="{rule}"><span class="id">{escape(check.id)}</span>'
    yield f"{escape(check.title)}{tag}</summary>"
    yield f'<p>{rule} <span class="tag">{check.profile}</span></p></details></th>'
    yield f'<td class="rule">{rule}</td>'
    for number, report in enumerate(reports):
        yield f'<td class="cell">{_marks(check, report, number)}</td>'
    yield "</tr>"


def _is_changed(check: Rule, reports: Sequence[Report]) -> bool:
    """Whether two reports of one backend say different things of it."""
    return any(
        {cell.direction: cell.verdict for cell in one.of(check.id)}
        != {cell.direction: cell.verdict for cell in other.of(check.id)}
        for one, other in _successions(reports)
    )


def _marks(check: Rule, report: Report, number: int) -> str:
    cells = report.of(check.id)
    if not cells:
        return '<span class="muted" title="not looked at">-</span>'
    by_way = {cell.direction: cell for cell in cells}
    if "-" in by_way:
        slots = f'<span class="slot each all">{_slot(by_way["-"])}</span>'
    else:
        slots = "".join(_way(by_way.get(way)) for way in ALL)
    verdict = worst(cells)
    one = next(cell for cell in cells if cell.verdict == verdict)
    label = escape(f"{report.backend}, {check.id}: {verdict}")
    return (
        f'<a href="#{reference(number, check)}" aria-label="{label}" title="{label}">{slots}'
        f'<span class="slot sum">{_slot(one)}</span></a>'
    )


def _way(cell: Cell | None) -> str:
    return f'<span class="slot each">{_slot(cell) if cell else ""}</span>'


def _slot(cell: Cell) -> str:
    return f"{mark(cell.verdict)}<i>{ending(cell.ended)}</i>"


# ---------------------------------------------------------------------- what stands below


def _legend() -> Iterator[str]:
    yield '<section><h2>What the marks mean</h2><ul class="legend">'
    for verdict, meaning in MEANINGS.items():
        yield f"<li>{mark(verdict)}<span><b>{verdict}</b>: {meaning}</span></li>"
    yield "</ul><p>Below a mark, how the connection ended:</p>"
    yield '<ul class="legend">'
    for sign, meaning in ENDINGS.items():
        yield f'<li><span class="sign">{sign}</span><span>{meaning}</span></li>'
    yield f"</ul><p>Across, the four ways of asking: {_ways()}.</p></section>"


def _ways() -> str:
    return ", ".join(f"<b>{short}</b> {way}" for way, short in _WAYS.items())


def _details(reports: Sequence[Report]) -> Iterator[str]:
    yield "<section><h2>What happened</h2>"
    if all(is_good(report.cells) and not report.stale for report in reports):
        yield '<p class="none">✓ Nothing failed.</p>'
    for number, (label, report) in enumerate(zip(_labels(reports), reports, strict=True)):
        yield from stale(report)
        # Those that are good come last, and each group in the order of the catalogue.
        for check in sorted(catalogue([report]), key=lambda each: is_good(report.of(each.id))):
            if report.of(check.id):
                yield from detail(number, report, check, label=label)
    yield "</section>"
