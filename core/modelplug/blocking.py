"""Blocking providers: their generators read by coroutines, and the threads that those run on.

All threads here are daemons: nothing hangs at exit. What waits for a reader is bounded.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Generic, ParamSpec, TypeVar

from modelplug.delta import Delta, Finish, Pieces
from modelplug.errors import QueueFullError, WrongUseError

__all__ = ["BlockingSource", "DaemonThreads", "StreamThreads", "has_finish", "weight"]

T = TypeVar("T")
P = ParamSpec("P")

_HIGH_WATER = 256
"""Items that wait for a slow reader before the writer is held back."""


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


def has_finish(pieces: Pieces) -> bool:
    """Whether these are the last pieces of an answer."""
    if isinstance(pieces, (list, tuple)):
        return any(isinstance(piece, Finish) for piece in pieces)
    return isinstance(pieces, Finish)


def weight(pieces: Pieces) -> int:
    """What pieces cost while they wait for their reader: 1 each, and 1 more for each 4 KiB."""
    if isinstance(pieces, (list, tuple)):
        return 1 + sum(map(weight, pieces))
    if isinstance(pieces, Delta):
        return 1 + (len(pieces.text) + len(pieces.reasoning)) // 4096
    return 1
