"""The bridge between threads and event loops."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import gc
import linecache
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, Self

import pytest

from modelplug import (
    Call,
    Delta,
    Finish,
    ModelRequest,
    Pieces,
    QueueFullError,
    TotalTimeoutError,
    WrongUseError,
    bridge,
    stream,
)
from modelplug.bridge import BlockingSource, DaemonThreads, Pump, StreamThreads, run
from tests.support.scripted import AsyncScripted, BlockingScripted

who = contextvars.ContextVar("who", default="nobody")


async def whoami() -> str:
    """Whose context this runs in."""
    return who.get()


def test_a_coroutine_runs_in_the_callers_context() -> None:
    """Context variables of the calling thread are seen on the loop thread."""
    who.set("me")
    assert run(whoami) == "me"


def test_all_sync_calls_share_one_thread() -> None:
    """However many calls, one thread of the bridge serves them."""

    async def thread() -> int:
        return threading.get_ident()

    with ThreadPoolExecutor(8) as pool:
        idents = set(pool.map(lambda _: run(thread), range(40)))
    assert (len(idents), threading.get_ident() in idents) == (1, False)


def test_a_sync_call_on_the_loop_thread_is_refused() -> None:
    """A call that would wait for itself is an error at once."""

    async def nested() -> str:
        return AsyncScripted(Finish()).sync_generate("hi").text

    with pytest.raises(WrongUseError):
        run(nested)


def test_a_sync_call_works_inside_a_running_loop() -> None:
    """A coroutine on any other loop may use the sync calls; it blocks that loop only."""

    async def main() -> str:
        return AsyncScripted(Delta("a"), Finish()).sync_generate("hi").text

    assert asyncio.run(main()) == "a"


class Counting:
    """An endless async iterator that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = threading.Event()

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        self.asked += 1
        return self.asked

    async def aclose(self) -> None:
        """Take note."""
        self.closed.set()


def test_what_is_ready_is_handed_over_in_lists() -> None:
    """Items that come without waiting are taken many at a time, in order, none lost."""
    source = Counting()
    pump = Pump(lambda: source)
    pump.start()
    taken = [item for _ in range(20) for item in pump.take()]
    pump.close()
    assert list(range(1, len(taken) + 1)) == taken
    assert len(taken) > 20


def test_a_slow_reader_holds_the_source_back() -> None:
    """A source that never pauses is read no further than the high-water mark ahead."""
    source = Counting()
    pump = Pump(lambda: source)
    pump.start()
    taken = sum(len(pump.take()) for _ in range(10))
    run(partial(asyncio.sleep, 0.01))  # the pump has had the loop to itself
    ahead = source.asked - taken
    pump.close()
    assert 0 < ahead <= 512


def test_closing_a_pump_closes_its_source() -> None:
    """Close cancels what runs on the loop thread and lets the source go."""
    source = Counting()
    pump = Pump(lambda: source)
    pump.start()
    pump.take()
    pump.close()
    assert source.closed.is_set()


@pytest.mark.parametrize("items", [0, 1, 255, 256, 257, 3000])
def test_a_blocking_generator_is_read_whole(items: int) -> None:
    """Every item of a blocking generator arrives, in order, whatever their number."""

    async def main() -> list[int]:
        with ThreadPoolExecutor(1) as pool:
            return [item async for item in BlockingSource(lambda: iter(range(items)), pool)]

    assert asyncio.run(main()) == list(range(items))


def test_a_blocking_generator_is_held_back_by_a_slow_reader() -> None:
    """The thread behind a blocking generator waits when the reader has enough."""
    made = []

    def generate() -> Iterator[int]:
        for number in range(100_000):
            made.append(number)
            yield number

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            source = BlockingSource(generate, pool)
            for _ in range(10):
                await anext(source)
            await source.aclose()

    asyncio.run(main())
    assert 10 <= len(made) <= 270


@pytest.mark.parametrize(("weight", "least", "most"), [(64, 10, 14), (1000, 10, 12)])
def test_large_items_hold_a_blocking_generator_back_earlier(
    weight: int, least: int, most: int
) -> None:
    """Each counts for as many as it weighs; one that is too heavy for the queue passes alone."""
    made = []

    def generate() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    async def main() -> list[int]:
        with ThreadPoolExecutor(1) as pool:
            source = BlockingSource(generate, pool, weigh=lambda _: weight)
            read = [await anext(source) for _ in range(10)]
            await source.aclose()
        return read

    assert asyncio.run(main()) == [*range(10)]
    assert least <= len(made) <= most + 1


def test_a_blocking_provider_is_held_back_by_the_size_of_its_pieces() -> None:
    """Two hundred pieces of 64 KiB are far too many to be gathered ahead."""
    made = []

    class Large(BlockingScripted):
        """Notes each piece that is made."""

        def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Pieces]:  # type: ignore[override]  # lists, too
            for number in range(200):
                made.append(number)
                yield [Delta("x" * 65_536)] if number % 2 else Delta(reasoning="x" * 65_536)
            yield Finish()

    async def main() -> None:
        async with Large().generate_stream("hi") as stream:
            await anext(stream)

    asyncio.run(main())
    assert len(made) < 40


def test_one_worker_serves_streams_one_after_the_other() -> None:
    """Three parallel streams on an executor of one thread all finish."""

    async def main(client: BlockingScripted) -> list[str]:
        outputs = await asyncio.gather(*(client.generate("hi") for _ in range(3)))
        return [output.text for output in outputs]

    with ThreadPoolExecutor(1) as pool:
        client = BlockingScripted(Delta("a"), Finish(), executor=pool)
        assert asyncio.run(main(client)) == ["a"] * 3


def test_too_many_streams_are_refused_at_once() -> None:
    """Beyond its bound the executor of blocking streams refuses, and recovers."""
    gate = threading.Event()
    threads = StreamThreads(limit=2)
    running = [threads.submit(gate.wait, 30) for _ in range(2)]
    with pytest.raises(QueueFullError):
        threads.submit(int)
    gate.set()
    assert [each.result(5) for each in running] == [True, True]


def test_more_than_there_are_threads_wait_their_turn() -> None:
    """First come, first served; who has gone by then is passed over, and all threads end."""
    gate = threading.Event()
    done: list[int] = []
    threads = DaemonThreads(2, name="modelplug-test")
    running = [threads.submit(gate.wait, 30) for _ in range(2)]
    waiting = [threads.submit(done.append, each) for each in range(4)]
    assert waiting[1].cancel()
    assert done == []
    gate.set()
    assert [each.result(5) for each in running] == [True, True]
    assert settle(lambda: sorted(done) == [0, 2, 3])
    assert settle(lambda: "modelplug-test" not in [each.name for each in threading.enumerate()])


def test_what_a_thread_fails_with_is_freed_at_once() -> None:
    """It is in no cycle with its future."""

    class OwnError(Exception):
        """One that can be referred to weakly."""

    def fail() -> None:
        raise OwnError

    gc.disable()
    try:
        result = DaemonThreads(1, name="modelplug-test").submit(fail)
        raised = result.exception(5)
        assert isinstance(raised, OwnError)
        failure = weakref.ref(raised)
        del raised, result
        assert settle(lambda: failure() is None)
    finally:
        gc.enable()


def test_a_thread_that_can_t_be_had_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried as if nothing had been."""
    threads = DaemonThreads(1, name="modelplug-test")

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            threads.submit(int)
    assert threads.submit(int).result(5) == 0


def test_an_executor_that_was_shut_down_takes_nothing() -> None:
    """Work after shutdown is refused, as executors do."""
    threads = StreamThreads()
    threads.shutdown()
    with pytest.raises(RuntimeError):
        threads.submit(int)


@pytest.mark.fault(86, way="sync stream", subject="hostile")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gets_a_thread_of_its_own() -> None:
    """After a fork the child's sync calls work, and the parent's stream is refused there."""
    script = """
import os, sys
from modelplug import Delta, Finish, WrongUseError
from tests.support.scripted import AsyncScripted
import asyncio
client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(0.01), Finish())
stream = client.sync_generate_stream("hi")
next(stream)
child = os.fork()
if child == 0:
    refused = False
    try:
        list(stream)
    except WrongUseError:
        refused = True
    os._exit(0 if refused and client.sync_generate("hi").text == "a" else 1)
_, status = os.waitpid(child, 0)
assert [output.final for output in stream] == [True]
sys.exit(os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=30, check=False)
    assert done.returncode == 0


@pytest.mark.fault(92, way="sync stream", subject="hostile")
@pytest.mark.parametrize("kind", ["AsyncScripted", "BlockingScripted"])
def test_the_interpreter_exits_with_a_stream_open(kind: str) -> None:
    """A process that ends in the middle of an answer ends at once and quietly."""
    wait = "asyncio.sleep(60)" if kind == "AsyncScripted" else "time.sleep(60)"
    script = f"""
import asyncio, time
from modelplug import Delta
from tests.support.scripted import {kind}
stream = {kind}(Delta("a"), lambda: {wait}).sync_generate_stream("hi")
next(stream)
stream.keep = stream  # no finaliser before the very end
print("leaving")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=30, check=False, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")


def threads_of_streams() -> int:
    """Threads that serve blocking streams."""
    return sum(each.name == "modelplug-stream" for each in threading.enumerate())


def settle(condition: object) -> bool:
    """Whether ``condition()`` comes to hold; threads end in their own time."""
    for _ in range(500):
        if condition():  # type: ignore[operator]  # a callable
            return True
        threading.Event().wait(0.01)
    return False


@pytest.mark.parametrize("how", ["drop", "close", "client"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_thread_is_left_by_a_blocking_stream_that_is_let_go(how: str) -> None:
    """However a caller leaves, the thread that fills the buffer ends."""
    before = threads_of_streams()

    async def main() -> None:
        client = BlockingScripted(*[Delta("x")] * 2000, Finish())
        stream = client.generate_stream("hi")
        await anext(stream)
        if how == "close":
            await stream.aclose()
        elif how == "client":
            await client.aclose()
        del stream

    asyncio.run(main())
    assert settle(lambda: threads_of_streams() <= before)


def test_the_thread_ends_with_the_finish() -> None:
    """What a blocking provider would do after its finish is not done."""
    after = threading.Event()
    client = BlockingScripted(Delta("a"), Finish(), after.wait)
    assert client.sync_generate("hi").text == "a"
    assert settle(lambda: client.closed == 1)


def test_a_question_that_timed_out_in_the_queue_is_never_asked() -> None:
    """A call that was given up while it waited for a thread sends nothing later."""
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate.wait, 10)
        client = BlockingScripted(Delta("a"), Finish(), executor=pool)
        with pytest.raises(TotalTimeoutError):
            client.sync_generate(ModelRequest(messages="hi", timeout=0.05))
        gate.set()
    assert client.calls == []


def test_an_executor_that_is_shut_down_is_the_apps_mistake() -> None:
    """A borrowed executor that takes no more work is told as that, not as a plugin's bug."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(WrongUseError, match="takes no more work"):
        BlockingScripted(Finish(), executor=pool).sync_generate("hi")


def test_the_loop_survives_what_would_end_it() -> None:
    """SystemExit out of a coroutine reaches the caller and leaves the loop thread alive."""

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(leave)
    assert "nobody" in (run(whoami), "nobody")


class Interrupted:
    """Has Ctrl-C come at the ``at``-th step that a thread takes in the code between the worlds.

    A step is a call, a line or a return: between any two of them Python may see to signals. But
    not between a block and the exit of its ``with``, where a lock would stay locked. And what is
    raised in a finaliser, it drops.
    """

    def __init__(self, at: int) -> None:
        self.has_come = False
        self._left = at

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in (bridge.__file__, stream.__file__):
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event == "exception" or line.lstrip().startswith("with "):
            return self._trace
        self._left -= 1
        if self._left <= 0 and not self.has_come and not _is_finalising(frame):
            self.has_come = True
            raise KeyboardInterrupt
        return self._trace


def _is_finalising(frame: FrameType | None) -> bool:
    return frame is not None and (frame.f_code.co_name == "__del__" or _is_finalising(frame.f_back))


def ask_whole(client: AsyncScripted) -> object:
    """One question, one answer."""
    return client.sync_generate("hi")


def ask_in_a_block(client: AsyncScripted) -> object:
    """A stream that is left early, but closed."""
    with client.sync_generate_stream("hi") as answer:
        return next(answer)


def ask_and_drop(client: AsyncScripted) -> object:
    """A stream that nobody closes; for whoever is to drop it."""
    answer = client.sync_generate_stream("hi")
    next(answer)
    return answer


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of dropped streams
@pytest.mark.parametrize("is_first", [True, False], ids=["first call", "later call"])
@pytest.mark.parametrize("ask", [ask_whole, ask_in_a_block, ask_and_drop])
def test_ctrl_c_at_any_step_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[AsyncScripted], object], is_first: bool
) -> None:
    """Wherever a call stands when Ctrl-C comes, it is ended, and the next call works."""
    waiting = threading.Event()

    class Announcing(Future[object]):
        """Tells that the thread has come to wait: from there the answer may be whole."""

        def result(self, timeout: float | None = None) -> object:
            """As usual."""
            waiting.set()
            return super().result(timeout)

    async def hold() -> None:
        while not waiting.is_set():  # noqa: ASYNC110  # another thread's, and its own step
            await asyncio.sleep(0.001)

    monkeypatch.setattr(bridge, "Future", Announcing)
    kept: list[object] = []
    steps, has_come = 0, True
    while has_come:
        steps += 1
        waiting.clear()
        if is_first:
            monkeypatch.setattr(bridge, "_process", bridge._Process())
        whole = ask is ask_whole
        client = AsyncScripted(Delta("a"), hold if whole else partial(asyncio.sleep, 60), Finish())
        with suppress(KeyboardInterrupt), Interrupted(steps) as interrupted:
            kept.append(ask(client))
        has_come = interrupted.has_come
        kept.clear()
        assert settle(lambda: run(others) == 0), f"a call goes on after step {steps}"
        assert client.closed == len(client.calls)
        assert AsyncScripted(Finish()).sync_generate("hi").final
        if is_first:
            end_of(bridge._process)
    assert steps > 30


async def others() -> int:
    """Tasks on the loop beside the one that counts."""
    return len(asyncio.all_tasks()) - 1


def end_of(process: bridge._Process) -> None:
    """Stop a loop thread that is not the process's own."""
    thread = process.loop_thread()
    thread.stop()
    atexit.unregister(thread.stop)
    assert thread.loop.is_closed()


@pytest.mark.parametrize("ask", ["sync_generate('hi')", "sync_generate_stream('hi').__next__()"])
def test_a_call_at_the_very_end_is_refused(ask: str) -> None:
    """When the loop has ended with the interpreter, nobody waits for it for ever."""
    script = f"""
import atexit
from modelplug import Delta, Finish, LifecycleError
from tests.support.scripted import AsyncScripted
client = AsyncScripted(Delta("a"), Finish())

@atexit.register  # runs after the loop's own, which comes with the first call
def late():
    try:
        client.{ask}
    except LifecycleError as error:
        print(error.message)

client.sync_generate("hi")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=30, check=False, text=True
    )
    told = "the interpreter is about to exit\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
