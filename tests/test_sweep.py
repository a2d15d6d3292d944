"""Cancelled at each point where a call can wait, and once more in each of the clean-up."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, NamedTuple

import pytest

from modelplug import (
    Call,
    ConnectError,
    Delta,
    Finish,
    ModelRequest,
    ProxyLLMClient,
    TokenCount,
)
from modelplug.conformance.calls import Swept
from modelplug.policies import (
    Backoff,
    Breaker,
    Circuit,
    CircuitLimits,
    ConcurrencyLimit,
    Fallback,
    Pool,
    Retry,
    Slots,
)
from modelplug.policies.rate import LocalGate, RateLimit
from modelplug.testing import Gate
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.codec import SparkCodec
from tests.support.scripted import ScriptedClient, Step
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
        for again in range(first + 1, first + MOST):
            tried += 1
            assert (found.cancelled, found.others) == (True, 0), (first, again - 1, found)
            found = attempt(first, again)
            if found.suspensions < again:
                break
        else:
            raise AssertionError("a clean-up has no end")
    raise AssertionError("a call has no end")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (lambda first, again: End(first, True, 0), "a call has no end"),
        (lambda first, again: End(2 * MOST, True, 0), "a clean-up has no end"),
    ],
    ids=["call", "clean-up"],
)
def test_what_has_no_end_is_told(found: Callable[[int, int | None], End], told: str) -> None:
    """A sweep doesn't pass for having been long."""
    with pytest.raises(AssertionError, match=told):
        points(found)


class Careful(ScriptedClient):
    """Waits wherever a provider can: before, between and after its deltas, and as it cleans up."""

    pieces: Sequence[Delta | Finish] = (Delta("a"), Delta("b"), Finish())

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """Two deltas."""
        self._begin(request, call)
        try:
            for piece in self.pieces:
                await asyncio.sleep(0)
                yield piece  # type: ignore[misc]  # the last is no delta
            if not self.pieces:
                await asyncio.sleep(0)
                raise ConnectError("nobody is there")
        finally:
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            finally:
                self.closed += 1


class Down(Careful):
    """Waits as well, and fails before its answer begins."""

    pieces = ()


class Recovering(Careful):
    """Fails at its first call, and answers all that follow."""

    def _begin(self, request: ModelRequest, call: Call) -> Sequence[Step]:
        steps = super()._begin(request, call)
        self.pieces = Careful.pieces if len(self.calls) > 1 else ()
        return steps


class Counted(Careful):
    """Waits to count tokens, too."""

    async def count_tokens(self, messages: object, model: str | None = None) -> TokenCount:
        """Two, after a while."""
        await asyncio.sleep(0)
        return TokenCount(n=2, exact=True, method="a guess")


class Arranged(NamedTuple):
    """A policy that is about to have its providers called.

    Attributes:
        client: the policy.
        providers: which are in it.
        left: what of its own a call has left behind; 0 where nothing.
    """

    client: ProxyLLMClient
    providers: Sequence[Careful]
    left: Callable[[], int] = int


def fallback() -> Arranged:
    """The first fails, the second answers."""
    providers = (Down(), Careful())
    return Arranged(Fallback(*providers), providers)


def pool() -> Arranged:
    """The first call begins with one that fails."""
    providers = (Down(), Careful())
    return Arranged(Pool(*providers), providers)


def retry() -> Arranged:
    """It waits before it tries again."""
    provider = Recovering()
    backoff = Backoff(base=0.001)
    return Arranged(Retry(provider, backoff=backoff, jitter=lambda: 1.0), [provider])


def breaker() -> Arranged:
    """The call is the probe of a circuit that was open; all others would be refused."""
    provider, now = Careful(), 0.0
    circuit = Circuit(CircuitLimits(failures=1), now=lambda: now)
    circuit.failed(object())
    now = 10.0
    client = Breaker(provider, circuit=circuit, refuse_alone=True)
    return Arranged(client, [provider], lambda: circuit.state != "closed")


def concurrency() -> Arranged:
    """There is room for one, and that is taken for a millisecond."""
    provider, slots = Careful(), Slots(1)
    asyncio.get_running_loop().call_later(0.001, slots.give_back, slots.take())
    return Arranged(
        ConcurrencyLimit(provider, slots), [provider], lambda: slots.taken + slots.waiting
    )


def rate() -> Arranged:
    """The next turn is in a millisecond; a call has to be counted before, and its tokens pass."""
    provider, requests, tokens = Counted(), LocalGate(60_000, burst=1), LocalGate(60_000, burst=2)
    for gate in (requests, tokens):
        gate.charge(2)
    return Arranged(RateLimit(provider, requests=requests, tokens=tokens), [provider])


def all_of_them() -> Arranged:
    """As a configuration puts them around a client, and that into a fallback."""
    down, up, slots = Down(), Careful(), Slots(1)
    limited = RateLimit(ConcurrencyLimit(down, slots), requests=LocalGate(60_000))
    retried = Retry(limited, retries=1, backoff=Backoff(base=0.001), jitter=lambda: 1.0)
    client = Fallback(Breaker(retried), ConcurrencyLimit(up, slots))
    return Arranged(client, (down, up), lambda: slots.taken + slots.waiting)


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


@pytest.mark.parametrize("ask", [whole, in_a_block, bare])
@pytest.mark.parametrize(
    "arrange", [fallback, pool, retry, breaker, concurrency, rate, all_of_them]
)
def test_a_policy_lets_go_wherever_a_call_is_cancelled(
    arrange: Callable[[], Arranged],
    ask: Callable[[ProxyLLMClient], Coroutine[Any, Any, None]],
) -> None:
    """Whatever it had taken is given back, its providers are let go, and the next call works."""

    def attempt(first: int, again: int | None) -> End:
        async def main() -> End:
            arranged = arrange()
            found = await swept(ask(arranged.client), first, again)
            assert all(each.closed == len(each.calls) for each in arranged.providers)
            assert (await arranged.client.generate("hi")).text == "ab"
            assert arranged.left() == 0
            return found

        return asyncio.run(main())

    assert points(attempt) >= 10


@pytest.mark.parametrize("platform", [sys.platform, "elsewhere"])
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_socket_is_let_go_wherever_its_call_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    """The service sees it gone while the loop runs; no descriptor, thread or task is left."""
    # Linux doesn't wait for a server on the same machine: here it is to be as it is for others.
    monkeypatch.setattr(sys, "platform", platform)

    def attempt(first: int, again: int | None) -> End:
        before = (len(os.listdir("/proc/self/fd")), threading.active_count())
        with WebSocketUpstream(SparkCodec()) as upstream:
            found = asyncio.run(spark_attempt(upstream, first, again))
        assert before == (len(os.listdir("/proc/self/fd")), threading.active_count())
        return found

    # The transport and three messages, and elsewhere connecting besides.
    assert points(attempt) >= 4 + (platform == "elsewhere")


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
