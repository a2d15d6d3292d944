from __future__ import annotations

from dataclasses import replace

from modelplug.conformance.markdown import markdown
from tests.core.conformance.samples import cell, report


def test_a_good_report_is_its_level_and_a_table() -> None:
    """Of those verdicts that there are."""
    found = report(cell("STR-01", verdict="n/a"), cell("GEN-01"), cell("GEN-01", "sync"))
    assert markdown(found).splitlines() == [
        "## Conformance of acme: complete",
        "",
        "modelplug-acme 1.5: 2 checks, 3 cells, 12.0 s.",
        "Set 2026.1, kit 0.1.0; CPython 3.11.7, Linux x86\\_64, seed 7, quantum 0.25 s, 3 runs.",
        "",
        "| area | · n/a | ✓ pass |",
        "| --- | ---: | ---: |",
        "| Answers |  | 2 |",
        "| Streams | 1 |  |",
    ]


def test_a_failure_can_be_unfolded() -> None:
    """With its rule, its script and its command."""
    told = markdown(report(cell("GEN-01", verdict="fail", told="an error")))
    assert "<details><summary>✗ <b>GEN-01\\[async\\]</b> \nfail: an error</summary>" in told
    assert "- rule: The rule of GEN-01 holds." in told
    assert "- again: `modelplug conformance acme --only GEN-01 --direction async --seed 7`" in told


def test_one_failure_is_told_once() -> None:
    """For all ways of asking that say the same; what may be slow has a hint."""
    ways = [cell("GEN-01", way, "fail", "it didn't end in time") for way in ("async", "sync")]
    told = markdown(report(*ways))
    assert told.count("<details>") == 1
    assert "<b>GEN-01\\[async, sync\\]</b>" in told
    assert "--direction async --direction sync" in told
    assert "- if it is slow: all limits are multiples of the quantum" in told


def test_side_badges_and_what_is_not_scored_are_named() -> None:
    """Each on a line, where there are any."""
    seen = replace(
        report(cell("FEA-19"), cell("GEN-01", verdict="fail")),
        claims={"images": "native"},
        not_scored=("GEN-01",),
    )
    told = markdown(seen).splitlines()
    assert "Side badges: Vision." in told
    assert "Not in the set, so not scored: GEN-01." in told
    assert "<details>" not in markdown(seen)


def test_text_is_nothing_but_text() -> None:
    """It starts no element, table or line."""
    told = markdown(report(cell("GEN-01", verdict="fail", told="<b>|*x*\n# y")))
    assert "fail: \\<b\\>\\|\\*x\\* \\# y</summary>" in told


def test_what_is_stale_is_told_without_a_command() -> None:
    """There is nothing to run."""
    found = replace(report(cell("GEN-01")), stale=(cell("GEN-99", "-", "stale", "gone"),))
    assert "STALE" in markdown(found).upper()
    assert "again" not in markdown(found)
