"""What is said of one cell."""

from __future__ import annotations

from modelplug.conformance.failuretext import failure, hints, plain
from tests.core.conformance.samples import cell, rule


def test_a_failure_tells_all() -> None:
    """Rule, what happened, script, timeline, and how to see it again."""
    found = cell("GEN-01", verdict="fail", told="nothing came\nat all")
    assert [*failure(rule("GEN-01"), found, again="try again")] == [
        "GEN-01[async] fail: title of GEN-01",
        "    rule:          The rule of GEN-01 holds. (MUST, core)",
        "    what happened: nothing came",
        "                   at all",
        "    the service:   says 'Hel', Gate('more')",
        "    it saw:        connection 0: asked 1 times, 80 bytes out, 0.100 s, ended by the"
        " client, fin",
        "    run it again:  try again",
    ]


def test_what_may_be_slow_has_a_hint() -> None:
    """Before the command; a cell that stands for others has their name."""
    found = cell("GEN-01", verdict="fail", told="a call of the plugin didn't end in time")
    told = [*failure(rule("GEN-01"), found, again="try again", name="GEN-01[async, sync]")]
    assert told[0] == "GEN-01[async, sync] fail: title of GEN-01"
    assert told[-2] == (
        "    if it is slow: all limits are multiples of the quantum: try a larger --quantum"
    )
    assert hints(cell("GEN-01", verdict="fail", told="wrong")) == []


def test_nothing_acts_on_a_terminal() -> None:
    """What can't be printed, or encoded, is an escape."""
    assert plain("é \x1b[31m \ud83d 你") == r"é \x1b[31m \ud83d 你"
