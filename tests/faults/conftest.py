"""What all tests of faults have: nothing may be left open, and the table at the end."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from modelplug import bridge, new_client
from modelplug.testing.websocket import WebSocketUpstream
from modelplug.transport import tls_context
from modelplug_spark.codec import SparkCodec
from tests.faults.rows import COLLECTED, ROWS, Cell, cells_of

_PATIENCE = 10.0
"""Seconds until what was let go must be gone; nothing is measured by it."""

_POOLS = ("modelplug-resolver", "asyncio_")
"""Threads of the resolver's pool and of the loop thread's own: a few, which stay."""

_shown: dict[int, set[Cell]] = defaultdict(set)


@pytest.hookimpl(tryfirst=True)  # before anything is deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note on each test which cells it shows, so that its report can tell."""
    for item in items:
        cells = cells_of(item)
        item.user_properties += [("fault", cell) for cell in sorted(cells)]
        COLLECTED.setdefault(item.path.name, set()).update(cells)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the cells of a test that has passed."""
    if report.when == "call" and report.passed:
        for name, cell in report.user_properties:
            if name == "fault" and isinstance(cell, tuple):
                _shown[cell[0]].add(cell)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the rows, how many cells of each were shown, and what is left out and why."""
    out = terminalreporter
    out.section("fault matrix")
    for number, row in ROWS.items():
        told = row.left_out and f"left out: {row.left_out}"
        told = told or "; ".join(_ways(_shown[number])) or ", ".join(row.by)
        out.write_line(f"{number:>4} {len(_shown[number]):>3}  {row.says:<62} {told}")
        for what, why in (("open", row.open), ("not shown", row.lacks)):
            if why:
                out.write_line(f"{'':>10}{what}: {why}")
    shown = sum(map(len, _shown.values()))
    left_out = sum(bool(row.left_out) for row in ROWS.values())
    is_open = sum(bool(row.open) for row in ROWS.values())
    out.write_line(
        f"{len(ROWS)} rows, {shown} cells shown, {left_out} rows left out, {is_open} open"
    )


def _ways(cells: set[Cell]) -> list[str]:
    """Who was asked, and in which ways."""
    by_subject: dict[str, list[str]] = defaultdict(list)
    for _, way, subject in sorted(cells):
        by_subject[subject].append(way)
    return [f"{subject} ({', '.join(ways)})" for subject, ways in by_subject.items()]


@pytest.fixture(scope="session", autouse=True)
def what_stays() -> None:
    """Have what a process keeps on purpose: the loop thread, the TLS context."""
    new_client("echo").sync_generate("hi")
    tls_context()


@pytest.fixture(autouse=True)
def nothing_left(what_stays: None) -> Iterator[None]:
    """Fail where a test leaves a descriptor, a thread, or a task on the loop thread."""
    before = _held()
    yield
    until = time.monotonic() + _PATIENCE
    while (left := _held() - before) and time.monotonic() < until:
        gc.collect()
        threading.Event().wait(0.01)
    assert not left


def _held() -> Counter[str]:
    """Descriptors, threads but for those of lasting pools, and tasks of the loop thread."""
    threads = (each.name for each in threading.enumerate())
    held = Counter(name for name in threads if not name.startswith(_POOLS))
    held["descriptors"] = len(os.listdir("/dev/fd"))
    held["tasks"] = len(asyncio.all_tasks(bridge._process.loop_thread().loop))
    return held


@pytest.fixture(scope="module")
def spark() -> Iterator[WebSocketUpstream]:
    """One service for all tests of a module: each queues what is for it."""
    with WebSocketUpstream(SparkCodec()) as service:
        yield service
