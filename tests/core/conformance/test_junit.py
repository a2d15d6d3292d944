from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from modelplug.conformance.junit import junit
from modelplug.conformance.report import Report
from tests.core.conformance.samples import cell, report


def parsed(found: Report) -> ET.Element:
    """The XML of a report, read again."""
    return ET.fromstring(junit(found))  # noqa: S314  # our own


def test_an_area_is_a_suite() -> None:
    """It counts its cases."""
    found = report(
        cell("GEN-01"), cell("STR-01", verdict="fail"), cell("STR-02", verdict="harness")
    )
    suites = [
        (each.get("name"), each.get("tests"), each.get("failures"), each.get("errors"))
        for each in parsed(found)
    ]
    assert suites == [("Answers", "1", "0", "0"), ("Streams", "2", "1", "1")]


def test_a_failure_has_all_that_is_known() -> None:
    """What happened, the script, the timeline and the command."""
    found = parsed(report(cell("GEN-01", verdict="untestable", told="no way")))
    case = found.find(".//testcase")
    failure = found.find(".//failure")
    assert case is not None
    assert failure is not None
    assert case.get("name") == "GEN-01[async]"
    assert (failure.get("type"), failure.get("message")) == ("untestable", "no way")
    assert str(failure.text).splitlines() == [
        "no way",
        "script: says 'Hel', Gate('more')",
        "connection 0: asked 1 times, 80 bytes out, 0.100 s, ended by the client, fin",
        "again: modelplug conformance acme --only GEN-01 --direction async --seed 7",
    ]


def test_what_is_not_claimed_or_expected_is_skipped() -> None:
    """With the reason."""
    found = report(
        cell("GEN-01", verdict="n/a", told="no tools"), cell("GEN-02", verdict="xfail", told="cap")
    )
    skipped = [each.get("message") for each in parsed(found).iter("skipped")]
    assert skipped == ["n/a: no tools", "xfail: cap"]


def test_what_is_not_scored_is_skipped() -> None:
    """Whatever came of it, but for a pass; a property says so."""
    found = replace(
        report(cell("GEN-01", verdict="fail", told="no"), cell("GEN-02")), not_scored=("GEN-01",)
    )
    tree = parsed(found)
    assert [each.get("message") for each in tree.iter("skipped")] == ["fail, not scored: no"]
    sets = [each.get("value") for each in tree.findall(".//property[@name='set']")]
    assert sets == ["not scored", "2026.1"]
    assert (tree[0].get("failures"), tree[0].get("skipped")) == ("0", "1")


def test_a_warning_of_a_strict_run_is_a_failure() -> None:
    """In the file as in the exit status."""
    found = report(cell("GEN-01", verdict="warn", told="hm"))
    found = replace(found, conditions=replace(found.conditions, strict=True))
    assert [each.get("type") for each in parsed(found).iter("failure")] == ["warn"]


def test_a_warning_fails_nothing() -> None:
    """It stands in the output of its case."""
    found = parsed(report(cell("GEN-01", verdict="warn", told="hm")))
    assert found.findtext(".//system-out") == "warn: hm"
    assert found.find(".//failure") is None


def test_what_is_stale_is_a_suite_of_its_own() -> None:
    """Its check may be one that isn't."""
    found = replace(report(cell("GEN-01")), stale=(cell("GEN-99", "-", "stale", "gone"),))
    suite = parsed(found)[1]
    assert (suite.get("name"), suite.get("failures")) == ("Baseline", "1")


def test_what_xml_has_no_words_for_is_escaped() -> None:
    """A plugin may say anything."""
    found = parsed(report(cell("GEN-01", verdict="fail", told="\x00<b>\ud800\x1b 你好")))
    failure = found.find(".//failure")
    assert failure is not None
    assert failure.get("message") == r"\x00<b>\ud800\x1b 你好"
