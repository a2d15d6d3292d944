"""Waiting for what may not want to end when it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from modelplug.patience import patiently
from tests.support.virtual import run_virtually

Plugin = Callable[[], Awaitable[object]]


def seconds_until_cancelled(plugin: Plugin, *, cancels: int = 1) -> tuple[float, int]:
    """How long a caller waits that is cancelled so often; how often the plugin was left."""
    left: list[None] = []

    async def main() -> float:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(waiting(plugin, lambda: left.append(None)))
        await asyncio.sleep(5)
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return loop.time() - 5

    return run_virtually(main()), len(left)


async def waiting(plugin: Plugin, leaving: Callable[[], object]) -> object:
    """What a caller's task does."""
    return await patiently(plugin(), leaving=leaving)


async def obedient() -> None:
    """End when cancelled."""
    await asyncio.sleep(1e6)


async def thorough() -> None:
    """Clean up for half a second, in several steps."""
    try:
        await asyncio.sleep(1e6)
    finally:
        for _ in range(5):
            await asyncio.sleep(0.1)


async def slow() -> None:
    """Clean up for an hour, unless told once more."""
    try:
        await asyncio.sleep(1e6)
    finally:
        await asyncio.sleep(3600)


async def stubborn() -> None:
    """Swallow every cancelling."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1e6)


async def deaf() -> None:
    """Swallow whatever comes."""
    while True:
        with contextlib.suppress(BaseException):
            await asyncio.sleep(1e6)


async def stepping() -> None:
    """Clean up in many turns of the loop."""
    try:
        await asyncio.sleep(1e6)
    finally:
        for _ in range(100):
            await asyncio.sleep(0)


async def parental() -> None:
    """Clean up by a task of its own, which ends half a second after it is cancelled."""

    async def child() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            await asyncio.sleep(0.5)

    try:
        await asyncio.sleep(1e6)
    finally:
        await asyncio.ensure_future(child())


async def hasty() -> str:
    """Have a clock of its own, which cancels it, and go on."""
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.sleep(1e6)
    await asyncio.sleep(10)
    return "done"


IGNORES = pytest.mark.filterwarnings("ignore:Exception ignored in")


@pytest.mark.parametrize(
    ("plugin", "seconds", "left"),
    [
        (obedient, 0, 0),
        (stepping, 0, 0),
        (thorough, 0.5, 0),
        (slow, 1, 0),
        (parental, 1.5, 0),
        (hasty, 0, 0),
        (stubborn, 2, 1),
        pytest.param(deaf, 2, 1, marks=IGNORES),
    ],
)
def test_who_cancels_waits_for_so_long(plugin: Plugin, seconds: float, left: int) -> None:
    """A clean-up has its time; what doesn't end is left."""
    assert seconds_until_cancelled(plugin) == pytest.approx((seconds, left), abs=0.01)


@pytest.mark.parametrize(("plugin", "seconds", "left"), [(slow, 0, 0), (stubborn, 2, 1)])
@pytest.mark.parametrize("cancels", [2, 5])
def test_who_cancels_again_is_heard(
    plugin: Plugin, seconds: float, left: int, cancels: int
) -> None:
    """It ends a clean-up; and the time until a plugin is left is neither shorter nor longer."""
    ends = seconds_until_cancelled(plugin, cancels=cancels)
    assert ends == pytest.approx((seconds, left), abs=0.01)


def test_what_nobody_cancels_has_all_the_time() -> None:
    """A clock of the plugin's own isn't the caller's cancel, though it works by one."""

    async def main() -> tuple[object, float]:
        given = await waiting(hasty, pytest.fail)
        return given, asyncio.get_running_loop().time()

    assert run_virtually(main()) == ("done", 16)


async def test_what_is_at_hand_is_given_at_once() -> None:
    """Without a turn of the loop, and failures as they are."""

    async def fails() -> None:
        raise KeyError("x")

    async def gives() -> int:
        return 7

    turns: list[None] = []
    asyncio.get_running_loop().call_soon(turns.append, None)
    assert await waiting(gives, pytest.fail) == 7
    with pytest.raises(KeyError):
        await waiting(fails, pytest.fail)
    assert not turns


class Bare:
    """Awaitable by an iterator that nothing can be thrown into."""

    def __init__(self, waits_for: Coroutine[Any, Any, object]) -> None:
        self._waits_for = waits_for

    def __await__(self) -> Any:  # less than a generator, on purpose
        return map(next, itertools.repeat(self._waits_for.__await__()))


def test_any_awaitable_will_do() -> None:
    """As Python's own await has it."""
    assert seconds_until_cancelled(lambda: Bare(asyncio.sleep(1e6))) == (0, 0)


def test_a_failure_leaves_no_cycle_behind() -> None:
    """An error that was handled goes at once, without the collector."""

    class OddError(Exception):
        pass

    async def fails() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            raise OddError

    async def main() -> weakref.ref[BaseException]:
        task = asyncio.ensure_future(waiting(fails, pytest.fail))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        error = task.exception()
        assert isinstance(error, OddError)
        return weakref.ref(error)

    gc.disable()
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()
