"""Sync to async and back: the one module that makes threads and loops for calls.

One loop thread per process serves all sync calls. A ``Pump`` runs a stream there and hands its
items to the calling thread in lists: whatever is ready at a wake-up goes over at once, which
costs a few microseconds an item where a round trip for each costs ten times as much. A
``BlockingSource`` is the other direction: a blocking generator on a thread of an executor, read
by a coroutine. Both are bounded. All threads here are daemons: nothing hangs at exit.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, ParamSpec, Protocol, TypeVar

from modelplug.errors import LifecycleError, QueueFullError, WrongUseError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")

_HIGH_WATER = 256
"""Items that wait for a slow reader before the writer is held back."""

_CLOSING_SECONDS = 1.0
"""How long a close from another thread waits to see the stream gone."""

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
    """The loop thread of this process: the package's one piece of global state.

    Global because a loop is needed that outlives every client, and one that several share.
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


def run(main: Callable[[], Coroutine[object, object, T]]) -> T:
    """What ``main`` gives, run on the loop thread; Ctrl-C cancels it.

    Raises:
        WrongUseError: called on the loop thread.
        LifecycleError: the interpreter is about to exit.
    """
    job: Job[T] = Job(_process.loop_thread())
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


class Closable(Protocol[T_co]):
    """An async iterator that can be closed early."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...

    async def __anext__(self) -> T_co: ...

    async def aclose(self) -> None:
        """Let go of whatever the iterator holds."""
        ...  # pragma: no cover


class Pump(Generic[T]):
    """Reads an async iterator on the loop thread for a reader on any other thread.

    Nothing happens before ``start``: by then the pump is where it can be closed from.

    Args:
        source: makes the iterator, on the loop thread.
        weigh: what an item counts for while it waits; large ones may count for several.
    """

    def __init__(
        self, source: Callable[[], Closable[T]], *, weigh: Callable[[T], int] = lambda _: 1
    ) -> None:
        self._source = source
        self._weigh = weigh
        self._process_id = os.getpid()
        self._lists: SimpleQueue[tuple[list[T], int] | None] = SimpleQueue()
        self._ready: list[T] = []
        self._ready_weight = 0
        self._handed_over = 0
        self._taken = 0
        self._space: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = _process.loop_thread()
        self._job: Job[None] = Job(self._thread)

    def start(self) -> None:
        """Begin to read.

        Raises:
            LifecycleError: the interpreter is about to exit.
        """
        self._job.start(self._pump)

    def take(self) -> list[T]:
        """All items at hand, at least one; an empty list at the end.

        Raises:
            WrongUseError: the process was forked since the stream began.
            BaseException: whatever the iterator raised.
        """
        if os.getpid() != self._process_id:
            raise WrongUseError("a stream can't be read in a forked child", hint="start a new one")
        handed = self._lists.get()
        if handed is None:
            self._lists.put(None)  # for whoever asks again
            failure, self._failure = self._failure, None
            try:
                if failure is not None:
                    raise failure
                return []
            finally:
                del failure  # its traceback holds this frame: no cycle
        items, weight = handed
        self._taken += weight
        if (space := self._space) is not None:
            with suppress(RuntimeError):  # the loop has ended, with the interpreter
                self._thread.loop.call_soon_threadsafe(space.set)
        return items

    def close(self, *, wait: bool = True) -> None:
        """End the stream and let its connection go; from any thread, also while another reads."""
        if os.getpid() != self._process_id:
            return  # it is the parent's
        self._job.cancel()
        if wait and self._job.has_started and not self._thread.is_current():
            with suppress(Empty):
                while self._lists.get(timeout=_CLOSING_SECONDS) is not None:
                    pass
                self._lists.put(None)

    async def _pump(self) -> None:
        source = self._source()
        flush = asyncio.get_running_loop().call_soon
        try:
            async for item in source:
                if not self._ready:
                    # Runs when the iterator makes us wait: until then everything is one list.
                    flush(self._flush)
                self._ready.append(item)
                self._ready_weight += self._weigh(item)
                if self._handed_over - self._taken + self._ready_weight >= _HIGH_WATER:
                    await self._drained()
        except asyncio.CancelledError:
            self._failure = LifecycleError("the stream was closed before its end")
        except BaseException as failure:  # noqa: BLE001  # raised again, in the reader's thread
            self._failure = failure
        finally:
            try:
                await source.aclose()
            finally:
                self._flush()
                self._lists.put(None)

    def _flush(self) -> None:
        if self._ready:
            self._handed_over += self._ready_weight
            self._lists.put((self._ready, self._ready_weight))
            self._ready, self._ready_weight = [], 0

    async def _drained(self) -> None:
        self._flush()
        self._space = asyncio.Event()
        while self._handed_over - self._taken >= _HIGH_WATER // 2:
            self._space.clear()
            # The reader may have taken the last list just before it could see the event.
            if self._handed_over - self._taken >= _HIGH_WATER // 2:
                await self._space.wait()
        self._space = None


class BlockingSource(Generic[T]):
    """Reads a blocking generator, on a thread of ``executor``, for a coroutine.

    It can't be interrupted from outside: ``stop`` lets the thread go, which ends at the next
    item or when whatever it waits for is cut (``Call.on_abort``).

    Args:
        generate: makes the generator, on the thread.
        executor: gives the thread.
        is_last: whether an item is the last one that is wanted; the generator is closed after it.
        weigh: what an item counts for while it waits; large ones may count for several.
    """

    def __init__(
        self,
        generate: Callable[[], Iterator[T]],
        executor: Executor,
        *,
        is_last: Callable[[T], bool] = lambda _: False,
        weigh: Callable[[T], int] = lambda _: 1,
    ) -> None:
        self._generate = generate
        self._executor = executor
        self._is_last = is_last
        self._weigh = weigh
        self._items: deque[tuple[T, int]] = deque()
        # Tokens in a queue, not a semaphore: a finaliser may give one back while this very
        # thread takes one, which only a SimpleQueue bears.
        self._space: SimpleQueue[None] = SimpleQueue()
        for _ in range(_HIGH_WATER):
            self._space.put(None)
        self._waiter: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._job: Future[None] | None = None
        self._ended = False
        self._stopped = False
        self._failure: BaseException | None = None

    def __aiter__(self) -> BlockingSource[T]:
        return self

    async def __anext__(self) -> T:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._submit()
        while not self._items:
            if self._ended:
                failure, self._failure = self._failure, None
                try:
                    raise failure or StopAsyncIteration
                finally:
                    del failure  # its traceback holds this frame: no cycle
            self._waiter = self._loop.create_future()
            # The thread may have put something just before it could see the waiter.
            if not self._items and not self._ended:
                await self._waiter
            self._waiter = None
        item, weight = self._items.popleft()
        for _ in range(weight):
            self._space.put(None)
        return item

    def stop(self) -> None:
        """Let the thread go without waiting for it; from any thread, as often as you like."""
        self._stopped = self._ended = True
        self._space.put(None)
        if self._job is not None:
            self._job.cancel()  # it may still be waiting for a thread

    async def aclose(self) -> None:
        """As ``stop``."""
        self.stop()

    def _submit(self) -> None:
        try:
            self._job = self._executor.submit(contextvars.copy_context().run, self._run)
        except RuntimeError as error:
            refusal = WrongUseError(
                f"the executor for blocking streams takes no more work: {error}",
                hint="it was shut down; make a new client with one that is open",
            )
        else:
            return
        raise refusal

    def _run(self) -> None:
        try:
            if not self._stopped:
                self._play(self._generate())
        except BaseException as failure:  # noqa: BLE001  # raised again, in the reading coroutine
            self._failure = failure
        finally:
            self._ended = True
            self._wake()

    def _play(self, generator: Iterator[T]) -> None:
        try:
            for item in generator:
                weight = min(self._weigh(item), _HIGH_WATER)  # what is larger has it all
                for _ in range(weight):
                    self._space.get()
                    if self._stopped:
                        return
                self._items.append((item, weight))
                self._wake()
                if self._is_last(item):
                    break
        finally:
            if (close := getattr(generator, "close", None)) is not None:
                close()

    def _wake(self) -> None:
        if self._waiter is not None and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class DaemonThreads(Executor):
    """An executor of daemon threads, up to a bound; what is beyond waits its turn.

    Not a ThreadPoolExecutor: the interpreter waits for the threads of one at exit, and a
    call that hangs would make it hang too. Threads end when there is nothing left to do.

    Args:
        limit: how many threads at once.
        name: what they are called.
    """

    def __init__(self, limit: int, *, name: str) -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` on a thread.

        Raises:
            RuntimeError: the executor was shut down, or the system gives no more threads.
        """
        if self._closed:
            raise RuntimeError("the executor was shut down")
        result: Future[T] = Future()
        job = partial(_carry_out, partial(fn, *args, **kwargs), result)
        with self._lock:
            has_room = self._running < self._limit
            if has_room:
                self._running += 1
            else:
                self._put_off(job)
        if has_room:
            self._start(job)
        return result

    def _put_off(self, job: Callable[[], None]) -> None:
        self._waiting.append(job)

    def _start(self, job: Callable[[], None]) -> None:
        try:
            threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True).start()
        except BaseException:
            with self._lock:
                self._running -= 1
            raise

    def _work(self, job: Callable[[], None] | None) -> None:
        while job is not None:
            job()
            with self._lock:
                job = self._waiting.popleft() if self._waiting else None
                if job is None:
                    self._running -= 1

    def shutdown(
        self, wait: bool = True, *, cancel_futures: bool = False
    ) -> None:  # Executor's signature
        """Take no more work; threads that run end by themselves."""
        self._closed = True


def _carry_out(work: Callable[[], T], result: Future[T]) -> None:
    """Do some work, unless nobody wants it any more; its outcome to ``result``."""
    try:
        if result.set_running_or_notify_cancel():
            result.set_result(work())
    except BaseException as failure:  # noqa: BLE001  # kept in the future
        result.set_exception(failure)
    finally:
        del result  # its failure's traceback holds this frame: no cycle


class StreamThreads(DaemonThreads):
    """Those of blocking streams: one for each, and none waits, as who has one may keep it long."""

    def __init__(self, limit: int = 512) -> None:
        super().__init__(limit, name="modelplug-stream")

    def _put_off(self, job: Callable[[], None]) -> None:
        raise QueueFullError(
            f"{self._limit} blocking streams are running already",
            hint="close streams that are done with, or pass an executor of your own",
        )
