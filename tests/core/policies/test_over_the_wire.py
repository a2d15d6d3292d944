"""Policies around Spark's client, over real sockets: what was tried, and that nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from modelplug import (
    AuthenticationError,
    ConnectError,
    FailedAttempt,
    Finish,
    FirstDeltaTimeoutError,
    LifecycleError,
    ModelRequest,
    OverloadedError,
    ProxyLLMClient,
    ProxyLLMError,
    RateLimitError,
    Timeouts,
    TotalTimeoutError,
)
from modelplug.policies import Backoff, Breaker, ConcurrencyLimit, Fallback, Policy, Pool, Retry
from modelplug.policies.rate import LocalGate, RateLimit
from modelplug.testing import Fail, Gate, Refuse, Reset, Silence, Step
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.codec import SparkCodec
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.spark import NOWHERE, client_of

ANSWER: tuple[Step, ...] = ("Hel", "lo", Finish())
AT_ONCE = Backoff(base=0, throttled=0)

AROUND: dict[str, Callable[[ProxyLLMClient], Policy]] = {
    "retry": lambda client: Retry(client, backoff=AT_ONCE),
    "fallback": lambda client: Fallback(client, client),
    "pool": lambda client: Pool(client, client),
    "breaker": lambda client: Breaker(Retry(client, backoff=AT_ONCE)),
    "concurrency": lambda client: Retry(ConcurrencyLimit(client, 1), backoff=AT_ONCE),
    "rate": lambda client: Retry(
        RateLimit(client, requests=LocalGate(6000), tokens=LocalGate(600_000)), backoff=AT_ONCE
    ),
}

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
each_policy = pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())


def causes(attempts: object) -> list[type[ProxyLLMError]]:
    """What the attempts failed with."""
    assert isinstance(attempts, tuple)
    return [type(each.error) for each in attempts if isinstance(each, FailedAttempt)]


def all_gone(upstream: WebSocketUpstream) -> bool:
    """Whether no connection is open any more."""
    return all(exchange.wait_gone() for exchange in upstream.exchanges)


@directions
@each_policy
def test_what_broke_before_an_answer_is_made_good(
    upstream: WebSocketUpstream, ask: Ask, around: Callable[[ProxyLLMClient], Policy]
) -> None:
    """A reset, then an answer: whole, once, and both sockets are closed."""
    upstream.play(Reset())
    upstream.play(*ANSWER)
    with around(client_of(upstream)) as client:
        outputs = ask(client, "hi")
    assert (outputs[-1].text, len(causes(outputs[-1].attempts))) == ("Hello", 1)
    assert (len(upstream.exchanges), all_gone(upstream)) == (2, True)


@directions
@each_policy
def test_an_answer_that_breaks_off_stays_broken(
    upstream: WebSocketUpstream, ask: Ask, around: Callable[[ProxyLLMClient], Policy]
) -> None:
    """The service is asked once, and what had come is kept."""
    upstream.play("Hel", Reset())
    upstream.play(*ANSWER)
    with around(client_of(upstream)) as client, pytest.raises(ProxyLLMError) as caught:
        ask(client, "hi")
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.attempts) == ("Hel", ())
    assert (len(upstream.exchanges), all_gone(upstream)) == (1, True)


def test_a_rate_limit_in_a_frame_is_tried_again(upstream: WebSocketUpstream) -> None:
    """11202, then an answer."""
    upstream.play(Fail("rate_limit"))
    upstream.play(*ANSWER)
    with Retry(client_of(upstream), backoff=AT_ONCE) as client:
        final = client.sync_generate("hi")
    (failed,) = final.attempts
    assert isinstance(failed, FailedAttempt)
    assert isinstance(failed.error, RateLimitError)
    assert (final.text, failed.error.provider_code, failed.backend) == ("Hello", 11202, "spark")
    assert all_gone(upstream)


@pytest.mark.parametrize("steps", [(Fail("overloaded"),), (Refuse(),)], ids=["busy", "refused"])
def test_where_nothing_helps_all_is_told(
    upstream: WebSocketUpstream, steps: tuple[Step, ...]
) -> None:
    """Three attempts, and the error of the last one has the others."""
    upstream.play(*steps, times=None)
    with (
        Retry(client_of(upstream), backoff=AT_ONCE) as client,
        pytest.raises((OverloadedError, ConnectError)) as caught,
    ):
        client.sync_generate("hi")
    assert causes(caught.value.attempts) == [type(caught.value)] * 2


@directions
def test_a_service_that_is_not_there_is_stood_in_for(upstream: WebSocketUpstream, ask: Ask) -> None:
    """Nobody listens at the first address."""
    upstream.play(*ANSWER)
    with Fallback(client_of(NOWHERE), client_of(upstream)) as client:
        final = ask(client, "hi")[-1]
    assert (final.text, causes(final.attempts)) == ("Hello", [ConnectError])
    assert final.served_by is not None
    assert final.served_by.startswith("spark:")


def test_a_refusal_of_the_key_is_final(upstream: WebSocketUpstream) -> None:
    """Nobody else is asked, and not again."""
    upstream.play(Fail("auth"))
    with WebSocketUpstream(SparkCodec()) as other:
        client = Fallback(Retry(client_of(upstream), backoff=AT_ONCE), client_of(other))
        with client, pytest.raises(AuthenticationError):
            client.sync_generate("hi")
        assert (len(upstream.exchanges), len(other.exchanges)) == (1, 0)


def test_silence_costs_its_limit_and_no_socket(upstream: WebSocketUpstream) -> None:
    """Each attempt has its first-delta clock; and one call's deadline ends all that it is."""
    upstream.play(Silence(), times=None)
    asked = ModelRequest(messages="hi", timeout=Timeouts(first_delta=0.05))
    with Retry(client_of(upstream), backoff=AT_ONCE) as client:
        with pytest.raises(FirstDeltaTimeoutError) as caught:
            client.sync_generate(asked)
        assert causes(caught.value.attempts) == [FirstDeltaTimeoutError] * 2
        with pytest.raises(TotalTimeoutError):
            client.sync_generate(asked.copy(timeout=Timeouts(total=0.05)))
    assert all_gone(upstream)


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
@pytest.mark.parametrize("where", ["attempt", "back-off"])
def test_whoever_leaves_leaves_no_socket(upstream: WebSocketUpstream, how: str, where: str) -> None:
    """Amid a retry: the right end, every connection gone, and the next call works."""
    upstream.play(Fail("overloaded"))
    upstream.play(Gate("never"))
    upstream.play(*ANSWER, times=None)
    failed = asyncio.Event()

    async def main() -> type[object]:
        inner = client_of(upstream)
        inner.observers = (lambda event: failed.set() if "AttemptFailed" in repr(event) else None,)
        backoff = Backoff(throttled=0 if where == "attempt" else 8)
        client = Retry(ConcurrencyLimit(inner, 1), backoff=backoff, jitter=lambda: 1.0)
        stream = client.generate_stream("hi")
        task = asyncio.ensure_future(anext(stream))
        await failed.wait()
        if where == "attempt":
            await asyncio.to_thread(upstream.wait_reached, "never")
        if how == "cancel":
            task.cancel()
        elif how == "aclose":
            await stream.aclose()
        else:
            await client.aclose()
        (gone,) = await asyncio.gather(task, return_exceptions=True)
        limit = client.clients[0]
        assert isinstance(limit, ConcurrencyLimit)
        assert (limit.slots.taken, limit.slots.waiting) == (0, 0)
        if where == "back-off":
            upstream.release("never")
            return type(gone)
        async with client_of(upstream) as other:
            assert (await Retry(other).generate("hi")).text == "Hello"
        return type(gone)

    kind = asyncio.run(main())
    if how == "cancel":
        assert kind is asyncio.CancelledError
    else:
        assert issubclass(kind, LifecycleError)
    assert all_gone(upstream)
