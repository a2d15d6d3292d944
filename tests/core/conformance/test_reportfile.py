"""Reports as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from modelplug.conformance.check import Rule
from modelplug.conformance.reportfile import ReportError, from_dict, to_dict
from modelplug.conformance.runner import all_checks
from tests.core.conformance.samples import CONDITIONS, cell, report, rule

GIVEN = replace(
    report(
        cell("GEN-01", verdict="fail"),
        cell("FEA-01"),
        checks=(rule("GEN-01"), rule("FLT-01", "resilient", must=False), rule("FEA-01")),
    ),
    stale=(cell("GEN-09", "-", "stale"),),
    asked="core",
    not_scored=("FLT-01",),
    claims={"tools": "native"},
    conditions=replace(CONDITIONS, strict=True, dist="x"),
)


def written() -> Any:
    """What is read from its file."""
    return json.loads(json.dumps(to_dict(GIVEN)))


def test_a_report_comes_back_as_it_was() -> None:
    """By way of JSON."""
    assert from_dict(written()) == GIVEN


def test_a_report_of_before_has_no_clock() -> None:
    """How long the run took is left open then."""
    told = written()
    del told["seconds"]
    assert from_dict(told) == replace(GIVEN, seconds=0.0)


def test_checks_are_written_as_rules() -> None:
    """What looks isn't part of a report."""
    told = to_dict(report(cell("GEN-01"), checks=tuple(all_checks())))
    read = from_dict(json.loads(json.dumps(told)))
    assert {type(each) for each in read.checks} == {Rule}
    assert [each.id for each in read.checks] == [each.id for each in all_checks()]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 1}, "schema is 1, and this modelplug reads 2"),
        ({"schema": None}, "no report of the conformance kit"),
        ({"backend": 7}, "broken at backend"),
        ({"cells": [{"check": "GEN-01"}]}, "broken at cells.0.direction"),
        ({"checks": []}, "cells of checks it doesn't list: FEA-01"),
    ],
)
def test_what_is_no_report_is_refused(change: dict[str, object], told: str) -> None:
    """The error says where it is broken."""
    with pytest.raises(ReportError, match=told):
        from_dict({**written(), **change})


def test_a_list_is_no_report() -> None:
    """Any JSON may come."""
    with pytest.raises(ReportError, match="no report"):
        from_dict([1])


def test_a_check_of_no_area_is_refused() -> None:
    """It would stand nowhere."""
    told = written()
    told["checks"][0]["id"] = "XXX-01"
    with pytest.raises(ReportError, match="no known area: XXX-01"):
        from_dict(told)
