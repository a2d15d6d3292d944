"""Waiting for what a plugin does, which may not want to end when it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from types import coroutine
from typing import Any, TypeVar, cast

from modelplug.clock import CLEANUP_SECONDS

__all__ = ["patiently"]

T = TypeVar("T")


@coroutine
def patiently(awaitable: Awaitable[T], *, leaving: Callable[[], object]) -> Generator[Any, Any, T]:
    """What ``awaitable`` gives; it is cancelled when this task is, whatever it makes of that.

    It has a second to clean up. Then it is cancelled once more, and after another second it is
    closed, and left where it still waits: nobody waits for it any more. Until somebody cancels
    it costs next to nothing.

    Args:
        awaitable: what is waited for, in this task.
        leaving: told when it is left.

    Raises:
        CancelledError: it was left.
    """
    inner = awaitable.__await__()
    ending: _Ending | None = None
    try:
        while ending is None:
            waits_for = next(inner)
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001  # it belongs to what is waited for
                ending = _Ending(inner, error, leaving)
    except StopIteration as done:
        return cast(T, done.value)
    return cast(T, (yield from ending))


class _Ending:
    """What was cancelled, or got another exception of its task's, until it is over."""

    def __init__(
        self, inner: Iterator[object], thrown: BaseException, leaving: Callable[[], object]
    ) -> None:
        self._inner = inner
        self._thrown: BaseException | None = thrown
        self._leaving = leaving
        self._before = 0
        self._until: float | None = None
        self._once_more = True

    def __iter__(self) -> Generator[Any, Any, object]:
        while True:
            error, self._thrown = self._thrown, None
            if error is not None and self._until is None:
                # How often the task had been cancelled before this.
                self._before = _cancels() - isinstance(error, asyncio.CancelledError)
            try:
                waits_for = next(self._inner) if error is None else _throw(self._inner, error)
            except StopIteration as done:
                return done.value
            finally:
                del error  # its traceback holds this frame: no cycle
            # Where a provider's own clock had cancelled it that is over by now, and counted back.
            if _cancels() > self._before:
                if (yield from self._wait_briefly(waits_for).__await__()):
                    self._thrown = asyncio.CancelledError()
            else:
                self._until, self._once_more = None, True
                try:
                    yield waits_for
                except BaseException as again:  # noqa: BLE001  # as above
                    self._thrown = again

    async def _wait_briefly(self, waits_for: object) -> bool:
        """Wait until what a cancelled one waits for is there; whether to cancel it instead.

        Raises:
            CancelledError: there is no patience left.
        """
        now = asyncio.get_running_loop().time
        self._until = self._until or now() + CLEANUP_SECONDS
        while not await _has_come(waits_for, self._until):
            if now() >= self._until:
                if not self._once_more:
                    self._leave()
                self._until, self._once_more = now() + CLEANUP_SECONDS, False
            if not (asyncio.isfuture(waits_for) and waits_for.cancel()):
                return True
        return False

    def _leave(self) -> None:
        with suppress(BaseException):  # whatever it makes of that
            _throw(self._inner, GeneratorExit())
        self._leaving()
        raise asyncio.CancelledError


async def _has_come(waits_for: object, until: float) -> bool:
    """Whether what is waited for is there by then; False, too, when somebody cancels."""
    loop = asyncio.get_running_loop()
    try:
        if not asyncio.isfuture(waits_for):  # the next turn of the loop, which sleep(0) waits for
            await asyncio.sleep(0)
            return loop.time() < until
        waits_for._asyncio_future_blocking = False  # as the task would note that it has got it
        done, _ = await asyncio.wait([waits_for], timeout=until - loop.time())
    except asyncio.CancelledError:
        return False
    return bool(done)


def _cancels() -> int:
    """How often the task was cancelled, and not taken back."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return 0  # no loop runs: what is closed where it waits just ends
    return task.cancelling() if task else 0


def _throw(inner: Iterator[object], error: BaseException) -> object:
    throw = getattr(inner, "throw", None)
    try:
        if throw is None:
            raise error
        return throw(error)
    finally:
        del error  # its traceback holds this frame: no cycle
