from __future__ import annotations

import click
import pytest

from modelplug.cli.conformancerun import Plan, listed
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.verdict import Verdict
from tests.core.conformance.samples import cell, report, rule


def plan(
    level: str | None = None, ids: tuple[str, ...] = (), directions: tuple[DirectionName, ...] = ()
) -> Plan:
    """What these options ask for."""
    return Plan.of(level=level, ids=ids, directions=directions, quantum=0.25, repeat=1)


def test_a_level_has_those_below_it() -> None:
    """And nothing above."""
    assert {each.profile for each in plan("streaming").checks} == {"core", "streaming"}
    assert plan("streaming").asked == "streaming"


def test_without_a_level_there_is_everything() -> None:
    """The highest that is reached will be shown."""
    assert plan().asked == "complete"
    assert plan().level is None


@pytest.mark.parametrize("cut", [plan(ids=("GEN-01",)), plan(directions=("sync",))])
def test_what_is_cut_short_gives_no_level(cut: Plan) -> None:
    """Something wasn't looked at."""
    assert cut.asked is None


def test_what_is_no_check_is_refused() -> None:
    """Ids are exact."""
    with pytest.raises(click.UsageError, match="there is no check 'STR'"):
        plan(ids=("STR",))


@pytest.mark.parametrize(
    ("level", "verdict", "status"),
    [
        (None, "warn", 0),
        ("core", "warn", 0),
        ("complete", "warn", 1),
        ("complete", "xfail", 0),
        ("complete", "harness", 3),
    ],
)
def test_to_be_complete_nothing_may_be_a_warning(
    level: str | None, verdict: Verdict, status: int
) -> None:
    """If that level is asked for."""
    assert plan(level).status(report(cell("GEN-01", verdict=verdict))) == status


def test_a_check_is_listed_on_a_line() -> None:
    """With tabs between."""
    told = "GEN-01\tAnswers\tcore\tSHOULD\ta title: The rule of GEN-01 holds."
    assert listed([rule("GEN-01", must=False, title="a title")]) == [told]
