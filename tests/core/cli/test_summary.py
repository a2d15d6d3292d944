from __future__ import annotations

from dataclasses import replace

from modelplug.cli.summary import differences, summary
from modelplug.conformance.comparison import compared
from tests.core.conformance.samples import MADE, cell, report

AGAIN = "    run it again:  modelplug conformance acme --only GEN-01 --direction async --seed 7"


def test_a_good_run_is_short() -> None:
    """A line for each area, and the level."""
    found = report(cell("STR-01", verdict="n/a", told="no"), cell("STR-02"), cell("GEN-01"))
    assert summary(found) == [
        "acme: modelplug-acme 1.5",
        MADE,
        "",
        "Answers        ✓ 1 pass",
        "Streams        ✓ 1 pass   · 1 n/a",
        "",
        "· STR-01 n/a: no",
        "",
        "3 checks, 3 cells, 12.0 s: nothing failed; level: complete",
    ]


def test_a_failure_tells_all() -> None:
    """Rule, what happened, script, timeline, and how to see it again."""
    told = summary(report(cell("GEN-01", verdict="fail", told="nothing came")))
    assert told[5:] == [
        "✗ GEN-01[async] fail: title of GEN-01",
        "    rule:          The rule of GEN-01 holds. (MUST, core)",
        "    what happened: nothing came",
        "    the service:   says 'Hel', Gate('more')",
        "    it saw:        connection 0: asked 1 times, 80 bytes out, 0.100 s, ended by the"
        " client, fin",
        "    run it again:  modelplug conformance acme --only GEN-01 --direction async --seed 7",
        "",
        "1 checks, 1 cells, 12.0 s: 1 failed; level: none",
    ]


def test_what_fails_no_run_is_told() -> None:
    """Warnings as failures are, and what the baseline expects on a line."""
    found = report(
        cell("GEN-01", verdict="warn", told="hm"), cell("GEN-02", verdict="xfail", told="known")
    )
    told = summary(found)
    assert "! GEN-01[async] warn: title of GEN-01" in told
    assert "    rule:          The rule of GEN-01 holds. (MUST, core)" in told
    assert "    what happened: hm" in told
    assert told.count(AGAIN) == 1
    assert "⊘ GEN-02[async] xfail: known" in told


def test_one_failure_is_told_once() -> None:
    """For all ways of asking that say the same."""
    ways = ("async", "sync", "sync-stream")
    found = [cell("GEN-01", way, "fail", "no" if way != "sync" else "never") for way in ways]
    told = summary(report(*found))
    heads = [line for line in told if line.startswith("✗ GEN")]
    assert heads == [
        "✗ GEN-01[async, sync-stream] fail: title of GEN-01",
        "✗ GEN-01[sync] fail: title of GEN-01",
    ]
    assert told[-1].endswith("3 failed; level: none")


def test_what_is_stale_is_told() -> None:
    """Even if there is no such check."""
    found = replace(report(cell("GEN-01")), stale=(cell("GEN-99", "-", "stale", "gone"),))
    assert "† GEN-99 STALE: gone" in summary(found)


def test_a_harness_at_fault_is_said_plainly() -> None:
    """Nothing follows for the plugin."""
    told = summary(report(cell("GEN-01", verdict="harness")))
    assert told[-1].endswith("the harness is at fault, so the run says nothing of the plugin")


def test_part_of_the_checks_gives_no_level() -> None:
    """That is said too."""
    told = summary(replace(report(cell("GEN-01")), asked=None))
    assert told[-1].endswith("nothing failed; no level, as not everything was looked at")


def test_why_something_does_not_apply_is_said_once() -> None:
    """For all directions in which it is so."""
    found = [cell("FEA-19", way, "n/a", "not claimed") for way in ("async", "sync")]
    assert summary(report(*found)).count("· FEA-19 n/a: not claimed") == 1


def test_what_is_not_scored_fails_nothing() -> None:
    """It is told, and why it doesn't count."""
    found = report(cell("GEN-01", verdict="fail", told="no"), cell("GEN-02"))
    told = summary(replace(found, not_scored=("GEN-01",)))
    assert "✗ GEN-01[async] fail: title of GEN-01 (not scored)" in told
    assert told[-2:] == [
        "not in the set, so not scored: GEN-01",
        "2 checks, 2 cells, 12.0 s: nothing failed; level: complete",
    ]


def test_side_badges_are_named() -> None:
    """Before the level."""
    found = replace(report(cell("FEA-19")), claims={"images": "native"})
    assert summary(found)[-2] == "side badges: Vision"


def test_one_run_makes_not_sure() -> None:
    """The level is told all the same, and what there is to do."""
    found = report(cell("GEN-01"))
    found = replace(found, conditions=replace(found.conditions, repeat=1))
    assert summary(found)[-1].endswith("level: complete (one run; --repeat 3 to be sure)")


def test_differences_are_lines() -> None:
    """The level comes last."""
    old, new = report(cell("GEN-01")), report(cell("GEN-02", verdict="fail"))
    assert differences(compared(old, new)) == [
        "GEN-02[async]: not there -> fail (worse)",
        "GEN-01[async]: pass -> not there",
        "level: complete -> none",
    ]
    assert differences(compared(old, old)) == ["no differences"]


def test_two_backends_are_called_so_first() -> None:
    """What differs between them is nobody's progress."""
    one, other = report(cell("GEN-01")), report(cell("GEN-01", verdict="fail"), backend="parrot")
    told = differences(compared(one, other))
    assert told[0] == "these are two backends: acme and parrot"
    assert told[1] == "GEN-01[async]: pass -> fail (worse)"
