"""Rows 79, 80 and 83: several loops, threads and readers at once."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from functools import partial

import pytest

from modelplug import Delta, Finish, ModelStream, ProxyLLMClient, WrongUseError
from modelplug.testing import Gate, Silence
from modelplug.testing.upstream import Upstream
from tests.faults.asking import Way, answered, asked, every_way
from tests.faults.carriers import ALL, Carrier, over
from tests.support.scripted import BlockingScripted

streams = pytest.mark.parametrize("way", ["async stream", "sync stream"])


async def _begun(client: ProxyLLMClient) -> ModelStream:
    stream = client.generate_stream(asked())
    await anext(stream)
    return stream


async def _next_of(stream: ModelStream) -> None:
    await anext(stream)


@over(*ALL)
@pytest.mark.fault(79, way="async stream")
def test_a_stream_is_read_where_it_began(carrier: Carrier, service: Upstream) -> None:
    """Another loop is refused, the stream is unharmed."""
    service.play("Hel", Gate(gate := f"79 {carrier.name}"), "lo", Finish())

    async def main() -> str:
        stream = await _begun(carrier.client(service))
        with pytest.raises(WrongUseError):
            await asyncio.to_thread(lambda: asyncio.run(_next_of(stream)))
        service.release(gate)
        return (await stream.final()).text

    assert asyncio.run(main()) == "Hello"


@over(*ALL)
@pytest.mark.fault(79)
@every_way
def test_one_client_for_many_loops_and_threads(
    carrier: Carrier, service: Upstream, way: Way
) -> None:
    """Eight threads at once, a loop for each, one client."""
    service.play("fine", Finish(), times=8)
    texts: list[str] = []
    client = carrier.client(service)
    threads = [
        threading.Thread(target=lambda: texts.append(answered(client, way))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts == ["fine"] * 8


@over(*ALL)
@pytest.mark.fault(80)
@streams
def test_two_readers(carrier: Carrier, service: Upstream, way: str) -> None:
    """The second is refused, the first gets the answer."""
    gate = f"80 {carrier.name} {way}"
    service.play("Hel", Gate(gate), "lo", Finish())
    client = carrier.client(service)

    async def main() -> str:
        stream = await _begun(client)
        first = asyncio.create_task(stream.final())
        await asyncio.sleep(0)
        with pytest.raises(WrongUseError):
            await anext(stream)
        service.release(gate)
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
    service.release(gate)
    reader.join(30)
    assert texts[-1] == "Hello"


@over(*ALL)
@pytest.mark.fault(83)
@every_way
def test_forty_streams_stall(carrier: Carrier, service: Upstream, way: Way) -> None:
    """The next one is served at once."""
    service.play("a", Silence(), times=40)
    client = carrier.client(service)
    with ExitStack() as stack:
        for _ in range(40):
            next(stack.enter_context(client.sync_generate_stream(asked())))
        service.play("fine", Finish())
        assert answered(client, way) == "fine"
    assert all(each.wait_gone() for each in service.exchanges)
    client.close()


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
