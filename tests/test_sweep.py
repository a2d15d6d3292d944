"""Cancelled at each point where a call can wait, and once more in each of the clean-up."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

import pytest

from modelplug import Call, Delta, Finish, ModelRequest, ProxyLLMClient
from modelplug.conformance.calls import Swept
from modelplug.testing import Gate
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.codec import SparkCodec
from tests.support.scripted import ScriptedClient
from tests.support.spark import client_of

MOST = 100
"""Suspensions of one call; more would be a call that never ends."""


class End(NamedTuple):
    """How a call ended that was to be cancelled once or twice.

    Attributes:
        suspensions: how often it waited.
        cancelled: whether its task was.
        others: tasks that are left beside.
    """

    suspensions: int
    cancelled: bool
    others: int


async def swept(main: Coroutine[Any, Any, object], first: int, again: int | None) -> End:
    """Run ``main`` in a task that is cancelled where it waits for these times."""
    inner = Swept(main, first)

    async def inside() -> None:
        await inner

    async def outside() -> None:
        await Swept(inside(), again)

    before = asyncio.all_tasks()
    task = asyncio.create_task(outside())
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    await asyncio.sleep(0)  # what was cancelled beside it has its last turn
    await asyncio.sleep(0)
    return End(inner.suspensions, task.cancelled(), len(asyncio.all_tasks() - before))


def points(attempt: Callable[[int, int | None], End]) -> int:
    """Try all that can be waited for, and all in the clean-ups; how many there were."""
    tried = 0
    for first in range(1, MOST):
        found = attempt(first, None)
        if found.suspensions < first:
            return tried
        for again in range(first + 1, MOST):
            tried += 1
            assert (found.cancelled, found.others) == (True, 0), (first, again - 1, found)
            found = attempt(first, again)
            if found.suspensions < again:
                break
    raise AssertionError("a call has no end")


class Careful(ScriptedClient):
    """Waits wherever a provider can: before, between and after its deltas, and as it cleans up."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """Two deltas."""
        self._begin(request, call)
        try:
            for piece in (Delta("a"), Delta("b"), Finish()):
                await asyncio.sleep(0)
                yield piece  # type: ignore[misc]  # the last is no delta
        finally:
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            finally:
                self.closed += 1


async def whole(client: ProxyLLMClient) -> None:
    """The answer in one piece."""
    await client.generate("hi")


async def in_a_block(client: ProxyLLMClient) -> None:
    """The answer as it comes, the stream closed whatever happens."""
    async with client.generate_stream("hi") as stream:
        async for _ in stream:
            await asyncio.sleep(0)


async def bare(client: ProxyLLMClient) -> None:
    """The answer as it comes, and nothing that closes the stream."""
    async for _ in client.generate_stream("hi"):
        pass


@pytest.mark.parametrize("ask", [whole, in_a_block, bare])
def test_a_provider_is_let_go_wherever_its_call_is_cancelled(
    ask: Callable[[ProxyLLMClient], Coroutine[Any, Any, None]],
) -> None:
    """Its generator comes to its end, its task is cancelled, and the next call works."""

    def attempt(first: int, again: int | None) -> End:
        async def main() -> End:
            client = Careful()
            found = await swept(ask(client), first, again)
            assert client.closed == len(client.calls)
            assert (await client.generate("hi")).text == "ab"
            return found

        return asyncio.run(main())

    assert points(attempt) >= 10


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_socket_is_let_go_wherever_its_call_is_cancelled() -> None:
    """The service sees it gone while the loop runs; no descriptor, thread or task is left."""

    def attempt(first: int, again: int | None) -> End:
        before = (len(os.listdir("/proc/self/fd")), threading.active_count())
        with WebSocketUpstream(SparkCodec()) as upstream:
            found = asyncio.run(spark_attempt(upstream, first, again))
        assert before == (len(os.listdir("/proc/self/fd")), threading.active_count())
        return found

    assert points(attempt) >= 5  # connecting, the handshake, and three messages


async def spark_attempt(upstream: WebSocketUpstream, first: int, again: int | None) -> End:
    """One call in lock-step with the service, cancelled; and another one after it."""
    client = client_of(upstream)
    upstream.play("first", Gate("1"), " second", Gate("2"), Finish(), times=None)

    async def read() -> None:
        async with client.generate_stream("hi") as stream:
            async for output in stream:
                upstream.release({"first": "1"}.get(output.text, "2"))

    found = await swept(read(), first, again)
    for exchange in upstream.exchanges:
        assert await asyncio.to_thread(exchange.wait_gone), (first, again)
    for gate in ("1", "2"):
        upstream.release(gate)
    assert (await client.generate("hi")).text == "first second"
    return found
