"""Cells that are looked at in other processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from modelplug.conformance.expect import Expect
from modelplug.conformance.processes import Looker, Place, fate, looked, usable
from modelplug.conformance.report import Cell
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from modelplug.registry import registry
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

BY_ID = {each.id: each for each in all_checks()}
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
    """That is the harness's fault; the next cell has a new process, and prints are no answers."""
    with closing(looked(lookers("dying", 2), PLACES)) as found:
        cells = [*found]
    assert [cell.verdict for cell in cells] == ["harness", "harness", "pass", "pass"]
    assert cells[0].told == "the process that looked at it died: exit status 7"
    assert cells[0].name == "STR-02[async-stream]"


def test_a_process_that_dies_of_no_call_has_no_direction(dying: None) -> None:
    """Its cell is called as if it had lived."""
    no_call = replace(BY_ID["STR-02"], directions=())
    with lookers("dying", 1)[0] as looker:
        cell = looker.look(no_call, "sync-stream")
    assert (cell.name, cell.verdict) == ("STR-02", "harness")


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
