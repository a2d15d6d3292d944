"""Cells that are looked at in other processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from modelplug.conformance.expect import Expect
from modelplug.conformance.processes import Looker, NotLoadedError, Place, fate, looked, usable
from modelplug.conformance.report import Cell
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from modelplug.registry import registry
from tests.core.conformance.hostile import DIST, HANGS, hostile
from tests.support.dists import install, on_path

DYING = """
import os
from modelplug import hookimpl
from tests.core.conformance.plugin import backend
from tests.core.conformance.reference import ReferenceClient

class Dies(ReferenceClient):
    def generate_stream(self, *args, **kwargs):
        print("goodbye", flush=True)
        os._exit(7)

    sync_generate_stream = generate_stream

@hookimpl
def modelplug_backend(name):
    return backend(name, "dying:Dies")
"""
"""A plugin that ends its process when a stream is asked for."""

CATALOGUE = all_checks()
BY_ID = {each.id: each for each in CATALOGUE}
CHECKS = [BY_ID[id] for id in ("STR-02", "MOD-01", "MOD-02")]
PLACES: list[Place] = [
    (BY_ID["STR-02"], "async-stream"),
    (BY_ID["STR-02"], "sync-stream"),
    (BY_ID["MOD-02"], "async"),
    (BY_ID["MOD-04"], "async"),
]


@pytest.fixture
def dying(tmp_path: Path) -> Iterator[None]:
    """The plugin that dies, installed."""
    install(
        tmp_path, dist="modelplug-dying", module="dying", source=DYING, backends={"dying": "dying"}
    )
    registry.cache_clear()
    with on_path(tmp_path):
        yield
    registry.cache_clear()


def lookers(backend: str, count: int) -> list[Looker]:
    """Processes that look at one of the reference's kind."""
    dist = "modelplug-dying" if backend == "dying" else "modelplug-reference"
    quantum = 1.0  # patience enough for a process to die in
    return [Looker(backend, dist, seed=1, quantum=quantum) for _ in range(count)]


def ids_of_children() -> set[str]:
    """The processes that this one has started, in whatever thread, and that are still there."""
    lists = Path("/proc/self/task").glob("*/children")
    return {id for each in lists for id in each.read_text().split()}


def files(process: str) -> set[str]:
    """What a process holds open."""
    found = set()
    for path in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add(path.readlink().as_posix())
    return found


def test_what_is_found_is_the_same_in_order(installed: Path) -> None:
    """However many processes look, the report is in the catalogue's order."""
    subject = Subject.of("mutant-cumulativedeltas")
    seen: list[Cell] = []
    alone = run(subject, CHECKS, quantum=0.05, seed=1)
    spread = run(subject, CHECKS, quantum=0.05, seed=1, jobs=2, progress=seen.append)
    assert [*spread.cells] == seen
    assert [(cell.name, cell.verdict, cell.told) for cell in spread.cells] == [
        (cell.name, cell.verdict, cell.told) for cell in alone.cells
    ]
    assert {"pass", "fail"} == {cell.verdict for cell in seen}


def test_a_process_that_dies_is_named_by_its_cell(dying: None) -> None:
    """That breaks its rule; the next cell has a new process, and prints are no answers."""
    with closing(looked(lookers("dying", 2), PLACES)) as found:
        cells = [*found]
    assert [cell.verdict for cell in cells] == ["fail", "fail", "pass", "pass"]
    assert cells[0].told == "the process that looked at it died: exit status 7"
    assert cells[0].name == "STR-02[async-stream]"


def test_a_process_that_dies_of_no_call_has_no_direction(dying: None) -> None:
    """Its cell is called as if it had lived, and a broken SHOULD only warns."""
    no_call = replace(BY_ID["STR-02"], directions=(), must=False)
    with lookers("dying", 1)[0] as looker:
        cell = looker.look(no_call, "sync-stream")
    assert (cell.name, cell.verdict) == ("STR-02", "warn")


STREAM: Place = (BY_ID["STR-02"], "async-stream")

DEATHS = {
    "os._exit(0)": "the process that looked at it died: exit status 0",
    "os.kill(os.getpid(), signal.SIGSEGV)": "the process that looked at it died: ended by SIGSEGV",
    "os.kill(os.getpid(), signal.SIGINT)": "the process that looked at it died: ended by SIGINT",
    "os.closerange(3, 64); os._exit(3)": "the process that looked at it died: exit status 3",
    "raise KeyboardInterrupt": "the plugin raised KeyboardInterrupt: ",
}
"""What a plugin does while it streams, and what is told."""

RAISED = {
    ("new_client", "raise KeyboardInterrupt"): "the plugin raised KeyboardInterrupt: ",
    ("close", "raise GeneratorExit"): "the plugin raised GeneratorExit: ",
    ("capabilities", "sys.exit(3)"): "the plugin raised SystemExit: 3",
    ("close", "sys.exit(3)"): "the plugin raised SystemExit: 3",
    ("new_client", "os._exit(0)"): "the process that looked at it died: exit status 0",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder for plugins."""
    registry.cache_clear()
    with on_path(tmp_path):
        yield tmp_path
    registry.cache_clear()


def of_moment(moment: str) -> Place:
    """Where a plugin comes to it: claims are asked for where a check is of one."""
    claimed = next(each for each in CATALOGUE if each.needs == "tools" and each.must)
    return (claimed, "async-stream") if moment == "capabilities" else STREAM


def of_hostile(limit: float | None = None) -> Looker:
    """A process that looks at the hostile plugin."""
    return Looker("hostile", DIST, seed=1, quantum=1.0, limit=limit)


@pytest.mark.parametrize(
    ("moment", "deed", "told"),
    [
        *(("stream_deltas", deed, told) for deed, told in DEATHS.items()),
        *((*what, told) for what, told in RAISED.items()),
    ],
)
def test_what_ends_a_process_is_the_plugins_failure(
    site: Path, moment: str, deed: str, told: str
) -> None:
    """In words that say how; nothing of it comes out of the looker."""
    hostile(site, moment, deed)
    with of_hostile() as looker:
        cell = looker.look(*of_moment(moment))
    assert (cell.verdict, cell.told) == ("fail", told)


@pytest.mark.parametrize("moment", ["new_client", "capabilities", "close"])
def test_a_plugin_that_hangs_is_given_up(site: Path, moment: str) -> None:
    """Its process is killed; after some such cells nobody waits for more of them."""
    hostile(site, moment, HANGS)
    before = ids_of_children()
    with of_hostile(limit=0.5) as looker:
        cells = [looker.look(*of_moment(moment)) for _ in range(4)]
        assert ids_of_children() == before
    told = "the process that looked at it didn't answer in 0.5 s, and was killed"
    assert [(cell.verdict, cell.told) for cell in cells[:3]] == [("fail", told)] * 3
    assert (cells[3].verdict, cells[3].told) == (
        "untestable",
        "not looked at: the 3 cells before didn't end",
    )


@pytest.mark.parametrize("deed", ["sys.exit(3)", "raise KeyboardInterrupt"])
def test_a_loop_that_was_ended_is_in_nobodys_way(site: Path, deed: str) -> None:
    """The next cell has another."""
    hostile(site, "stream_deltas", deed)
    with of_hostile() as looker:
        verdicts = [looker.look(*place).verdict for place in (STREAM, (BY_ID["MOD-02"], "async"))]
    assert verdicts == ["fail", "pass"]


def test_a_loop_that_is_blocked_is_in_nobodys_way(site: Path) -> None:
    """Its process is given up once the cell is told."""
    hostile(site, "stream_deltas", HANGS)
    before = ids_of_children()
    with Looker("hostile", DIST, seed=1, quantum=0.05) as looker:
        cell = looker.look(*STREAM)
        assert ids_of_children() == before
    assert cell.verdict == "fail"


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("os._exit(0)", "died: exit status 0"),
        (HANGS, "didn't answer in 0.5 s, and was killed"),
    ],
)
def test_a_plugin_that_ends_its_process_where_it_is_loaded(
    site: Path, deed: str, told: str
) -> None:
    """There is nothing to look at."""
    hostile(site, "import", deed)
    limit = 0.5 if deed == HANGS else None
    with of_hostile(limit) as looker, pytest.raises(NotLoadedError) as caught:
        looker.load()
    assert caught.value.message == f"the process that loads the plugin of {DIST} {told}"
    assert not caught.value.of_harness


def test_what_a_plugin_raises_where_it_is_loaded_is_told(site: Path) -> None:
    """With the line."""
    hostile(site, "import", "sys.exit(5)")
    with of_hostile() as looker, pytest.raises(NotLoadedError, match="raised SystemExit") as caught:
        looker.load()
    assert str(caught.value.cause).startswith("SystemExit: 5 (")


def test_what_is_no_answer_is_told(site: Path) -> None:
    """A plugin can reach all that is in its process."""
    hostile(site, "close", "import json; json.dumps = lambda *_, **__: '{}'")
    with of_hostile() as looker:
        looker.look(*STREAM)
        cell = looker.look(BY_ID["MOD-02"], "async")
    assert cell.told == "the process that looked at it answered what is no answer, and was killed"


def test_claims_that_cant_be_had_are_none(site: Path) -> None:
    """Checks tell why."""
    hostile(site, "capabilities", "os._exit(0)")
    with of_hostile() as looker:
        assert looker.claims() == {}


@pytest.mark.parametrize(
    ("status", "told"),
    [(7, "exit status 7"), (-9, "ended by SIGKILL"), (-99, "ended by signal 99")],
)
def test_how_a_process_ended_is_told(status: int, told: str) -> None:
    """With a signal's name, if it has one."""
    assert fate(status) == told


def test_an_interrupt_ends_all_processes_at_once(installed: Path) -> None:
    """Whatever they are at; nothing is left."""
    before = ids_of_children()

    def interrupted(cell: Cell) -> None:
        assert len(ids_of_children() - before) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Subject.of("reference"), all_checks(), quantum=0.05, jobs=2, progress=interrupted)
    assert ids_of_children() == before


def test_a_looker_that_was_closed_looks_no_more(installed: Path) -> None:
    """It doesn't start another process; closing twice is no harm."""
    (looker,) = lookers("reference", 1)
    with looker:
        assert looker.look(BY_ID["MOD-01"], "async").verdict == "pass"
    looker.close()
    with pytest.raises(CancelledError):
        looker.look(BY_ID["MOD-01"], "async")


def test_a_process_inherits_no_socket(installed: Path) -> None:
    """It has three files of its parent's: two pipes, and standard error."""
    before = ids_of_children()
    with lookers("reference", 1)[0] as looker:
        looker.look(BY_ID["MOD-01"], "async")
        (child,) = ids_of_children() - before
        held, own = files(child), files("self")
    assert not [each for each in held & own if each.startswith("socket:")]


def test_other_assertions_stay_here(installed: Path) -> None:
    """They can't be taken to another process."""
    with pytest.raises(ValueError, match="one job"):
        run(Subject.of("reference"), CHECKS, expect=Expect(), jobs=2)


def test_there_is_room_for_one_at_least() -> None:
    """And never for more than four."""
    assert 1 <= usable() <= 4
