"""A run, cell by cell."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from modelplug.conformance.check import Check
from modelplug.conformance.directions import Loop
from modelplug.conformance.expect import Expect
from modelplug.conformance.lab import Lab
from modelplug.conformance.report import Cell
from modelplug.conformance.runner import all_checks, look, run, spread
from modelplug.conformance.subject import Subject
from modelplug.conformance.verdict import NotApplicable, Untestable, Verdict, Violation
from modelplug.conformance.voice import HarnessFaultError
from modelplug.delta import Delta
from modelplug.registry import registry
from modelplug.testing.inprocess import InProcess
from tests.core.conformance.hostile import DIST, hostile
from tests.core.conformance.reference import Codec, Encoder
from tests.support.dists import on_path

ONE = next(check for check in all_checks() if check.id == "STR-02")


def made(look: object, **changes: object) -> Check:
    """A check that looks this way."""
    return replace(ONE, **{"id": "STR-99", "directions": ("sync",), "look": look, **changes})  # type: ignore[arg-type]


def verdict(check: Check) -> tuple[Verdict, str]:
    """What comes of it for the reference."""
    (cell,) = run(Subject.of("reference"), [check], quantum=0.05).cells
    return cell.verdict, cell.told


def raising(error: BaseException) -> object:
    """A look that raises."""

    def look(lab: Lab) -> None:
        raise error

    return look


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Violation("so"), ("fail", "so")),
        (NotApplicable("so"), ("n/a", "so")),
        (Untestable("so"), ("untestable", "so")),
        (TimeoutError(), ("fail", "a call of the plugin didn't end in time (TimeoutError)")),
        (KeyError("so"), ("fail", "the plugin raised KeyError: 'so'")),
        (SystemExit(3), ("fail", "the plugin raised SystemExit: 3")),
        (GeneratorExit(), ("fail", "the plugin raised GeneratorExit: ")),
        (HarnessFaultError("so"), ("harness", "so")),
    ],
    ids=["violation", "n/a", "untestable", "hangs", "raises", "exits", "closes", "harness"],
)
def test_what_a_look_raises_is_its_verdict(
    installed: Path, error: BaseException, expected: tuple[Verdict, str]
) -> None:
    """Nothing that happens ends the run."""
    assert verdict(made(raising(error))) == expected


def test_what_the_core_logs_meanwhile_isnt_printed(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody listens, a run's own lines stay together; afterwards it is as it was."""
    core = logging.getLogger("modelplug")

    def look(lab: Lab) -> None:
        core.warning("tokens can't be counted")

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert verdict(made(look)) == ("pass", "")
    assert capsys.readouterr().err == ""
    core.warning("a run is over")
    assert capsys.readouterr().err == "a run is over\n"


def test_a_should_that_is_broken_is_a_warning(installed: Path) -> None:
    """It fails no level but the last."""
    assert verdict(made(raising(Violation("so")), must=False)) == ("warn", "so")


def test_what_is_not_claimed_has_to_be_refused(installed: Path) -> None:
    """The twin looks at that; then there is nothing to look at."""
    check = made(raising(Violation("not looked at")), needs="images")
    assert verdict(check) == ("n/a", "images isn't claimed")
    assert verdict(replace(check, twin=check.look))[0] == "fail"


def test_progress_is_told_cell_by_cell(installed: Path) -> None:
    """In the order of the report."""
    seen: list[Cell] = []
    report = run(Subject.of("reference"), [ONE], progress=seen.append)
    assert [*report.cells] == seen
    assert [cell.direction for cell in seen] == ["async-stream", "sync-stream"]


def test_a_seed_makes_the_same_choices(installed: Path) -> None:
    """Each cell has its own, whatever is looked at beside it; the report has the seed."""
    seen: list[object] = []
    check = made(lambda lab: seen.append(lab.account))
    other = replace(check, id="STR-98")
    subject = Subject.of("reference")
    reports = [
        run(subject, checks, seed=seed)
        for checks, seed in (([other, check], 7), ([check], 7), ([check], 8))
    ]
    beside, one, same, different = seen
    assert one == same
    assert len({str(each) for each in (beside, one, different)}) == 3
    assert [each.conditions.seed for each in reports] == [7, 7, 8]
    assert run(subject, []).conditions.seed is not None


def test_a_report_has_what_the_plugin_claims(installed: Path) -> None:
    """Of the model that is checked, by capability."""
    claims = run(Subject.of("reference"), []).claims
    assert (claims["tools"], claims["images"]) == ("native", "unsupported")


def test_other_assertions_can_be_given(installed: Path) -> None:
    """For the tests of the kit."""

    class Blind(Expect):
        def equal(self, what: str, expected: object, actual: object) -> None:
            """All is equal."""

    report = run(Subject.of("mutant-cumulativedeltas"), [ONE], expect=Blind())
    assert {cell.verdict for cell in report.cells} == {"pass"}


def test_ctrl_c_ends_a_run(installed: Path) -> None:
    """In this process it is the user's."""
    with pytest.raises(KeyboardInterrupt):
        verdict(made(raising(KeyboardInterrupt())))


def test_an_error_without_words_is_told_all_the_same(installed: Path) -> None:
    """By its name."""

    class WordlessError(Exception):
        def __str__(self) -> str:
            raise ValueError

    told = "the plugin raised WordlessError: (its text raises ValueError)"
    assert verdict(made(raising(WordlessError()))) == ("fail", told)


def of(**changes: object) -> Cell:
    """What comes of a stream where the reference's harness has these changes."""
    subject = Subject.of("reference")
    harness = replace(subject.harness, **changes)  # type: ignore[arg-type]  # of the tests below
    with Loop.running() as loop:
        changed = replace(subject, harness=harness)
        return look(changed, ONE, "async-stream", loop=loop, seed=1, quantum=0.05)


class Raising(Encoder):
    """Has forgotten something."""

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """Nothing."""
        return [{"other": b""}[delta.text]]


class RaisingCodec(Codec):
    """Says nothing."""

    def encoder(self, request: object) -> Encoder:
        """One that raises."""
        return Raising()


def test_a_harness_that_raises_in_a_cell_is_named_with_its_line(installed: Path) -> None:
    """As in the self-checks."""
    cell = of(codec=RaisingCodec())
    assert cell.verdict == "harness"
    assert cell.told.startswith("the harness's Raising.delta (test_runner.py, line ")
    assert ") raised KeyError: " in cell.told


def test_a_wire_that_leads_nowhere_is_named(installed: Path) -> None:
    """By what the author wrote."""
    cell = of(wire=InProcess("no_such_module:speak"))
    told = "the service that the harness names by wire= raised ModuleNotFoundError: "
    assert cell.verdict == "harness"
    assert cell.told.startswith(told)


@pytest.mark.parametrize(
    ("given", "told"), [(None, "gave None, no mapping"), (KeyError("so"), "raised KeyError")]
)
def test_params_that_fail_in_a_cell_are_the_harness_s(
    installed: Path, given: object, told: str
) -> None:
    """Though the plugin would be made with them."""

    def params(*_: object) -> object:
        if isinstance(given, Exception):
            raise given
        return given

    cell = of(params=params)
    assert cell.verdict == "harness"
    assert told in cell.told


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder for plugins."""
    registry.cache_clear()
    with on_path(tmp_path):
        yield tmp_path
    registry.cache_clear()


def test_a_run_by_other_processes_imports_no_plugin(site: Path) -> None:
    """And so nothing that one does ends it: each cell is told, and claims are none."""
    hostile(site, "new_client", "os._exit(0)")
    seen: list[Cell] = []
    plugin = registry().find("hostile", DIST)
    report = spread(plugin, [ONE], quantum=0.05, seed=1, jobs=2, progress=seen.append)
    assert "hostile_plugin" not in sys.modules
    assert [*report.cells] == seen
    assert [cell.verdict for cell in seen] == ["fail", "fail"]
    assert (report.status, report.claims) == (1, {})
    assert (report.backend, report.distribution) == ("hostile", DIST)


def test_a_run_by_one_other_process_is_the_same(installed: Path) -> None:
    """With what the plugin claims."""
    report = spread(registry().find("reference"), [ONE], quantum=0.05, seed=1)
    assert [cell.verdict for cell in report.cells] == ["pass", "pass"]
    assert report.claims["tools"] == "native"
