"""A report as JUnit's XML, which every CI can show: a suite for each area, a case for each cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from modelplug.conformance.check import Rule
from modelplug.conformance.report import Cell, Report, catalogue

__all__ = ["junit"]

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to write."""


def junit(report: Report) -> str:
    """The report as XML."""
    root = ET.Element("testsuites", name=f"modelplug conformance {_fit(report.backend)}")
    by_area: dict[str, list[tuple[Rule | None, Cell]]] = {}
    for check in catalogue([report]):
        by_area.setdefault(check.area, []).extend((check, cell) for cell in report.of(check.id))
    if report.stale:
        by_area["Baseline"] = [(None, cell) for cell in report.stale]
    for area, cases in by_area.items():
        _suite(root, area, report, cases)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _suite(
    root: ET.Element, area: str, report: Report, cases: Sequence[tuple[Rule | None, Cell]]
) -> None:
    cells = [cell for _, cell in cases]
    suite = ET.SubElement(
        root,
        "testsuite",
        name=area,
        tests=str(len(cells)),
        failures=str(sum(_outcome(report, cell) == "failure" for cell in cells)),
        errors=str(sum(_outcome(report, cell) == "error" for cell in cells)),
        skipped=str(sum(_outcome(report, cell) == "skipped" for cell in cells)),
        time=f"{sum(cell.seconds for cell in cells):.3f}",
    )
    for check, cell in cases:
        _case(suite, report, check, cell)


def _case(suite: ET.Element, report: Report, check: Rule | None, cell: Cell) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{_fit(report.backend)}.{suite.get('name', '')}",
        name=_fit(cell.name),
        time=f"{cell.seconds:.3f}",
    )
    if check is not None:
        properties = ET.SubElement(case, "properties")
        level = "MUST" if check.must else "SHOULD"
        for name, value in (
            ("profile", check.profile),
            ("level", level),
            ("set", report.conditions.set if report.scores(check.id) else "not scored"),
            ("rule", check.rule),
        ):
            ET.SubElement(properties, "property", name=name, value=_fit(value))
    told = _fit(cell.told)
    outcome = _outcome(report, cell)
    if outcome == "skipped":
        why = "" if report.scores(cell.check) else ", not scored"
        ET.SubElement(case, "skipped", message=f"{cell.verdict}{why}: {told}")
    elif outcome:
        found = ET.SubElement(case, outcome, type=cell.verdict, message=told)
        found.text = _fit("\n".join(_details(report, cell)))
    elif cell.verdict == "warn":
        ET.SubElement(case, "system-out").text = f"warn: {told}"


def _outcome(report: Report, cell: Cell) -> str:
    """The element that says what came of a case; empty for one that is well, or a warning."""
    if report.fails(cell):
        return "error" if cell.verdict == "harness" else "failure"
    return "" if cell.verdict in ("pass", "warn") else "skipped"


def _details(report: Report, cell: Cell) -> list[str]:
    lines = [cell.told, *(f"script: {each}" for each in cell.script), *cell.timeline]
    return lines if cell.verdict == "stale" else [*lines, f"again: {report.again(cell)}"]


def _fit(text: str) -> str:
    """``text`` with what XML can't have as escapes."""
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
