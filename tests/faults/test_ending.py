"""Rows 70 to 95: leaving, and this side's own resources; then the same client is answered."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import socket
import subprocess
import sys
import threading
import time
import types
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import ExitStack
from functools import partial
from types import SimpleNamespace
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from modelplug import (
    AuthenticationError,
    ClientClosedError,
    Delta,
    Finish,
    LifecycleError,
    ModelRequest,
    ModelStream,
    ProxyLLMClient,
    RateGateError,
    ServerError,
    SyncModelStream,
    Timeouts,
    WrongUseError,
    new_client,
)
from modelplug.observers import CallFinished, CallStarted, FirstDelta
from modelplug.policies.concurrency import ConcurrencyLimit, Slots
from modelplug.policies.rate import LocalGate, RateLimit
from modelplug.policies.retry import Backoff, Retry
from modelplug.policies.sharedrate import SharedGate
from modelplug.secrets import Secret
from modelplug.testing import Fail, Gate, Silence
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark import client as spark_client
from modelplug_spark.emulator import SparkEmulator
from tests.core.transport.peers import cancelled_at, until
from tests.core.transport.peers import frame as ws_frame
from tests.faults.asking import PATIENT, Expected, Way, answered, asked, every_way, failure, told
from tests.faults.servers import Server, answer, gone, saying
from tests.providers.spark.wire import COUNTS, frame
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient
from tests.support.spark import client_of

T = TypeVar("T")

BEGUN = ws_frame(frame("Hel", 0, status=0))

WHOLE = BEGUN + ws_frame(frame("lo", 1, status=2, usage=COUNTS))

on_loops = pytest.mark.parametrize("way", ["async stream", "async"])

streams = pytest.mark.parametrize("way", ["async stream", "sync stream"])


@pytest.mark.fault(70)
@every_way
def test_the_end_of_an_answer_is_not_waited_for(way: Way) -> None:
    """A service that never says goodbye costs its client nothing."""
    with Server(saying(WHOLE), answer) as server:
        client = client_of(server.url)
        assert answered(client, way) == "Hello"
        assert server.wait_gone()
        assert answered(client, way) == "fine"


# ------------------------------------------------------------------------------ leaving


async def _cancelled(reading: Coroutine[object, object, object], begun: threading.Event) -> None:
    task = asyncio.create_task(reading)
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def _read(stream: ModelStream) -> None:
    async for _ in stream:
        pass


def cancel_stream(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Cancel the task that reads."""
    asyncio.run(_cancelled(_read(client.generate_stream(asked())), begun))


def cancel_call(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Cancel the task that waits for the whole."""
    asyncio.run(_cancelled(client.generate(asked()), begun))


def close_stream(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Close what a thread reads."""
    with client.sync_generate_stream(asked()) as stream:
        next(stream)


def close_client(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Close the client under a thread that waits for the whole."""

    def close() -> None:
        begun.wait(30)
        client.close()

    closing = threading.Thread(target=close)
    closing.start()
    with pytest.raises(ClientClosedError):
        client.sync_generate(asked())
    closing.join()


LEAVING = {
    "async stream": cancel_stream,
    "async": cancel_call,
    "sync stream": close_stream,
    "sync": close_client,
}


@pytest.mark.fault(71)
@pytest.mark.parametrize("way", LEAVING.values(), ids=LEAVING)
def test_leaving_waits_for_nobody(way: Callable[[ProxyLLMClient, threading.Event], None]) -> None:
    """The service sees its client go, though it says nothing to that."""
    begun = threading.Event()

    def ignore(connection: socket.socket) -> None:
        begun.set()
        gone(connection)

    with Server(saying(BEGUN, then=ignore), answer) as server:
        client = client_of(server.url)
        way(client, begun)
        assert server.wait_gone()
        again = client_of(server.url) if way is close_client else client
        assert again.sync_generate(asked()).text == "fine"


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


@pytest.mark.parametrize("way", SWEEPS.values(), ids=SWEEPS)
@pytest.mark.parametrize(
    "cancel",
    [
        pytest.param(cancelled_at, id="once", marks=pytest.mark.fault(72)),
        pytest.param(cancelled_twice_at, id="twice", marks=pytest.mark.fault(73)),
    ],
)
def test_cancelled_at_every_wait(
    upstream: WebSocketUpstream,
    way: Callable[[ProxyLLMClient], Coroutine[object, None, object]],
    cancel: Cancel,
) -> None:
    """Wherever it waits: the cancellation comes out, the socket goes, the next call works."""
    client = client_of(upstream)
    # For each question that comes so far, as some calls are cancelled before.
    upstream.play("Hel", "lo", Finish(), times=None)
    assert asyncio.run(_swept(lambda: way(client), cancel)) > 2
    assert all(each.wait_gone() for each in upstream.exchanges)
    assert client.sync_generate(asked()).text == "Hello"


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


@pytest.mark.fault(75)
@on_loops
def test_a_timeout_of_the_callers_own(spark: WebSocketUpstream, way: str) -> None:
    """It is a TimeoutError there, and none of ours; the socket goes."""
    spark.play("Hel", Silence())
    client = client_of(spark)

    async def main() -> None:
        async with asyncio.timeout(1.0):
            await (client.generate(asked()) if way == "async" else _streamed(client))

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(main())
    assert type(caught.value) is TimeoutError
    assert spark.exchanges[-1].wait_gone()
    spark.play("fine", Finish())
    assert client.sync_generate(asked()).text == "fine"


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
        async def wait(self, units: int) -> float:
            seconds = await super().wait(units)
            waits.append(seconds)
            return seconds

    client = RateLimit(new_client("echo"), requests=Watched(1, burst=1, now=lambda: moment[0]))
    client.sync_generate("a")
    waits.clear()
    return client, lambda: bool(waits), lambda: moment.append(moment.pop() + 120)


def before_another_try(stack: ExitStack) -> Waiting:
    """A pause of hours after a failure."""
    inner = AsyncScripted(ServerError("sorry"))
    client = Retry(inner, backoff=Backoff(base=1e4, cap=1e4), chance=lambda: 1.0)

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


# ---------------------------------------------------------------- streams that are dropped


@pytest.mark.fault(76)
@streams
def test_a_stream_that_is_dropped(spark: WebSocketUpstream, way: str) -> None:
    """It warns, and its socket goes while the app goes on."""
    spark.play("Hel", Silence())
    client = client_of(spark)

    async def main() -> None:
        await anext(client.generate_stream(asked()))
        gc.collect()
        assert await asyncio.to_thread(spark.exchanges[-1].wait_gone)

    def main_of_a_thread() -> None:
        next(client.sync_generate_stream(asked()))
        gc.collect()

    dropped = partial(asyncio.run, main()) if way == "async stream" else main_of_a_thread
    with pytest.warns(ResourceWarning, match="dropped before its end"):
        dropped()
    assert spark.exchanges[-1].wait_gone()
    spark.play("fine", Finish())
    assert client.sync_generate(asked()).text == "fine"


@pytest.mark.fault(77)
@streams
def test_a_stream_in_a_cycle(spark: WebSocketUpstream, way: str) -> None:
    """It stays open until the collector comes, and no longer."""
    spark.play("Hel", Silence())
    client = client_of(spark)

    def drop(stream: ModelStream | SyncModelStream) -> None:
        stream.keep = stream  # type: ignore[union-attr]  # somebody's app does

    async def main() -> None:
        stream = client.generate_stream(asked())
        await anext(stream)
        drop(stream)
        del stream
        assert spark.exchanges[-1].closed is None
        gc.collect()
        assert await asyncio.to_thread(spark.exchanges[-1].wait_gone)

    def main_of_a_thread() -> None:
        stream = client.sync_generate_stream(asked())
        next(stream)
        drop(stream)
        del stream
        assert spark.exchanges[-1].closed is None
        gc.collect()

    dropped = partial(asyncio.run, main()) if way == "async stream" else main_of_a_thread
    gc.disable()
    try:
        with pytest.warns(ResourceWarning, match="dropped before its end"):
            dropped()
    finally:
        gc.enable()
    assert spark.exchanges[-1].wait_gone()


async def _begun(client: ProxyLLMClient) -> ModelStream:
    stream = client.generate_stream(asked())
    await anext(stream)
    return stream


async def _next_of(stream: ModelStream) -> None:
    await anext(stream)


@pytest.mark.fault(78, way="async stream")
def test_a_loop_that_ends_under_its_stream(spark: WebSocketUpstream) -> None:
    """Nothing hangs; who reads on is told, and the client serves on another loop."""
    spark.play("Hel", Silence())
    client = client_of(spark)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        stream = asyncio.run(_begun(client))
        with pytest.raises(LifecycleError):
            asyncio.run(_next_of(stream))
        assert stream.partial.text == "Hel"
        del stream
        gc.collect()
    assert spark.exchanges[-1].wait_gone()
    spark.play("fine", Finish())
    assert asyncio.run(client.generate(asked())).text == "fine"


@pytest.mark.fault(79, way="async stream")
def test_a_stream_is_read_where_it_began(spark: WebSocketUpstream) -> None:
    """Another loop is refused, the stream is unharmed."""
    spark.play("Hel", Gate("79"), "lo", Finish())

    async def main() -> str:
        stream = await _begun(client_of(spark))
        with pytest.raises(WrongUseError):
            await asyncio.to_thread(lambda: asyncio.run(_next_of(stream)))
        spark.release("79")
        return (await stream.final()).text

    assert asyncio.run(main()) == "Hello"


@pytest.mark.fault(79)
@every_way
def test_one_client_for_many_loops_and_threads(spark: WebSocketUpstream, way: Way) -> None:
    """Eight threads at once, a loop for each, one client."""
    spark.play("fine", Finish(), times=8)
    texts: list[str] = []
    client = client_of(spark)
    threads = [
        threading.Thread(target=lambda: texts.append(answered(client, way))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts == ["fine"] * 8


@pytest.mark.fault(80)
@streams
def test_two_readers(spark: WebSocketUpstream, way: str) -> None:
    """The second is refused, the first gets the answer."""
    gate = f"80 {way}"
    spark.play("Hel", Gate(gate), "lo", Finish())
    client = client_of(spark)

    async def main() -> str:
        stream = await _begun(client)
        first = asyncio.create_task(stream.final())
        await asyncio.sleep(0)
        with pytest.raises(WrongUseError):
            await anext(stream)
        spark.release(gate)
        return (await first).text

    if way == "async stream":
        assert asyncio.run(main()) == "Hello"
        return
    texts: list[str] = []
    stream = client.sync_generate_stream(asked())
    next(stream)
    reader = threading.Thread(target=lambda: texts.extend(output.text for output in stream))
    reader.start()
    while not stream._lock.locked():
        threading.Event().wait(0.005)
    with pytest.raises(WrongUseError):
        next(stream)
    spark.release(gate)
    reader.join(30)
    assert texts[-1] == "Hello"


EXITS = {
    "async stream": """
async def main():
    kept.append(client.generate_stream("hi"))
    await anext(kept[0])
asyncio.run(main())
""",
    "async": """
async def main():
    kept.append(asyncio.create_task(client.generate("hi")))
    while not client._streams or not next(iter(client._streams.values())).partial.text:
        await asyncio.sleep(0.005)
asyncio.run(main())
""",
    "sync stream": """
kept.append(client.sync_generate_stream("hi"))
next(kept[0])
""",
}
"""The ends of programs, in the middle of an answer."""


@pytest.mark.fault(92)
@pytest.mark.parametrize("way", EXITS)
def test_the_interpreter_ends_amid_an_answer(spark: WebSocketUpstream, way: str) -> None:
    """At once, quietly, and its socket goes."""
    spark.play("Hel", Silence())
    script = f"""
import asyncio
from tests.support.spark import client_of
client, kept = client_of({spark.url!r}), []
{EXITS[way]}
print("leaving")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=60, check=False, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")
    assert spark.exchanges[-1].wait_gone()
    spark.play("fine", Finish())
    assert client_of(spark).sync_generate(asked()).text == "fine"


# ------------------------------------------------------------------- fast and slow


@pytest.mark.fault(81)
@streams
def test_a_slow_reader_is_not_blamed(spark: WebSocketUpstream, way: str) -> None:
    """It may take longer over a piece than the service may."""
    spark.play("a", "b", Finish())
    request = ModelRequest(messages="hi", timeout=Timeouts(idle=0.25))
    client, texts = client_of(spark), []

    async def main() -> None:
        async for output in client.generate_stream(request):
            texts.append(output.text)
            await asyncio.sleep(0.5)

    if way == "async stream":
        asyncio.run(main())
    else:
        for output in client.sync_generate_stream(request):
            texts.append(output.text)
            threading.Event().wait(0.5)
    assert texts == ["a", "ab", "ab"]


@pytest.mark.fault(82)
@streams
def test_a_service_that_floods(way: str) -> None:
    """It is held back: what waits for the reader is bounded, whatever the service has."""
    sent = [0]
    piece = frame("x" * 50_000, 0)

    def flood(connection: socket.socket) -> None:
        for seq in range(4000):
            data = ws_frame(piece.replace(b'"seq": 0', b'"seq": %d' % seq))
            connection.sendall(data)
            sent[0] += len(data)

    def held_back() -> int:
        before = -1
        while before != sent[0]:
            before = sent[0]
            threading.Event().wait(0.5)
        return before

    with Server(saying(then=flood), answer) as server:
        client = client_of(server.url)

        async def main() -> int:
            async with client.generate_stream(asked()) as stream:
                await anext(stream)
                return await asyncio.to_thread(held_back)

        if way == "async stream":
            waiting = asyncio.run(main())
        else:
            with client.sync_generate_stream(asked()) as stream:
                next(stream)
                waiting = held_back()
        assert waiting < 100_000_000  # of 200
        assert client.sync_generate(asked()).text == "fine"


@pytest.mark.fault(83)
@pytest.mark.parametrize("way", ["sync stream", "sync"])
def test_forty_streams_stall(spark: WebSocketUpstream, way: str) -> None:
    """The next one is served at once."""
    spark.play("a", Silence(), times=40)
    client = client_of(spark)
    with ExitStack() as stack:
        for _ in range(40):
            next(stack.enter_context(client.sync_generate_stream(asked())))
        spark.play("fine", Finish())
        if way == "sync":
            assert client.sync_generate(asked()).text == "fine"
        else:
            assert [output.text for output in client.sync_generate_stream(asked())][-1] == "fine"


@pytest.mark.fault(83, subject="hostile")
@every_way
def test_forty_threads_stall(way: Way) -> None:
    """The same of a plugin that blocks a thread for each."""
    stalled = BlockingScripted(Delta("a"), Finish())
    wait = threading.Event()
    stalled.steps = (Delta("a"), partial(wait.wait, 60))
    with ExitStack() as stack:
        stack.callback(wait.set)
        for _ in range(40):
            next(stack.enter_context(stalled.sync_generate_stream(asked())))
        stalled.steps = (Delta("fine"), Finish())
        assert answered(stalled, way) == "fine"
    stalled.close()


# ------------------------------------------------------------------------ clocks and keys


@pytest.mark.fault(89)
@every_way
def test_the_clock_of_the_machine_jumps(
    spark: WebSocketUpstream, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back and forth by a day at every look: no clock of a call hangs on it."""
    real, days = time.time, [0]

    def jumping() -> float:
        days[0] = 1 - days[0]
        return real() + days[0] * 86_400

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr(time, "time_ns", lambda: int(jumping() * 1e9))
    spark.play("fine", Finish())
    assert answered(client_of(spark), way) == "fine"


@pytest.mark.fault(90)
@every_way
@pytest.mark.parametrize(("off", "direction"), [(-3600, "behind"), (3600, "ahead of")])
def test_the_clock_of_the_machine_is_wrong(
    off: float, direction: str, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that checks dates refuses; the error says by how much the clock is off."""
    with SparkEmulator(pace=0) as service, monkeypatch.context() as patch:
        place = service.describe()
        account = {"api_app_id": place["app_id"]}
        account |= {name: place[name] for name in ("api_key", "api_secret")}
        client = new_client({"backend": "spark", "api_base": service.url, **account})
        patch.setattr(spark_client, "time", SimpleNamespace(time=lambda: time.time() + off))
        error = failure(client, way)
        patch.undo()
        assert way(client, asked())[-1].text
    assert (type(error), error.retryable, error.sent) == (AuthenticationError, False, "no")
    assert error.hint is not None
    assert direction in error.hint


@pytest.mark.fault(91)
@every_way
def test_a_key_is_exchanged(spark: WebSocketUpstream, way: Way) -> None:
    """Each call has the key of its moment: the one after a refusal can have the new one."""
    keys = ["old-0123456789abcdef", "new-0123456789abcdef"]
    client = client_of(spark, api_key=Secret(lambda: keys[0]))
    spark.play(Fail("auth"))
    assert type(failure(client, way)) is AuthenticationError
    del keys[0]
    spark.play("fine", Finish())
    assert answered(client, way) == "fine"
    (used,) = parse_qs(urlsplit(spark.exchanges[-1].target).query)["authorization"]
    assert 'api_key="new-0123456789abcdef"' in base64.b64decode(used).decode()


# -------------------------------------------------------------------- the app's own code


class Mine(Exception):  # noqa: N818  # an app's, which has its own ideas of names
    """What an app raises."""


@pytest.mark.fault(93, subject="echo")
@every_way
@pytest.mark.parametrize("event", [CallStarted, FirstDelta, CallFinished])
def test_an_observer_that_raises(event: type, way: Way) -> None:
    """The app gets its own error, as it is; the next call works."""
    raising = [Mine("mine")]

    def observer(seen: object) -> None:
        if type(seen) is event and raising:
            raise raising.pop()

    client = new_client("echo", observers=[observer])
    with pytest.raises(Mine, match="mine"):
        way(client, asked())
    assert answered(client, way) == "hi"


@pytest.mark.fault(93, subject="echo")
@every_way
def test_a_converter_that_raises(way: Way) -> None:
    """The same of a converter."""
    client = new_client("echo")

    class Converter:
        def convert(self, *_: object) -> Sequence[object]:
            """Refuse."""
            raise Mine("mine")

    converter = Converter()

    class Converting:
        """The client, with the converter in each call."""

        def __getattr__(self, name: str) -> Callable[[object], object]:
            method = getattr(client, name)
            return lambda asked: method(asked, converter)

    with pytest.raises(Mine, match="mine"):
        way(Converting(), asked())  # type: ignore[arg-type]  # as far as it is used
    assert answered(client, way) == "hi"


class Broken(logging.Handler):
    """A handler that raises whatever it is given."""

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        raise Mine("a disk is full")


@pytest.mark.fault(94, subject="hostile")
@every_way
@pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])
def test_a_log_handler_that_raises(kind: type[ScriptedClient], way: Way) -> None:
    """What can't be logged costs no answer, and hides no failure."""

    class Untidy(kind):  # type: ignore[misc, valid-type]  # one or the other
        def _begin(self, request: ModelRequest, call: object) -> object:
            steps = super()._begin(request, call)
            call.on_abort(partial(divmod, 1, 0))  # type: ignore[attr-defined]  # a Call
            return steps

    client = Untidy(Delta("Hel"), ServerError("sorry"))
    logger, handler = logging.getLogger("modelplug"), Broken()
    logger.addHandler(handler)
    try:
        expected = Expected(ServerError, retryable=True, partial="Hel")
        assert expected == told(failure(client, way), expected)
        client.steps = (Delta("fine"), Finish())
        assert answered(client, way) == "fine"
    finally:
        logger.removeHandler(handler)
    client.close()


@pytest.mark.fault(95, subject="echo")
@every_way
@pytest.mark.parametrize("down", [True, False], ids=["down", "hangs"])
def test_redis_is_out_of_order(way: Way, down: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Calls pass, or are refused, as the app has it; neither waits for Redis."""
    with Server(gone) as server:
        port = 1 if down else server.port
        url = f"redis://:secret-word@127.0.0.1:{port}/0"
        passing, refusing = SharedGate.at(url, "a", 60), SharedGate.at(url, "a", 60)
        refusing._when_down = "refuse"
        assert answered(RateLimit(new_client("echo"), requests=passing), way) == "hi"
        client = RateLimit(new_client("echo"), requests=refusing)
        expected = Expected(RateGateError, retryable=True, sent="no")
        assert expected == told(error := failure(client, way, PATIENT), expected)
    assert "secret-word" not in f"{caplog.text} {error!r} {vars(error)}"
