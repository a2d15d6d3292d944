"""Blocking providers, the coroutines that read them, and their threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
)
from modelplug.blocking import BlockingSource, DaemonThreads, StreamThreads
from tests.support.scripted import BlockingScripted


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


def settle(condition: object) -> bool:
    """Whether ``condition()`` comes to hold; threads end in their own time."""
    for _ in range(500):
        if condition():  # type: ignore[operator]  # a callable
            return True
        threading.Event().wait(0.01)
    return False


def threads_of_streams() -> int:
    """Threads that serve blocking streams."""
    return sum(each.name == "modelplug-stream" for each in threading.enumerate())


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
