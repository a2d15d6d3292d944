"""The clocks of a call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import pytest

from modelplug import (
    Call,
    ConnectTimeoutError,
    DeadlineError,
    Delta,
    Finish,
    FirstDeltaTimeoutError,
    IdleTimeoutError,
    LifecycleError,
    ModelRequest,
    QueueTimeoutError,
    Timeouts,
    TotalTimeoutError,
)
from modelplug.attempt import under
from modelplug.clock import Clock
from tests.support.scripted import AsyncScripted
from tests.support.virtual import VirtualLoop, run_virtually

LIMITS = Timeouts(connect=5, open=10, first_delta=60, idle=30, total=600)


def sleep(seconds: float) -> Callable[[], Awaitable[None]]:
    """A step that takes some time."""
    return lambda: asyncio.sleep(seconds)


class Reporting(AsyncScripted):
    """A provider that reports phases before it plays its steps."""

    phases: tuple[tuple[str, float], ...] = ()

    async def stream_deltas(self, request: ModelRequest, call: Call):  # type: ignore[no-untyped-def]  # noqa: ANN201  # as the base
        """The phases, each with the time that it takes, then the steps."""
        for phase, seconds in self.phases:
            call.reached(phase)  # type: ignore[arg-type]  # one of them
            await asyncio.sleep(seconds)
        async for piece in super().stream_deltas(request, call):
            yield piece


async def failure_of(
    client: AsyncScripted, timeouts: Timeouts = LIMITS
) -> tuple[float, DeadlineError]:
    """When a call timed out, by the loop's clock, and with what."""
    with pytest.raises(DeadlineError) as caught:
        await client.generate(ModelRequest(messages="hi", timeout=timeouts))
    return asyncio.get_running_loop().time(), caught.value


@pytest.mark.parametrize(
    ("phases", "steps", "at", "error"),
    [
        pytest.param((), [sleep(99)], 60, FirstDeltaTimeoutError, id="first-delta"),
        pytest.param((("connecting", 99),), [], 5, ConnectTimeoutError, id="connecting"),
        pytest.param((("connecting", 4), ("open", 99)), [], 10, ConnectTimeoutError, id="opening"),
        pytest.param(
            (("start", 20), ("connecting", 99)), [], 25, ConnectTimeoutError, id="after-a-queue"
        ),
        pytest.param(
            (("start", 20), ("connecting", 4), ("open", 99)),
            [],
            30,
            ConnectTimeoutError,
            id="opening-after-a-queue",
        ),
        pytest.param((("start", 99),), [], 60, FirstDeltaTimeoutError, id="in-a-queue"),
        pytest.param(
            (("connecting", 4), ("open", 4), ("sent", 99)),
            [],
            68,
            FirstDeltaTimeoutError,
            id="sent",
        ),
        pytest.param((), [Delta("a"), sleep(99)], 30, IdleTimeoutError, id="idle"),
        pytest.param(
            (),
            [Delta("a"), sleep(29), Delta("b"), sleep(99)],
            59,
            IdleTimeoutError,
            id="idle-again",
        ),
    ],
)
def test_each_phase_has_its_own_limit(
    phases: tuple[tuple[str, float], ...],
    steps: list[object],
    at: float,
    error: type[DeadlineError],
) -> None:
    """A phase that lasts too long ends in the error of its clock, at its time."""
    client = Reporting(*steps)
    client.phases = phases
    when, failure = run_virtually(failure_of(client))
    assert error is type(failure)
    assert at == pytest.approx(when)


class Crowded(AsyncScripted):
    """A provider whose loop is busy with others' calls as soon as it begins to connect."""

    busy, connecting = 20.0, 0.0

    async def stream_deltas(self, request: ModelRequest, call: Call):  # type: ignore[no-untyped-def]  # noqa: ANN201  # as the base
        """Connect, and answer."""
        call.reached("connecting")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.clock.waited += self.busy  # in this turn of the loop
        await asyncio.sleep(self.connecting)
        call.reached("open")
        async for piece in super().stream_deltas(request, call):
            yield piece


def test_what_the_loop_does_besides_is_no_slow_connecting() -> None:
    """Calls that begin in the same turn cost none of them its time: the clock has waited."""
    client = Crowded(Delta("a"), Finish())
    client.connecting = 4.0
    output = run_virtually(client.generate(ModelRequest(messages="hi", timeout=LIMITS)))
    assert output.text == "a"


def test_after_that_connecting_has_its_limit() -> None:
    """It begins with the loop's next turn, and opening with it."""
    client = Crowded()
    client.connecting = 99.0
    when, failure = run_virtually(failure_of(client))
    assert ConnectTimeoutError is type(failure)
    assert pytest.approx(25) == when


def test_a_call_that_is_cut_before_that_is_still_cancelled_again() -> None:
    """What connects no more has no limit for it, which would take the clean-up's place."""

    async def main() -> list[float]:
        loop, ended = asyncio.get_running_loop(), []
        clock = Clock()
        clock.start(Timeouts(connect=0.1))
        clock.begin_wait()
        clock.enter("connecting")
        clock.cut(LifecycleError("closed"))
        for _ in range(2):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(5)
            ended.append(loop.time())
        clock.end_wait()
        return ended

    assert run_virtually(main()) == [0, 1]


def test_total_ends_a_slow_drip() -> None:
    """An answer that never pauses long enough still has to end in time."""
    drip = [step for _ in range(40) for step in (Delta("x"), sleep(20))]
    when, failure = run_virtually(failure_of(AsyncScripted(*drip)))
    assert TotalTimeoutError is type(failure)
    assert pytest.approx(600) == when


def test_empty_deltas_are_no_progress() -> None:
    """Deltas that hold nothing neither reach the caller nor move a clock."""
    steps = [step for _ in range(40) for step in (Delta(""), sleep(5))]
    when, failure = run_virtually(failure_of(AsyncScripted(*steps)))
    assert FirstDeltaTimeoutError is type(failure)
    assert pytest.approx(60) == when


@pytest.mark.parametrize("nothing", [[], Delta("")], ids=["list", "delta"])
def test_nothing_at_all_is_no_progress_in_the_middle_either(nothing: object) -> None:
    """Between two pieces, empty lists and deltas don't extend the idle limit."""
    drip = [step for _ in range(40) for step in (nothing, sleep(5))]
    when, failure = run_virtually(failure_of(AsyncScripted(Delta("a"), *drip)))
    assert IdleTimeoutError is type(failure)
    assert pytest.approx(30) == when


def test_a_limit_that_comes_nearer_holds_at_once() -> None:
    """After a first delta the idle limit holds, though the timer was set for a later time."""
    steps = [sleep(1), Delta("a"), sleep(99)]
    when, failure = run_virtually(failure_of(AsyncScripted(*steps)))
    assert IdleTimeoutError is type(failure)
    assert pytest.approx(31) == when


def test_a_slow_reader_is_not_blamed() -> None:
    """A reader may take longer than any clock between two outputs."""

    async def main() -> str:
        client = AsyncScripted(Delta("a"), Delta("b"), sleep(1), Delta("c"))
        stream = client.generate_stream(ModelRequest(messages="hi", timeout=LIMITS))
        for _ in range(3):
            await anext(stream)
            await asyncio.sleep(100)
        await stream.aclose()
        return stream.partial.text

    assert run_virtually(main()) == "abc"


def test_none_switches_a_clock_off() -> None:
    """Without limits nothing times out."""
    never = Timeouts(connect=None, open=None, first_delta=None, idle=None, total=None)

    async def main() -> str:
        from modelplug import Finish

        client = AsyncScripted(sleep(10_000), Delta("late"), Finish())
        return (await client.generate(ModelRequest(messages="hi", timeout=never))).text

    assert run_virtually(main()) == "late"


def test_a_timeout_carries_its_limit_and_the_partial() -> None:
    """The error says how long it waited, keeps the answer so far, and aborts the connection."""
    client = AsyncScripted(Delta("so far"), sleep(99))
    _, failure = run_virtually(failure_of(client))
    assert failure.partial is not None
    assert (
        failure.limit,
        failure.partial.text,
        failure.phase,
        client.aborted.is_set(),
    ) == (30, "so far", "streaming", True)


def test_a_provider_that_swallows_the_cut_is_still_timed_out() -> None:
    """What a provider makes of being interrupted doesn't change what happened."""

    async def stubborn() -> None:
        try:
            await asyncio.sleep(99)
        except asyncio.CancelledError:
            return

    _, failure = run_virtually(failure_of(AsyncScripted(stubborn, Delta("late"))))
    assert isinstance(failure, FirstDeltaTimeoutError)


def test_the_timeout_leaves_the_task_usable() -> None:
    """After a timeout the task that got it isn't marked as cancelled."""

    async def main() -> int:
        await failure_of(AsyncScripted(sleep(99)))
        await asyncio.sleep(1)
        task = asyncio.current_task()
        return task.cancelling() if task else -1

    assert run_virtually(main()) == 0


def test_a_cut_aborts_first_and_insists() -> None:
    """A time-out aborts before the provider cleans up, and doesn't wait for one that hangs."""
    cleaned = []

    class Dawdling(AsyncScripted):
        async def stream_deltas(self, request: ModelRequest, call: Call):  # type: ignore[no-untyped-def]  # noqa: ANN202  # as the base
            """Wait, and then wait for a peer that is gone."""
            call.on_abort(self.aborted.set)
            try:
                yield Delta("a")
                await asyncio.sleep(99)
            finally:
                cleaned.append(self.aborted.is_set())
                await asyncio.sleep(99)

    when, failure = run_virtually(failure_of(Dawdling()))
    assert IdleTimeoutError is type(failure)
    assert cleaned == [True]
    assert pytest.approx(31) == when


@pytest.mark.parametrize(
    ("name", "error"),
    [("queue", QueueTimeoutError), ("total", TotalTimeoutError)],
)
def test_a_queue_s_limit_may_have_begun_before(name: str, error: type[DeadlineError]) -> None:
    """Several waits have it together; the error has the whole of it, or the deadline's."""

    async def main() -> tuple[float, DeadlineError]:
        clock = Clock()
        clock.limit(9 if name == "queue" else 3)
        since = clock.elapsed
        await asyncio.sleep(2)
        clock.queue(5, since=since)
        with pytest.raises(error) as caught:
            await under(clock, lambda: asyncio.sleep(99))
        return asyncio.get_running_loop().time(), caught.value

    when, failure = run_virtually(main())
    assert (when, failure.limit) == ((5, 5) if name == "queue" else (3, 3))


@pytest.mark.parametrize(
    ("timeouts", "phases", "name"),
    [
        (Timeouts(connect=5, open=5), ("connecting",), "open"),
        (Timeouts(connect=4, open=5), ("connecting",), "connect"),
        (Timeouts(connect=5, open=4), ("connecting",), "open"),
        (Timeouts(open=5), ("connecting", "open"), "open"),
        (Timeouts(first_delta=5, total=5), (), "total"),
        (Timeouts(first_delta=5), (), "first_delta"),
    ],
)
def test_the_limit_that_ran_out_is_named(
    timeouts: Timeouts, phases: tuple[str, ...], name: str
) -> None:
    """Where two run out together it is the one that is for more."""
    client = Reporting(sleep(99))
    client.phases = tuple((phase, 0) for phase in phases)
    _, failure = run_virtually(failure_of(client, timeouts))
    assert failure.hint is not None
    assert failure.hint.startswith(f"the limit is {name} of Timeouts")


def test_a_report_that_comes_late_doesnt_turn_the_clock_back() -> None:
    """A phase reported from another thread after the answer began is not gone back to."""

    async def main() -> str:
        clock = Clock()
        clock.start(LIMITS)
        for phase in ("connecting", "streaming", "sent"):
            clock.enter(phase)
        return clock._phase

    assert run_virtually(main()) == "streaming"


def test_a_phase_of_an_attempt_that_is_past_means_nothing() -> None:
    """Its thread may be slow to hear that it was aborted; the next attempt has its own limits."""

    async def main() -> float:
        clock, loop = Clock(), asyncio.get_running_loop()
        clock.start(LIMITS)
        first = clock.attempt
        clock.start(LIMITS)
        clock.enter("connecting", attempt=clock.attempt)
        late = partial(clock.enter, "sent", attempt=first)
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()
        late()
        with pytest.raises(ConnectTimeoutError):
            await under(clock, lambda: asyncio.sleep(99))
        return loop.time()

    assert run_virtually(main()) == 5


def test_what_ended_one_attempt_leaves_the_next_alone() -> None:
    """The second for a clean-up is the first one's; the next has its own time, and a clock."""

    async def main() -> list[float]:
        clock, ends = Clock(), []
        for seconds in (2.0, 3.0, 0.5):
            clock.start(Timeouts(first_delta=seconds))
            with pytest.raises(FirstDeltaTimeoutError):
                await under(clock, lambda: asyncio.sleep(99))
            ends.append(asyncio.get_running_loop().time())
        return ends

    assert run_virtually(main()) == [2, 5, 5.5]
