from __future__ import annotations

import os
import signal
from pathlib import Path

import click
import pytest

from modelplug.cli.conformancerun import Plan, listed
from modelplug.conformance.directions import ALL, DirectionName
from modelplug.conformance.processes import usable
from modelplug.conformance.requirements import NEWEST
from tests.core.cli.processes import ended, started
from tests.core.conformance.hostile import hostile
from tests.core.conformance.project import ROOT
from tests.core.conformance.samples import rule


def plan(
    level: str | None = None, ids: tuple[str, ...] = (), directions: tuple[DirectionName, ...] = ()
) -> Plan:
    """What these options ask for."""
    return Plan.of(level=level, ids=ids, directions=directions)


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
    ("level", "strict", "is_strict"),
    [(None, False, False), ("core", False, False), ("complete", False, True), ("core", True, True)],
)
def test_to_be_complete_nothing_may_be_a_warning(
    level: str | None, strict: bool, is_strict: bool
) -> None:
    """If that level is asked for, or strictness."""
    asked = Plan.of(level=level, ids=(), directions=(), strict=strict)
    assert asked.strict is is_strict


def test_a_quick_look_is_at_each_check_in_one_direction() -> None:
    """In each of them some, with a short quantum; it gives no level."""
    quick = Plan.of(level=None, ids=(), directions=(), quick=True)
    ways = [each.directions for each in quick.checks if each.directions]
    assert {len(each) for each in ways} == {1}
    assert {name for (name,) in ways} == set(ALL)
    assert [each.id for each in quick.checks] == [each.id for each in plan().checks]
    assert (quick.asked, quick.quantum, plan().quantum) == (None, 0.1, 0.25)


def test_a_quick_look_keeps_to_what_is_asked() -> None:
    """Directions and a quantum may be given beside it."""
    quick = Plan.of(level=None, ids=(), directions=("sync",), quantum=0.5, quick=True)
    assert {tuple(each.directions) for each in quick.checks} == {(), ("sync",)} | {
        tuple(each.directions) for each in quick.checks if "sync" not in each.directions
    }
    assert quick.quantum == 0.5


def test_the_newest_set_is_what_counts() -> None:
    """Unless another is named."""
    assert plan().set_name == NEWEST
    assert Plan.of(level=None, ids=(), directions=(), set_name="2026.1").set_name == "2026.1"


def test_a_run_has_as_many_processes_as_there_is_room_for() -> None:
    """Unless somebody says how many."""
    assert plan().jobs == max(2, usable())
    assert Plan.of(level=None, ids=(), directions=(), jobs=3).jobs == 3


def test_a_quick_look_has_a_process_more() -> None:
    """Unless somebody says how many."""
    assert Plan.of(level=None, ids=(), directions=(), quick=True).jobs == max(2, usable() + 1)
    assert Plan.of(level=None, ids=(), directions=(), quick=True, jobs=1).jobs == 1


def test_a_check_is_listed_on_a_line() -> None:
    """With tabs between."""
    told = "GEN-01\tAnswers\tcore\tSHOULD\ta title: The rule of GEN-01 holds."
    assert listed([rule("GEN-01", must=False, title="a title")]) == [told]


def at(site: Path) -> str:
    """A path on which processes find what is installed there."""
    return os.pathsep.join(map(str, (site, ROOT)))


@pytest.mark.parametrize("jobs", [(), ("--jobs", "1")], ids=["unasked", "debugger"])
@pytest.mark.parametrize("moment", ["import", "new_client"])
def test_a_plugin_that_ends_a_process_is_no_success(
    tmp_path: Path, moment: str, jobs: tuple[str, ...]
) -> None:
    """Not even where it ends the one that decides."""
    hostile(tmp_path, moment, "os._exit(0)")
    only = ("--only", "GEN-01", "--direction", "sync")
    done = ended("conformance", "hostile", *only, *jobs, PYTHONPATH=at(tmp_path))
    assert done.status == 1
    assert "exit status 0" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize(
    ("end", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)], ids=["SIGTERM", "SIGKILL"]
)
def test_a_run_that_is_ended_leaves_no_process(
    tmp_path: Path, end: signal.Signals, status: int
) -> None:
    """One that hangs has a pipe open for as long as it is there."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    hostile(tmp_path, "new_client", KEEPS.format(str(pipe)))
    with started("conformance", "hostile", "--only", "GEN-01", PYTHONPATH=at(tmp_path)) as program:
        with pipe.open() as held:
            assert held.readline() == "here\n"
            program.terminate() if end == signal.SIGTERM else program.kill()
            assert held.read() == ""
        done = program.end()
    assert (done.status, "Traceback" in done.stderr) == (status, False)


KEEPS = "out = open({!r}, 'w'); print('here', file=out, flush=True); threading.Event().wait()"
"""What hangs with a pipe open."""
