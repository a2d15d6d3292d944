"""The level as a badge: for a service that draws badges, and as a picture of its own."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from modelplug.conformance.headline import runs, versions
from modelplug.conformance.report import Report

__all__ = ["badge", "svg"]

_COLORS: Mapping[str | None, str] = {
    "complete": "#1a7f37",
    "resilient": "#2a7f62",
    "streaming": "#0969da",
    "core": "#9a6700",
    None: "#b3261e",
}

_LABEL = "modelplug"

_CHARACTER = 7.0
"""Pixels that a character takes, about; the text is fitted to the room."""


def badge(report: Report) -> Mapping[str, object]:
    """The badge as an endpoint of shields.io tells it."""
    return {
        "schemaVersion": 1,
        "label": _LABEL,
        "message": _message(report),
        "color": _COLORS[report.level],
        "isError": report.level is None,
    }


def svg(report: Report) -> str:
    """The badge as a picture."""
    message = _message(report)
    left, right = _width(_LABEL), _width(message)
    title = escape(f"{_LABEL}: {message}")
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" \
aria-label="{title}">
<title>{title}</title>
<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>
<g clip-path="url(#r)">
<rect width="{left}" height="20" fill="#3d444d"/>
<rect x="{left}" width="{right}" height="20" fill="{_COLORS[report.level]}"/>
</g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
{_centred(_LABEL, left / 2, left)}
{_centred(message, left + right / 2, right)}
</g>
</svg>
"""


def _message(report: Report) -> str:
    """The level with the side badges, then the set, the kit and the plugin."""
    level = report.level.title() if report.level else "No level"
    reached = level if report.is_sure else f"{level} ({runs(report)})"
    badges = [reached, *(each.title() for each in report.sides)]
    return " · ".join([" + ".join(badges), *versions(report)])


def _width(text: str) -> int:
    return round(len(text) * _CHARACTER) + 12


def _centred(text: str, middle: float, width: int) -> str:
    return f'<text x="{middle:g}" y="14" textLength="{width - 12}">{escape(text)}</text>'
