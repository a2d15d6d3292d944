"""Cancelling, closing and abandoning reach the service's socket; nothing is left open."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
from collections.abc import Awaitable, Callable

import pytest

from modelplug import ConnectionLostError, ProxyLLMClient, TruncatedStreamError
from tests.conftest import Serve
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.upstream import Upstream, answer, client_of, frame

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


async def cancel(client: ProxyLLMClient) -> None:
    """Cancel a task in the middle of an answer."""
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in client.generate_stream("hi"):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])


async def close(client: ProxyLLMClient) -> None:
    """Close a stream after its first output."""
    stream = client.generate_stream("hi")
    await anext(stream)
    await stream.aclose()


async def leave(client: ProxyLLMClient) -> None:
    """Leave the block in the middle of an answer."""
    async with client.generate_stream("hi") as stream:
        await anext(stream)


async def abandon(client: ProxyLLMClient) -> None:
    """Drop a stream, and the last reference to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        await anext(client.generate_stream("hi"))
        gc.collect()


async def close_client(client: ProxyLLMClient) -> None:
    """Close the client under an open stream."""
    stream = client.generate_stream("hi")
    await anext(stream)
    await client.aclose()


def sync_close(client: ProxyLLMClient) -> None:
    """Close a sync stream after its first output."""
    with client.sync_generate_stream("hi") as stream:
        next(stream)


def sync_abandon(client: ProxyLLMClient) -> None:
    """Drop a sync stream."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        next(client.sync_generate_stream("hi"))
        gc.collect()


def sync_close_client(client: ProxyLLMClient) -> None:
    """Close the client under an open sync stream."""
    stream = client.sync_generate_stream("hi")
    next(stream)
    client.close()
    stream.close()


@pytest.mark.parametrize("how", [cancel, close, leave, abandon, close_client])
def test_the_service_sees_an_async_caller_leave(
    serve: Serve, how: Callable[[ProxyLLMClient], Awaitable[None]]
) -> None:
    """Whichever way an async caller leaves, the service's socket is closed while it runs."""
    upstream = serve(frame("a", status=0))

    async def main() -> bool:
        await how(client_of(upstream))
        return await asyncio.to_thread(upstream.gone.wait, 5)

    assert asyncio.run(main())


@pytest.mark.parametrize("how", [sync_close, sync_abandon, sync_close_client])
def test_the_service_sees_a_sync_caller_leave(
    serve: Serve, how: Callable[[ProxyLLMClient], None]
) -> None:
    """Whichever way a thread leaves, the service's socket is closed."""
    upstream = serve(frame("a", status=0))
    how(client_of(upstream))
    assert upstream.gone.wait(5)


@directions
@pytest.mark.parametrize("code", [1000, 1011])
def test_an_answer_that_just_stops_is_an_error(serve: Serve, ask: Ask, code: int) -> None:
    """Without its terminal sign an answer is truncated, whatever the close code."""
    upstream = serve(frame("half", status=0), code)
    with pytest.raises(TruncatedStreamError) as caught:
        ask(client_of(upstream), "hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "half"


@directions
def test_a_cut_is_an_error_with_its_partial(serve: Serve, ask: Ask) -> None:
    """A connection that is cut in the middle keeps what came."""
    with pytest.raises(ConnectionLostError) as caught:
        ask(client_of(serve(frame("half", status=0), None)), "hi")
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.sent) == ("half", "yes")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_nothing_is_left_open(serve: Serve) -> None:
    """Many calls that end in all ways leave no descriptor, thread or task behind."""
    whole, half = serve(*answer("a", "b")), serve(frame("a", status=0))

    async def main() -> tuple[int, int]:
        loop_tasks = len(asyncio.all_tasks())
        for _ in range(20):
            await client_of(whole).generate("hi")
            await cancel(client_of(half))
            await close(client_of(half))
        await asyncio.sleep(0)
        return len(asyncio.all_tasks()) - loop_tasks, threading.active_count()

    def everything() -> tuple[int, int]:
        tasks, threads = asyncio.run(main())
        for _ in range(20):
            client_of(whole).sync_generate("hi")
            sync_close(client_of(half))
        return tasks, threads

    everything()
    before = settled_descriptors(half, whole)
    tasks, _ = everything()
    assert (0, before) == (tasks, settled_descriptors(half, whole))


def settled_descriptors(*upstreams: Upstream) -> int:
    """Open descriptors once the services have seen everybody leave."""
    for upstream in upstreams:
        assert upstream.gone.wait(5)
    counts = [-1, -2]
    while len(set(counts[-3:])) > 1 and len(counts) < 200:
        threading.Event().wait(0.01)  # the service runs in this process and closes its own ends
        counts.append(len(os.listdir("/proc/self/fd")))
    return counts[-1]
