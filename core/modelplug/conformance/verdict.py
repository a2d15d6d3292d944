"""What may come of a check, and how a check says so."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = [
    "FAILURES",
    "GLYPHS",
    "SEVERITY",
    "NotApplicable",
    "Untestable",
    "Verdict",
    "Violation",
]

Verdict: TypeAlias = Literal[
    "pass", "fail", "warn", "n/a", "untestable", "flaky", "harness", "xfail", "stale"
]
"""``fail`` breaks a MUST, ``warn`` a SHOULD. ``n/a`` is for what isn't claimed, once it was seen
to be refused, or for what the service has no words for. ``untestable`` counts as a failure:
nobody knows. ``flaky`` differs from run to run, and counts as a failure too. ``harness`` says that
the harness is at fault, and the run is worth nothing. ``xfail`` is a failure that a baseline
expects: it fails no run, but its level isn't reached. ``stale`` is what a baseline expects and
what isn't so any more."""

GLYPHS: dict[Verdict, str] = {
    "pass": "✓",
    "fail": "✗",
    "warn": "!",
    "n/a": "·",
    "untestable": "?",
    "flaky": "~",
    "harness": "#",
    "xfail": "⊘",
    "stale": "†",
}

SEVERITY: tuple[Verdict, ...] = (
    "n/a",
    "pass",
    "warn",
    "xfail",
    "stale",
    "flaky",
    "untestable",
    "fail",
    "harness",
)
"""From the best to the worst: of several cells, the worst is the one to be shown."""

FAILURES: frozenset[Verdict] = frozenset({"fail", "untestable", "flaky", "harness", "stale"})
"""Those that fail a run."""


class Violation(AssertionError):  # noqa: N818  # what a check finds, not what goes wrong with it
    """A rule was broken; the message says what happened."""


class NotApplicable(Exception):  # noqa: N818  # no error: the check has nothing to look at
    """The backend doesn't claim what is checked; the message says so."""


class Untestable(Exception):  # noqa: N818  # the same
    """The check can't be made; the message says why."""
