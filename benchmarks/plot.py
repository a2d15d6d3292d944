"""Results as pictures: bars, in SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.case import METRICS, Result
from benchmarks.summary import Spread, of_bare, spread
from benchmarks.table import amount, ratio

__all__ = ["bars"]

WIDTH, LEFT, RIGHT, ROW, TOP = 760, 190, 170, 26, 56
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .note { fill: #656d76; font-size: 12px }
.ours { fill: #2563eb } .bare { fill: #8b949e } .other { fill: #d4a72c }
.spread { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 } .spread { stroke: #e6edf3 }
}
"""
LEGEND = " ".join(
    f'<tspan class="{kind}" dx="8">■</tspan> {told}'
    for kind, told in {"ours": "ours", "bare": "the bare library", "other": "others"}.items()
)


def bars(results: Sequence[Result]) -> str:
    """A bar for each subject: the case's first metric, its spread, its ratio to the bare loop."""
    case = results[0].case
    shown = [(each, found) for each in results if (found := spread(each, case.headline))]
    longest = max((found.high for _, found in shown), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / longest
    per = f" a {case.per}" if case.per and case.headline == "cpu" else ""
    what = f"{METRICS[case.headline].title}{per}"
    height = TOP + ROW * len(shown) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(case.title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="10" y="20">{escape(case.title)}</text>',
        f'<text class="note" x="{WIDTH - 10}" y="20" text-anchor="end">{LEGEND}</text>',
        f'<text class="note" x="10" y="39">{escape(what)}, median, least and most;'
        " × is to the bare library in the same run</text>",  # noqa: RUF001
    ]
    for at, (result, found) in enumerate(shown):
        times = ratio(of_bare(results, result))
        parts += _bar(result, found, TOP + ROW * at, scale)
        end = LEFT + found.high * scale + 8
        told = f"{amount(found.middle, METRICS[case.headline].kind)}, {times} ×"  # noqa: RUF001
        parts.append(f'<text x="{end:.1f}" y="{TOP + ROW * at + 16}">{told}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _bar(result: Result, found: Spread, top: int, scale: float) -> Iterator[str]:
    """The name, the bar, and the line of its spread."""
    subject = result.subject
    kind = "ours" if subject.is_ours else "bare" if subject.name == subject.beside else "other"
    length = max(1.0, found.middle * scale)
    low, high = LEFT + found.low * scale, LEFT + found.high * scale
    yield f'<text x="{LEFT - 8}" y="{top + 16}" text-anchor="end">{escape(subject.name)}</text>'
    yield (
        f'<rect class="{kind}" x="{LEFT}" y="{top + 3}" width="{length:.1f}"'
        f' height="{ROW - 8}" rx="2"/>'
    )
    middle = top + ROW // 2 - 1
    yield f'<path class="spread" d="M{low:.1f} {middle}H{high:.1f}"/>'
