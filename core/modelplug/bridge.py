"""Sync to async: the one loop of calls that don't come from a loop.

One loop thread per process serves all sync calls: ``run`` runs a coroutine there, and a ``Pump``
a stream. The thread is a daemon: nothing hangs at exit. The other direction is ``blocking``.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from modelplug.errors import LifecycleError, WrongUseError

T = TypeVar("T")

_CLOSING_SECONDS = 1.0
"""How long an interpreter that exits waits to see the thread gone."""

_EXITING = "the interpreter is about to exit"


class LoopThread:
    """An event loop on a daemon thread of its own; made first and started after, as a ``Job``.

    Attributes:
        loop: once it was started.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="modelplug-bridge", daemon=True)

    def start(self) -> None:
        """Start the thread, unless that is done."""
        if self._thread.ident is None:
            if not hasattr(self, "loop"):  # or Ctrl-C has come after this, the last time
                self.loop = asyncio.new_event_loop()
            atexit.register(self.stop)
            self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def is_dead(self) -> bool:
        """Whether the thread has died, otherwise than with the interpreter."""
        started = self._thread.ident is not None
        return started and not self._thread.is_alive() and not self.loop.is_closed()

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """End all tasks, then the loop and its thread; at interpreter exit."""

        async def wind_up() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.wait([*tasks, asyncio.ensure_future(asyncio.sleep(0))], timeout=0.5)
            await self.loop.shutdown_asyncgens()
            self.loop.stop()

        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(wind_up()))
            self._thread.join(_CLOSING_SECONDS)
        if not self._thread.is_alive():
            self.loop.close()


class Job(Generic[T]):
    """A coroutine for a loop thread: made first and started after.

    So whoever starts it has it in hand by then, to cancel it: Ctrl-C may come between any two
    steps of a thread, also right after the one that has set something going.

    Attributes:
        result: what the coroutine gives or raises.
        has_started: whether it may be running.
    """

    def __init__(self, thread: LoopThread) -> None:
        self.result: Future[T] = Future()
        self.has_started = False
        self._loop = thread.loop
        self._task: asyncio.Task[None] | None = None

    def start(self, main: Callable[[], Coroutine[object, object, T]]) -> None:
        """Run ``main``, once, in a copy of the caller's context variables.

        Raises:
            LifecycleError: the loop has ended, with the interpreter.
        """
        try:
            begin = partial(self._begin, main)
            self._loop.call_soon_threadsafe(begin, context=contextvars.copy_context())
        except RuntimeError:
            pass
        else:
            self.has_started = True
            return
        raise LifecycleError(_EXITING)

    def cancel(self) -> None:
        """End it, if it hasn't ended; from any thread, as often as you like.

        One that is being started gets as far as it does without waiting: its clean-up runs.
        """
        if self.result.cancel():
            with suppress(RuntimeError):  # the loop has ended, with the interpreter
                self._loop.call_soon_threadsafe(self._end)

    def _begin(self, main: Callable[[], Coroutine[object, object, T]]) -> None:
        self._task = self._loop.create_task(_settle(main, self.result))
        if self.result.cancelled():
            self._end()

    def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._loop.call_soon(task.cancel)  # not at once: after its first step


async def _settle(main: Callable[[], Coroutine[object, object, T]], result: Future[T]) -> None:
    """Run ``main``, its outcome to ``result`` and nothing to the loop.

    SystemExit in a task would end the loop, and so every later sync call of the process.
    """
    try:
        value = await main()
    except BaseException as error:  # noqa: BLE001  # raised again, in the thread that waits
        if result.set_running_or_notify_cancel():  # or the caller has gone
            result.set_exception(error)
    else:
        if result.set_running_or_notify_cancel():
            result.set_result(value)


class _Process:
    """The loop thread of this process, which is global state.

    That is because a loop is needed that outlives every client, and one that several share.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._inherited: list[object] = []

    def loop_thread(self) -> LoopThread:
        """The loop thread, started at its first use.

        Raises:
            WrongUseError: called on the loop thread itself, which would wait for itself.
        """
        with self._lock:
            if self._thread is None or self._thread.is_dead():
                self._thread = LoopThread()
            self._thread.start()
        if self._thread.is_current():
            raise WrongUseError(
                "a sync call on the thread that serves sync calls would wait for itself",
                hint="use the async calls there",
            )
        return self._thread

    def forget(self) -> None:
        """After a fork the child has the thread's objects but not the thread: start afresh."""
        if self._thread is not None:
            atexit.unregister(self._thread.stop)
        # Kept, not closed: its descriptors are the parent's too, and a loop that is collected
        # while it seems to run complains.
        self._inherited.append((self._lock, self._thread))
        self._lock, self._thread = threading.Lock(), None


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forget)


def loop_thread() -> LoopThread:
    """The loop thread of the process, started at its first use.

    Raises:
        WrongUseError: called on the loop thread itself, which would wait for itself.
    """
    return _process.loop_thread()


def run(main: Callable[[], Coroutine[object, object, T]]) -> T:
    """What ``main`` gives, run on the loop thread; Ctrl-C cancels it.

    Raises:
        WrongUseError: called on the loop thread.
        LifecycleError: the interpreter is about to exit.
    """
    job: Job[T] = Job(loop_thread())
    try:
        job.start(main)
        return job.result.result()
    except asyncio.CancelledError:
        pass  # nobody here has cancelled it: the loop thread is being stopped
    except BaseException:
        job.cancel()
        raise
    finally:
        del job  # it holds the error, whose traceback holds this frame: no cycle
    raise LifecycleError(_EXITING)
