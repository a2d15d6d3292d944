"""Reports as JSON has them, written and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from modelplug.capabilities import Support
from modelplug.conformance.check import AREAS, Profile, Rule
from modelplug.conformance.conditions import Conditions
from modelplug.conformance.report import Cell, Report
from modelplug.errors import WrongUseError

__all__ = ["SCHEMA", "ReportError", "from_dict", "to_dict"]

SCHEMA = 2
"""The version of what ``to_dict`` gives."""


class ReportError(WrongUseError):
    """What should be a report isn't one, or is one of another version."""


def to_dict(report: Report) -> Mapping[str, object]:
    """A report as JSON has it; the same run gives the same order."""
    return {
        "schema": SCHEMA,
        "backend": report.backend,
        "distribution": report.distribution,
        "version": report.version,
        "conditions": asdict(report.conditions),
        "asked": report.asked,
        "level": report.level,
        "sure": report.is_sure,
        "sides": report.sides,
        "seconds": round(report.seconds, 3),
        "claims": dict(sorted(report.claims.items())),
        "checks": [_rule_told(each) for each in report.checks],
        "not_scored": [*report.not_scored],
        "cells": [asdict(cell) for cell in report.cells],
        "stale": [asdict(cell) for cell in report.stale],
    }


def from_dict(told: object) -> Report:
    """The report that ``to_dict`` gave; its checks are rules, which nobody can look at.

    Raises:
        ReportError: it is of another schema, or no report.
    """
    schema = told.get("schema") if isinstance(told, Mapping) else None
    if schema is None:
        raise ReportError("this is no report of the conformance kit")
    if schema != SCHEMA:
        raise ReportError(
            f"the report's schema is {schema!r}, and this modelplug reads {SCHEMA}",
            hint="write it again with this modelplug",
        )
    try:
        read = _ADAPTER.validate_python(told)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(map(str, first["loc"]))
        broken = f"the report is broken at {where}: {first['msg']}"
    else:
        return _report(read)
    raise ReportError(broken)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    backend: str
    distribution: str
    version: str
    conditions: Conditions
    asked: Profile | None
    claims: dict[str, Support]
    checks: list[Rule]
    not_scored: list[str]
    cells: list[Cell]
    stale: list[Cell]
    seconds: float = 0.0


_ADAPTER = TypeAdapter(_Read)


def _report(read: _Read) -> Report:
    for rule in read.checks:
        if rule.id.partition("-")[0] not in AREAS:
            raise ReportError(f"the report has a check of no known area: {rule.id}")
    unknown = {cell.check for cell in read.cells} - {each.id for each in read.checks}
    if unknown:
        raise ReportError(f"the report has cells of checks it doesn't list: {min(unknown)}")
    return Report(
        backend=read.backend,
        distribution=read.distribution,
        version=read.version,
        checks=tuple(read.checks),
        cells=tuple(read.cells),
        asked=read.asked,
        stale=tuple(read.stale),
        conditions=read.conditions,
        not_scored=tuple(read.not_scored),
        claims=read.claims,
        seconds=read.seconds,
    )


def _rule_told(rule: Rule) -> Mapping[str, object]:
    """A rule; what a check has besides, to look, isn't to be written."""
    names = ("id", "area", "title", "rule", "must", "profile", "revision")
    return {name: getattr(rule, name) for name in names}
