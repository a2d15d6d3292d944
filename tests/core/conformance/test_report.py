from __future__ import annotations

from dataclasses import replace

import pytest

from modelplug.capabilities import Support
from modelplug.conformance.check import Profile
from modelplug.conformance.report import Cell, Report, alike, catalogue, named, worst
from modelplug.conformance.verdict import Verdict
from tests.core.conformance.samples import CONDITIONS, cell, report, rule

CHECKS = (
    rule("GEN-01"),
    rule("STR-01", "streaming"),
    rule("FLT-01", "resilient", must=False),
    rule("FEA-01", "complete"),
)


def levels(core: Verdict = "pass", resilient: Verdict = "pass") -> Report:
    """A report with a check on each level."""
    cells = (cell("GEN-01", verdict=core), cell("STR-01"), cell("FLT-01", verdict=resilient))
    return report(*cells, cell("FEA-01"), checks=CHECKS)


def test_the_level_is_the_highest_with_all_below_it() -> None:
    """A failure below takes all that is above."""
    assert levels().level == "complete"
    assert levels(core="fail").level is None


@pytest.mark.parametrize("verdict", ["warn", "xfail"])
def test_a_should_is_asked_for_by_complete_alone(verdict: Verdict) -> None:
    """Neither breaking one nor expecting to takes more than that."""
    assert levels(resilient=verdict).level == "resilient"
    assert levels(resilient=verdict).status == 0


def test_what_is_expected_to_fail_fails_no_run() -> None:
    """But there is no badge for its level."""
    known = levels(core="xfail")
    assert (known.status, known.level) == (0, None)


def test_what_was_left_out_gives_no_level() -> None:
    """Nothing follows of what nobody looked at."""
    assert replace(levels(), asked="streaming").level == "streaming"
    assert replace(levels(), asked=None).level is None


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("pass", 0),
        ("n/a", 0),
        ("fail", 1),
        ("untestable", 1),
        ("flaky", 1),
        ("harness", 3),
    ],
)
def test_the_status_is_of_the_worst(verdict: Verdict, status: int) -> None:
    """The harness's own faults come before all others."""
    assert levels(core=verdict).status == status


def test_what_is_stale_fails_the_run() -> None:
    """It is the last of the failures."""
    stale = cell("GEN-09", "-", "stale")
    found = replace(levels(core="fail"), stale=(stale,))
    assert replace(levels(), stale=(stale,)).status == 1
    assert found.failures == [found.cells[0], stale]


def test_a_cell_says_how_to_run_it_again() -> None:
    """Where it isn't a call, no direction is named."""
    found = report(cell("GEN-01", "sync"), cell("REG-01", "-"))
    again = [found.again(each) for each in found.cells]
    assert again == [
        "modelplug conformance acme --only GEN-01 --direction sync --seed 7",
        "modelplug conformance acme --only REG-01 --seed 7",
    ]


def test_the_command_has_what_is_not_as_usual() -> None:
    """The distribution that was named, the quantum, the seed, and how often where it is flaky."""
    conditions = replace(CONDITIONS, dist="acme-fork", quantum=0.1, strict=True)
    found = replace(report(cell("GEN-01", "sync", "flaky")), conditions=conditions)
    assert found.again(found.cells[0]) == (
        "modelplug conformance acme@acme-fork --only GEN-01 --direction sync"
        " --quantum 0.1 --seed 7 --strict --repeat 3"
    )


@pytest.mark.parametrize(
    ("level", "repeat", "is_sure"),
    [
        ("streaming", 1, True),
        ("resilient", 1, False),
        ("complete", 2, False),
        ("complete", 3, True),
    ],
)
def test_from_resilient_on_a_level_takes_three_runs(
    level: Profile, repeat: int, is_sure: bool
) -> None:
    """It is shown all the same, and that one isn't sure of it yet."""
    found = replace(levels(), asked=level, conditions=replace(CONDITIONS, repeat=repeat))
    assert (found.level, found.is_sure) == (level, is_sure)


@pytest.mark.parametrize("verdict", ["fail", "flaky", "warn"])
def test_what_is_not_scored_counts_for_nothing(verdict: Verdict) -> None:
    """Neither for the level nor for the status; it is remarked upon."""
    found = replace(levels(core=verdict), not_scored=("GEN-01",))
    assert (found.level, found.status, found.failures) == ("complete", 0, [])
    assert found.remarks == [found.cells[0]]


def test_a_harness_at_fault_counts_in_any_case() -> None:
    """What else the run says is worth nothing."""
    assert replace(levels(core="harness"), not_scored=("GEN-01",)).status == 3


def test_warnings_may_be_failures() -> None:
    """If the run is strict; what the baseline expects stays as it is."""
    warned = replace(levels(resilient="warn"), conditions=replace(CONDITIONS, strict=True))
    known = replace(levels(resilient="xfail"), conditions=replace(CONDITIONS, strict=True))
    assert (warned.status, warned.failures, warned.remarks) == (1, [warned.cells[2]], [])
    assert (known.status, known.remarks) == (0, [known.cells[2]])


THOUGHTS = (cell("FEA-16"), cell("FEA-17"))


@pytest.mark.parametrize(
    ("cells", "claim", "reached"),
    [
        (THOUGHTS, "native", ["reasoning"]),
        (THOUGHTS, "emulated", ["reasoning"]),
        (THOUGHTS, "unsupported", []),
        ((THOUGHTS[0], cell("FEA-17", verdict="n/a")), "native", []),
        ((THOUGHTS[0], cell("FEA-17", verdict="xfail")), "native", []),
        ((cell("GEN-01"),), "native", []),
    ],
    ids=["claimed", "emulated", "not claimed", "n/a", "xfail", "not looked at"],
)
def test_a_side_badge_is_claimed_and_passes(
    cells: tuple[Cell, ...], claim: Support, reached: list[str]
) -> None:
    """In all its checks; those that didn't apply are no proof."""
    assert replace(report(*cells), claims={"reasoning": claim}).sides == reached


def test_a_side_badge_needs_a_whole_run() -> None:
    """Part of one gives none, and what isn't scored doesn't count."""
    found = replace(report(*THOUGHTS), claims={"reasoning": "native"})
    assert replace(found, asked=None).sides == []
    assert replace(found, asked="core").sides == []
    assert replace(found, not_scored=("FEA-16", "FEA-17")).sides == []


def test_a_cell_keeps_no_megabytes() -> None:
    """It says how many they were, and is the same when it is read again."""
    found = replace(cell("GEN-01"), told="a " * 10**6)
    assert len(found.told) == 1000
    assert found.told.endswith("a … (2000000 characters)")
    assert replace(found) == found


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("x" * 10**6, "x" * 70 + "… (1000000 characters)"),
        (f"says {'y' * 200!r}, Finish(reason='stop')", f"says '{'y' * 70}… (200 characters)', Fin"),
        (
            f"body={'a b ' * 50!r}, headers={{}}",
            f"body='{('a b ' * 18)[:70]}… (200 characters)', h",
        ),
        (f"body={'x' * 200!r})", f"body='{'x' * 70}… (200 characters)')"),
        (f"data={b'a b ' * 50!r})", f"data=b'{('a b ' * 18)[:70]}… (200 characters)')"),
    ],
    ids=["no blanks", "quoted", "quoted blanks", "field", "bytes"],
)
def test_a_cell_keeps_no_bodies(said: str, kept: str) -> None:
    """But their beginnings, and all that stands behind them; read again they stay so."""
    found = replace(cell("GEN-01"), told=f"it said {said} , then no more", script=[said])
    assert found.told.startswith("it said ")
    assert kept in found.told
    assert found.told.endswith(" , then no more")
    assert found.script[0].startswith(kept)
    assert replace(found) == found


def test_prose_is_no_body() -> None:
    """However many apostrophes it has."""
    told = f"the service doesn't {'say so ' * 20}, and the client can't know"
    quoting = f"it said 'yes.', {'and so on, ' * 20} then 'no.'"
    for text in (told, quoting):
        assert replace(cell("GEN-01"), told=text).told == text


def test_nothing_gives_no_level() -> None:
    """A report without a cell, or without those of a check that it lists."""
    assert replace(levels(), cells=()).level is None
    assert replace(levels(), cells=levels().cells[:3]).level == "resilient"


def test_cells_that_say_the_same_are_alike() -> None:
    """Those of a check, in all its directions; their command has them all."""
    same = [cell("GEN-01", way, "fail", "no") for way in ("async", "sync")]
    other = cell("GEN-01", "sync-stream", "fail", "never")
    found = alike([same[0], other, same[1], cell("GEN-02", verdict="fail", told="no")])
    assert [named(each) for each in found] == [
        "GEN-01[async, sync]",
        "GEN-01[sync-stream]",
        "GEN-02[async]",
    ]
    assert report(*same).again(*same) == (
        "modelplug conformance acme --only GEN-01 --direction async --direction sync --seed 7"
    )
    assert named([cell("REG-01", "-")]) == "REG-01"


def test_the_worst_of_several() -> None:
    """Of none it is what nobody claimed."""
    assert worst([cell("GEN-01"), cell("GEN-01", verdict="fail")]) == "fail"
    assert worst([]) == "n/a"


def test_the_catalogue_of_several_has_an_order() -> None:
    """That of the areas, whatever the order of the reports."""
    one, other = report(cell("STR-02"), cell("GEN-01")), report(cell("STR-01"))
    ids = [check.id for check in catalogue([one, other])]
    assert ids == [check.id for check in catalogue([other, one])] == ["GEN-01", "STR-01", "STR-02"]
