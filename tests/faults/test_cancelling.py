"""Rows 72 to 74: cancelled wherever a call can wait; then the same client is answered."""

from __future__ import annotations

import asyncio
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import pytest

from modelplug import (
    Delta,
    Finish,
    LifecycleError,
    ModelRequest,
    ModelStream,
    ProxyLLMClient,
    ServerError,
    Timeouts,
    new_client,
)
from modelplug.policies.concurrency import ConcurrencyLimit, Slots
from modelplug.policies.rate import LocalGate, RateLimit
from modelplug.policies.retry import Backoff, Retry
from modelplug.testing import Drip
from tests.core.transport.peers import cancelled_at, until
from tests.faults.asking import asked
from tests.faults.carriers import Carrier, over
from tests.support.scripted import AsyncScripted

T = TypeVar("T")


async def _read(stream: ModelStream) -> None:
    async for _ in stream:
        pass


@types.coroutine
def cancelled_twice_at(wait: int, main: Coroutine[object, None, T]) -> Generator[object, None, T]:
    """As ``cancelled_at``, and again as soon as the first is being dealt with."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    thrown: BaseException | None = None
    waits = 0
    while True:
        try:
            awaited = main.send(None) if thrown is None else main.throw(thrown)
        except StopIteration as stop:
            result: T = stop.value
            return result
        waits += 1
        if waits in (wait, wait + 1):
            loop.call_soon(task.cancel)
        thrown = None
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001  # thrown into main, where it belongs
            thrown = error


Cancel = Callable[[int, Coroutine[object, None, object]], Awaitable[object]]


async def _swept(call: Callable[[], Coroutine[object, None, object]], cancel: Cancel) -> int:
    """Cancel a call at its first wait, another at its second, and so on; how many there were."""
    for at in range(1, 200):
        task: asyncio.Task[object] = asyncio.ensure_future(_awaited(cancel(at, call())))
        await asyncio.wait([task])
        assert len(asyncio.all_tasks()) == 1
        if not task.cancelled():
            task.result()
            return at - 1
    raise AssertionError("it never ends")


async def _awaited(awaitable: Awaitable[object]) -> object:
    return await awaitable


async def _streamed(client: ProxyLLMClient) -> None:
    async with client.generate_stream(asked()) as stream:
        await _read(stream)


SWEEPS: dict[str, Callable[[ProxyLLMClient], Coroutine[object, None, object]]] = {
    "async stream": _streamed,
    "async": lambda client: client.generate(asked()),
}


@over("spark", "websocket", "http", "library")
@pytest.mark.parametrize("way", SWEEPS.values(), ids=SWEEPS)
@pytest.mark.parametrize(
    "cancel",
    [
        pytest.param(cancelled_at, id="once", marks=pytest.mark.fault(72)),
        pytest.param(cancelled_twice_at, id="twice", marks=pytest.mark.fault(73)),
    ],
)
def test_cancelled_at_every_wait(
    carrier: Carrier,
    way: Callable[[ProxyLLMClient], Coroutine[object, None, object]],
    cancel: Cancel,
) -> None:
    """Wherever it waits: the cancellation comes out, the socket goes, the next call works."""
    with carrier.wire(carrier.codec) as service:
        client = carrier.client(service)
        # For each question that comes so far, as some calls are cancelled before.
        service.play(Drip(0.001), "Hel", "lo", Finish(), times=None)
        assert asyncio.run(_swept(lambda: way(client), cancel)) > 2
        assert all(each.wait_gone() for each in service.exchanges)
        assert client.sync_generate(asked()).text == "Hello"
        client.close()


@pytest.mark.parametrize("way", SWEEPS.values(), ids=SWEEPS)
@pytest.mark.parametrize(
    "cancel",
    [
        pytest.param(cancelled_at, id="once", marks=pytest.mark.fault(72, subject="hostile")),
        pytest.param(
            cancelled_twice_at, id="twice", marks=pytest.mark.fault(73, subject="hostile")
        ),
    ],
)
def test_a_plugin_is_cancelled_at_every_wait(
    way: Callable[[ProxyLLMClient], Coroutine[object, None, object]], cancel: Cancel
) -> None:
    """Its generator is closed each time."""
    pause = partial(asyncio.sleep, 0)
    client = AsyncScripted(pause, Delta("Hel"), pause, Delta("lo"), pause, Finish())
    assert asyncio.run(_swept(lambda: way(client), cancel)) > 2
    assert client.closed == len(client.calls)


# ------------------------------------------------------------- queues, gates and pauses

Waiting = tuple[ProxyLLMClient, Callable[[], bool], Callable[[], object]]
"""A client whose next call has to wait, whether one waits, and what ends the cause of it."""


def in_a_queue(stack: ExitStack) -> Waiting:
    """A limit with one place, which is taken."""
    slots = Slots(1)
    inner = AsyncScripted(Delta("a"), partial(asyncio.sleep, 1e6))
    client = ConcurrencyLimit(inner, slots)
    holder = client.sync_generate_stream("hi")
    next(holder)
    stack.callback(holder.close)
    inner.steps = (Delta("hi"), Finish())
    return client, lambda: slots.waiting == 1, holder.close


def at_a_gate(stack: ExitStack) -> Waiting:
    """A rate of one a minute, which is spent."""
    moment = [0.0]
    waits: list[float] = []

    class Watched(LocalGate):
        async def acquire(self, units: int) -> float:
            seconds = await super().acquire(units)
            waits.append(seconds)
            return seconds

    client = RateLimit(new_client("echo"), requests=Watched(1, burst=1, now=lambda: moment[0]))
    client.sync_generate("a")
    waits.clear()
    return client, lambda: bool(waits), lambda: moment.append(moment.pop() + 120)


def before_another_try(stack: ExitStack) -> Waiting:
    """A pause of hours after a failure."""
    inner = AsyncScripted(ServerError("sorry"))
    client = Retry(inner, backoff=Backoff(base=1e4, cap=1e4), jitter=lambda: 1.0)

    def mend() -> None:
        inner.steps = (Delta("hi"), Finish())

    return client, lambda: inner.closed == 1, mend


WAITS = [
    pytest.param(in_a_queue, id="queue", marks=pytest.mark.fault(74, subject="hostile")),
    pytest.param(at_a_gate, id="gate", marks=pytest.mark.fault(74, subject="echo")),
    pytest.param(before_another_try, id="retry", marks=pytest.mark.fault(74, subject="hostile")),
]

LONG = ModelRequest(messages="hi", timeout=Timeouts(queue=3600, total=None))


def cancel_waiting(client: ProxyLLMClient, waits: Callable[[], bool], *, streams: bool) -> None:
    """Cancel the task of a call that waits."""

    async def main() -> None:
        call = _read(client.generate_stream(LONG)) if streams else client.generate(LONG)
        task: asyncio.Task[object] = asyncio.ensure_future(call)
        await until(waits)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())


def close_waiting(client: ProxyLLMClient, waits: Callable[[], bool]) -> None:
    """Close the stream of a thread that waits."""
    stream = client.sync_generate_stream(LONG)
    ended: list[type] = []

    def read() -> None:
        try:
            next(stream)
        except LifecycleError as error:
            ended.append(type(error))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(2000):
        if waits():
            break
        threading.Event().wait(0.005)
    stream.close()
    reader.join(30)
    assert ended == [LifecycleError]


LEAVING_A_WAIT: dict[str, Callable[[ProxyLLMClient, Callable[[], bool]], None]] = {
    "async stream": partial(cancel_waiting, streams=True),
    "async": partial(cancel_waiting, streams=False),
    "sync stream": close_waiting,
}


@pytest.mark.parametrize("way", LEAVING_A_WAIT.values(), ids=LEAVING_A_WAIT)
@pytest.mark.parametrize("wait", WAITS)
def test_left_while_it_waits_its_turn(
    wait: Callable[[ExitStack], Waiting],
    way: Callable[[ProxyLLMClient, Callable[[], bool]], None],
) -> None:
    """Nobody waits any more, and the place is the next one's."""
    with ExitStack() as stack:
        client, waits, end = wait(stack)
        way(client, waits)
        if isinstance(client, ConcurrencyLimit):
            assert (client.slots.waiting, client.slots.taken) == (0, 1)
        end()
        assert client.sync_generate(LONG).text == "hi"
        if isinstance(client, ConcurrencyLimit):
            assert (client.slots.waiting, client.slots.taken) == (0, 0)
