"""So many calls at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import warnings
from collections import deque
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    Delta,
    Event,
    Finish,
    LifecycleError,
    ModelRequest,
    QueueFullError,
    QueueTimeoutError,
    ServerError,
    Timeouts,
    TotalTimeoutError,
)
from modelplug.policies import ConcurrencyLimit, Slots
from tests.support.scripted import AsyncScripted, BlockingScripted
from tests.support.virtual import run_virtually


def sleeping(seconds: float = 30) -> AsyncScripted:
    """A provider that answers after so long."""
    return AsyncScripted(lambda: asyncio.sleep(seconds), Delta("a"), Finish())


async def settled() -> None:
    """Let whatever can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_loop_that_is_closed_leaves_the_queue() -> None:
    """Calls that waited there when it was can't go on, and are in nobody's way."""
    slots = Slots(1, queue=2)
    place, limited = slots.take(), ConcurrencyLimit(sleeping(), slots)
    left = []
    for _ in range(2):
        loop = asyncio.new_event_loop()
        left.append(loop.create_task(limited.generate("hi")))
        loop.run_until_complete(settled())
        loop.close()
    assert slots.waiting == 2
    waiting = slots.take()
    slots.give_back(place)
    assert (waiting.done(), slots.taken, slots.waiting) == (True, 1, 0)
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is, on purpose
        with contextlib.suppress(RuntimeError):  # there is no loop any more
            task.get_coro().close()
    assert slots.taken == 1


def test_a_call_that_leaves_the_queue_had_begun() -> None:
    """For its observers: a beginning and an end, though nobody was asked."""

    async def main() -> list[tuple[str, str | None]]:
        events: list[Event] = []
        client = sleeping()
        client.observers = (events.append,)
        limited = ConcurrencyLimit(client, 1)
        limited.slots.take()
        task = asyncio.create_task(limited.generate("hi"))
        await settled()
        task.cancel()
        await asyncio.wait([task])
        return [(type(event).__name__, event.model) for event in events]

    told = run_virtually(main())
    assert told == [("CallStarted", "scripted"), ("CallAbandoned", "scripted")]


class TestSlots:
    @pytest.mark.parametrize(
        ("limit", "queue"),
        [(0, None), (1, -1), (2.5, None), (True, None), ("3", None), (1, 0.5), (1, True)],
    )
    def test_impossible_limits_are_refused(self, limit: int, queue: int | None) -> None:
        """There is room for one at least."""
        with pytest.raises(ValueError, match="at least"):
            Slots(limit, queue=queue)
        if queue is None:
            with pytest.raises(ValueError, match="at least"):
                ConcurrencyLimit(AsyncScripted(), limit)

    def test_who_is_gone_waits_no_more(self) -> None:
        """Its place in the queue is another's, and room that comes free is never its own."""
        slots = Slots(1, queue=2)
        first = slots.take()
        gone = [slots.take(is_gone=lambda: True) for _ in range(2)]
        second = slots.take()
        assert (slots.waiting, slots.taken) == (1, 1)
        third = slots.take(is_gone=lambda: True)
        slots.give_back(first)
        slots.give_back(second)
        states = [each.done() for each in (*gone, second, third)]
        assert (states, slots.taken, slots.waiting) == ([False, False, True, False], 0, 0)

    def test_a_full_queue_refuses_at_once(self) -> None:
        """Twice as many wait as have room."""
        slots = Slots(2)
        places = [slots.take() for _ in range(6)]
        with pytest.raises(QueueFullError, match="2 calls are under way, and 4 wait") as caught:
            slots.take()
        assert (caught.value.sent, slots.taken, slots.waiting) == ("no", 2, 4)
        assert [place.done() for place in places] == [True, True, False, False, False, False]

    @given(
        limit=st.integers(1, 3),
        queue=st.integers(0, 3),
        acts=st.lists(st.one_of(st.none(), st.integers(0, 9))),
    )
    def test_first_come_first_served(self, limit: int, queue: int, acts: list[int | None]) -> None:
        """Whoever comes and goes: nobody is passed over, and no room is lost or made up."""
        slots = Slots(limit, queue=queue)
        inside: list[Future[None]] = []
        waiting: deque[Future[None]] = deque()
        for act in acts:
            if act is not None and (everybody := [*inside, *waiting]):
                leaving = everybody[act % len(everybody)]
                (inside if leaving in inside else waiting).remove(leaving)
                slots.give_back(leaving)
            elif len(inside) < limit:
                inside.append(slots.take())
            elif len(waiting) < queue:
                waiting.append(slots.take())
            else:
                with pytest.raises(QueueFullError):
                    slots.take()
            while waiting and len(inside) < limit:
                inside.append(waiting.popleft())
            assert all(place.done() for place in inside)
            assert not any(place.done() for place in waiting)
            assert (len(inside), len(waiting)) == (slots.taken, slots.waiting)

    def test_a_finaliser_may_give_back_while_a_place_is_taken(self) -> None:
        """The collector runs wherever it likes, within this lock as well: no deadlock."""
        slots = Slots(1)
        place = slots.take()

        def collect() -> None:
            with slots._lock:
                slots.give_back(place)

        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        thread.join(5)
        assert (thread.is_alive(), slots.taken) == (False, 0)

    def test_threads_share_them(self) -> None:
        """Never more than there is room for, and in the end all are free."""
        slots, most = Slots(3, queue=100), []

        def work() -> None:
            for _ in range(50):
                place = slots.take()
                place.result(5)
                most.append(slots.taken)
                slots.give_back(place)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(most), max(most) <= 3, slots.taken) == (400, True, 0)


def test_so_many_are_under_way_and_no_more() -> None:
    """Ten calls of ten seconds, two at a time, take fifty."""

    async def main() -> tuple[float, int]:
        client = sleeping(10)
        limited = ConcurrencyLimit(client, Slots(2, queue=8))
        asked = ModelRequest(messages="hi", timeout=Timeouts(queue=None))
        await asyncio.gather(*(limited.generate(asked) for _ in range(10)))
        return asyncio.get_running_loop().time(), limited.slots.taken

    assert run_virtually(main()) == (50, 0)


def test_a_call_waits_as_long_as_its_queue_allows() -> None:
    """At that very moment it gives up, and its place in the queue is free."""

    async def main() -> tuple[float, type[BaseException], int]:
        limited = ConcurrencyLimit(sleeping(), 1)
        first = asyncio.create_task(limited.generate("hi"))
        await settled()
        with pytest.raises(QueueTimeoutError) as caught:
            await limited.generate(ModelRequest(messages="hi", timeout=Timeouts(queue=7)))
        assert caught.value.sent == "no"
        assert "call less at once" in str(caught.value.hint)
        at = asyncio.get_running_loop().time()
        waiting = limited.slots.waiting
        first.cancel()
        await asyncio.wait([first])
        assert limited.slots.taken == 0
        return at, type(caught.value), waiting

    assert run_virtually(main()) == (7, QueueTimeoutError, 0)


def test_the_deadline_ends_the_wait() -> None:
    """Where it comes before the queue's limit."""

    async def main() -> float:
        limited = ConcurrencyLimit(sleeping(), 1)
        limited.slots.take()
        with pytest.raises(TotalTimeoutError):
            await limited.generate(
                ModelRequest(messages="hi", timeout=Timeouts(queue=None, total=9))
            )
        assert limited.slots.waiting == 0
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 9


def test_time_in_the_queue_is_not_the_provider_s() -> None:
    """Its clocks begin when it is asked."""

    async def main() -> str:
        limited = ConcurrencyLimit(sleeping(9), 1)
        asked = ModelRequest(messages="hi", timeout=Timeouts(first_delta=10, queue=20))
        _, second = await asyncio.gather(limited.generate(asked), limited.generate(asked))
        return second.text

    assert run_virtually(main()) == "a"


@pytest.mark.parametrize("how", ["finish", "failure", "mid-stream", "close", "drop", "sync"])
def test_a_place_is_given_back_once(how: str) -> None:
    """However an answer ends; a second of two places stays taken."""
    scripts: dict[str, list[object]] = {
        "failure": [ServerError],
        "mid-stream": [Delta("a"), ServerError],
    }
    steps = scripts.get(how, [Delta("a"), Delta("b"), Finish()])
    limited = ConcurrencyLimit(AsyncScripted(*steps), 2)
    limited.slots.take()

    async def main() -> None:
        stream = limited.generate_stream("hi")
        if how in ("close", "drop"):
            await anext(stream)
            assert limited.slots.taken == 2
            if how == "close":
                await stream.aclose()
                await stream.aclose()
        elif how == "finish":
            await stream.final()
        else:
            with pytest.raises(ServerError):
                await stream.final()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        if how == "sync":
            assert limited.sync_generate("hi").text == "ab"
        else:
            asyncio.run(main())
        gc.collect()
    assert limited.slots.taken == 1


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
@pytest.mark.parametrize("where", ["queue", "opening"])
def test_whoever_leaves_leaves_nothing(how: str, where: str) -> None:
    """In the queue as in the opening: the place is free, and the next call works."""

    async def main() -> tuple[object, int, int]:
        provider = sleeping()
        limited = ConcurrencyLimit(provider, 1)
        held = limited.slots.take() if where == "queue" else None
        stream = limited.generate_stream("hi")
        task = asyncio.ensure_future(anext(stream))
        await settled()
        if how == "cancel":
            task.cancel()
        elif how == "aclose":
            await stream.aclose()
        else:
            limited.close()
        (gone,) = await asyncio.gather(task, return_exceptions=True)
        if held is not None:
            limited.slots.give_back(held)
        slots = limited.slots
        if how != "client":
            again = ConcurrencyLimit(provider, slots)
            assert (await again.generate("hi")).text == "a"
        return type(gone), slots.taken, slots.waiting

    kind, taken, waiting = run_virtually(main())
    assert isinstance(kind, type)
    if how == "cancel":
        assert kind is asyncio.CancelledError
    else:
        assert issubclass(kind, LifecycleError)
    assert (taken, waiting) == (0, 0)


def test_a_blocking_provider_is_limited_too() -> None:
    """From threads, over the bridge: two at once."""
    now, most, lock = 0, 0, threading.Lock()

    def come() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)

    def go() -> None:
        nonlocal now
        with lock:
            now -= 1

    with ConcurrencyLimit(BlockingScripted(come, Delta("a"), go, Finish()), 2) as limited:
        threads = [threading.Thread(target=limited.sync_generate, args=("hi",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (most <= 2, limited.slots.taken) == (True, 0)
