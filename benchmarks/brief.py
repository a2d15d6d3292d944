"""What a run comes to, for the README: how much more others cost than ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.case import METRICS, Result
from benchmarks.summary import of_ours
from benchmarks.table import markdown, ratio

__all__ = ["brief"]

_WIRES: Mapping[str, Mapping[str, str]] = {
    "OpenAI's wire": {
        "openai-deltas": "a delta",
        "openai-requests": "a request",
        "openai-streams-200": "200 streams at once",
        "startup-wires": "start-up",
    },
    "Spark": {
        "spark-deltas-5000": "a delta",
        "spark-requests": "a request",
        "spark-streams-1000": "1,000 streams at once",
    },
}
"""By wire its columns, each a case and how it is called here."""

_ALIKE = {"httpx, asyncio": "httpx"}
"""Whose start-up is that of another name."""


def brief(outcome: Sequence[Sequence[Result]]) -> str:
    """A table for each wire whose cases were all measured: who, and the multiples of ours."""
    by_name = {results[0].case.name: results for results in outcome}
    return "\n".join(
        _table(wire, [by_name[name] for name in columns], list(columns.values()))
        for wire, columns in _WIRES.items()
        if columns.keys() <= by_name.keys()
    )


def _table(wire: str, columns: Sequence[Sequence[Result]], names: Sequence[str]) -> str:
    titles = [
        f"{METRICS[results[0].case.headline].title}, {name}"
        for results, name in zip(columns, names, strict=True)
    ]
    others = (each.subject for each in columns[0] if each.subject.ours)
    whom = [each.name for each in others if not each.is_ours]
    rows = [[who, *(_times(results, who) for results in columns)] for who in whom]
    return markdown([f"{wire}: multiples of ours", *titles], rows)


def _times(results: Sequence[Result], who: str) -> str:
    names = (who, _ALIKE.get(who))
    found = next((each for each in results if each.subject.name in names), None)
    return ratio(of_ours(results, found) if found else None)
