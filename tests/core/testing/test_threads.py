"""A server in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from modelplug.testing.threads import in_thread


@asynccontextmanager
async def server(seen: list[str], *, fail: str = "") -> AsyncIterator[None]:
    """Notes when it starts and stops, and on which thread; fails where it is told to."""
    if fail == "entering":
        raise OSError("no such port")
    seen.append(threading.current_thread().name)
    yield
    seen.append("stopped")
    if fail == "leaving":
        raise ValueError("a bug")


def test_it_serves_while_the_block_runs() -> None:
    """On a thread that has gone afterwards."""
    seen: list[str] = []
    before = threading.active_count()
    with in_thread(server(seen), name="mine") as loop:
        assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, 7), loop).result() == 7
    assert seen == ["mine", "stopped"]
    assert before == threading.active_count()


@pytest.mark.parametrize(("fail", "kind"), [("entering", OSError), ("leaving", ValueError)])
def test_what_fails_is_raised_to_whoever_uses_it(fail: str, kind: type[Exception]) -> None:
    """Not printed by a thread that nobody looks at."""
    with pytest.raises(kind), in_thread(server([], fail=fail)):
        pass


def test_what_the_block_raises_comes_through() -> None:
    """And the server is stopped."""
    seen: list[str] = []
    with pytest.raises(KeyError), in_thread(server(seen)):
        raise KeyError
    assert seen[-1] == "stopped"


def test_a_loop_that_is_blocked_is_left_to_itself() -> None:
    """Where somebody's patience ends: the block does, and the loop isn't closed."""
    never, begun = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        never.wait()

    with in_thread(server([]), patience=0.01) as loop:
        loop.call_soon_threadsafe(block)
        begun.wait()
    assert not loop.is_closed()
    never.set()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_ends_a_loop_is_told_to_who_waits(error: BaseException) -> None:
    """And to nobody else."""

    async def end() -> None:
        raise error

    with in_thread(server([])) as loop:
        ended = asyncio.run_coroutine_threadsafe(end(), loop)
        assert type(ended.exception()) is type(error)
    assert loop.is_closed()
