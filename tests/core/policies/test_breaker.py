"""Not asking who is known to be down."""

from __future__ import annotations

import asyncio
import gc

import pytest

from modelplug import (
    AuthenticationError,
    BadRequestError,
    CircuitOpenError,
    ClientClosedError,
    ConnectError,
    ContentFilterError,
    Delta,
    Finish,
    LifecycleError,
    ModelRequest,
    ProxyLLMError,
    QueueFullError,
    RateLimitError,
    SchemaError,
    ServerError,
    Timeouts,
    TotalTimeoutError,
)
from modelplug.policies import Breaker, Circuit, CircuitLimits, Fallback
from tests.support.scripted import (
    DIRECTIONS,
    Ask,
    AsyncScripted,
    AsyncTurns,
    BlockingScripted,
    ScriptedClient,
)
from tests.support.virtual import run_virtually

ANSWER = [Delta("a"), Finish()]


async def settled() -> None:
    """Let whatever can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


def failing(breaker: Breaker, times: int) -> None:
    """Call so many times, and fail."""
    for _ in range(times):
        with pytest.raises(ProxyLLMError):
            breaker.sync_generate("hi")


@pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
@pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])
def test_who_keeps_failing_is_not_asked(ask: Ask, kind: type[ScriptedClient]) -> None:
    """After five failures the call is refused, with the time until it is worth asking."""
    client = kind(ConnectError)
    breaker = Breaker(client, refuse_alone=True)
    for _ in range(5):
        with pytest.raises(ConnectError):
            ask(breaker, "hi")
    with pytest.raises(CircuitOpenError) as caught:
        ask(breaker, "hi")
    assert caught.value.retry_after is not None
    assert 3 < caught.value.retry_after <= 6
    assert (len(client.calls), caught.value.sent, caught.value.attempts) == (5, "no", ())


def test_the_last_resort_is_asked_all_the_same() -> None:
    """Unless it was to be refused: a call that may fail is better than one that must."""
    client = AsyncScripted(ConnectError)
    failing(Breaker(client), 9)
    assert len(client.calls) == 9


def test_where_there_is_another_it_is_asked_at_once() -> None:
    """The one that is down isn't bothered any more."""
    first, second = AsyncScripted(ConnectError), AsyncScripted(*ANSWER)
    fallback = Fallback(Breaker(first), Breaker(second))
    for _ in range(20):
        assert fallback.sync_generate("hi").text == "a"
    assert (len(first.calls), len(second.calls)) == (5, 20)


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ConnectError, True),
        (ServerError, True),
        (SchemaError, True),
        (AuthenticationError, False),
        (BadRequestError, False),
        (ContentFilterError, False),
        (RateLimitError, False),
        (TotalTimeoutError, False),
        (QueueFullError, False),
        (KeyError, False),
    ],
)
def test_only_the_target_s_own_faults_count(error: type[Exception], counts: bool) -> None:
    """Not those of the request, of limits on this side, or of the plugin."""
    breaker = Breaker(AsyncScripted(error))
    failing(breaker, 9)
    assert breaker.circuit.state == ("open" if counts else "closed")


def test_an_answer_to_the_last_resort_ends_the_rest() -> None:
    """Others are let through from then on, too, wherever they come from."""
    client = AsyncTurns(*[[ConnectError]] * 5, ANSWER)
    breaker = Breaker(client)
    failing(breaker, 5)
    states: list[str] = [breaker.circuit.state]
    assert breaker.sync_generate("hi").text == "a"
    assert [*states, breaker.circuit.state] == ["open", "closed"]


def test_a_provider_is_not_told_of_attempts_that_it_never_saw() -> None:
    """The breaker refused the first target; the second one's is the first there is."""
    second = AsyncScripted(*ANSWER)
    circuit = Circuit(CircuitLimits(failures=1))
    circuit.failed(object())
    output = Fallback(Breaker(AsyncScripted(), circuit=circuit), second).sync_generate("hi")
    assert (len(output.attempts), [call.attempt for call in second.calls]) == (1, [1])


@pytest.mark.parametrize("hint", ["5", float("nan"), [1]])
def test_a_hint_that_is_none_keeps_no_probe(hint: object) -> None:
    """A plugin passes on a header as it came: the next call may show that the target is back."""
    time = [0.0]
    busy = RateLimitError("x", retry_after=hint)  # type: ignore[arg-type]  # on purpose
    client = AsyncTurns(*[[ConnectError]] * 5, [busy], ANSWER)
    breaker = Breaker(client, circuit=Circuit(now=lambda: time[0]), refuse_alone=True)
    failing(breaker, 5)
    time[0] = 100
    with pytest.raises(RateLimitError):
        breaker.sync_generate("hi")
    assert breaker.sync_generate("hi").text == "a"


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
def test_calls_that_are_left_never_count(how: str) -> None:
    """However many: the caller's haste is no fault of the target."""

    async def main() -> list[type[object]]:
        circuit = Circuit()
        ends: list[type[object]] = []
        for _ in range(30):
            breaker = Breaker(AsyncScripted(lambda: asyncio.sleep(9)), circuit=circuit)
            stream = breaker.generate_stream("hi")
            task = asyncio.ensure_future(anext(stream))
            await settled()
            if how == "cancel":
                task.cancel()
            elif how == "aclose":
                await stream.aclose()
            else:
                await breaker.aclose()
            (gone,) = await asyncio.gather(task, return_exceptions=True)
            ends.append(type(gone))
        assert circuit.state == "closed"
        return ends

    expected = {"aclose": LifecycleError, "client": ClientClosedError}
    assert set(run_virtually(main())) == {expected.get(how, asyncio.CancelledError)}


def test_answers_that_break_off_count() -> None:
    """They had begun, but a target that ends five in a row in their midst is down."""
    client = AsyncScripted(Delta("a"), ConnectError)
    breaker = Breaker(client, refuse_alone=True)
    failing(breaker, 4)
    assert breaker.circuit.state == "closed"
    failing(breaker, 3)
    assert (breaker.circuit.state, len(client.calls)) == ("open", 5)


@pytest.mark.parametrize("how", ["finished", "closed", "dropped"])
@pytest.mark.filterwarnings("ignore:a model stream was dropped:ResourceWarning")
def test_an_answer_that_was_good_as_far_as_it_was_read_ends_a_row(how: str) -> None:
    """At its end, or where its caller has left in the midst of it."""

    async def main() -> str:
        circuit = Circuit()
        for _ in range(3):
            for _ in range(4):
                with pytest.raises(ConnectError):
                    await Breaker(AsyncScripted(ConnectError), circuit=circuit).generate("hi")
            stream = Breaker(AsyncScripted(*ANSWER), circuit=circuit).generate_stream("hi")
            await anext(stream)
            if how == "finished":
                assert (await anext(stream)).final
            elif how == "closed":
                await stream.aclose()
            del stream
            gc.collect()
        return circuit.state

    assert asyncio.run(main()) == "closed"


def test_a_rate_limit_is_a_pause() -> None:
    """For as long as the service said, and not a moment longer: no probe is needed then."""

    async def main() -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        client = AsyncTurns([RateLimitError("x", retry_after=20)], ANSWER)
        breaker = Breaker(client, circuit=Circuit(now=loop.time), refuse_alone=True)
        with pytest.raises(RateLimitError):
            await breaker.generate("hi")
        await asyncio.sleep(19.9)
        with pytest.raises(CircuitOpenError) as caught:
            await breaker.generate("hi")
        assert caught.value.retry_after == pytest.approx(0.1)
        await asyncio.sleep(0.1)
        await asyncio.gather(*(breaker.generate("hi") for _ in range(5)))
        return len(client.calls), breaker.circuit.state

    assert run_virtually(main()) == (6, "closed")


@pytest.mark.parametrize("answers", [True, False])
def test_one_of_a_thousand_calls_is_the_probe(answers: bool) -> None:
    """The others are refused; its end decides for those that follow."""

    async def main() -> tuple[int, int, str]:
        loop = asyncio.get_running_loop()
        circuit = Circuit(CircuitLimits(failures=1), now=loop.time, jitter=lambda: 0.5)
        client = AsyncTurns(
            [ConnectError], [lambda: asyncio.sleep(1), *(ANSWER if answers else [ConnectError])]
        )
        breaker = Breaker(client, circuit=circuit, refuse_alone=True)
        with pytest.raises(ConnectError):
            await breaker.generate("hi")
        await asyncio.sleep(5)
        calls = (breaker.generate("hi") for _ in range(1000))
        ends = await asyncio.gather(*calls, return_exceptions=True)
        refused = sum(isinstance(end, CircuitOpenError) for end in ends)
        return len(client.calls) - 1, refused, circuit.state

    assert run_virtually(main()) == (1, 999, "closed" if answers else "open")


def test_a_cancelled_probe_is_followed_by_another() -> None:
    """It has shown nothing; a call from before the outage that is cancelled lets none through."""

    async def main() -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        circuit = Circuit(CircuitLimits(failures=1), now=loop.time, jitter=lambda: 0.5)
        slow: list[object] = [lambda: asyncio.sleep(30), *ANSWER]
        client = AsyncTurns(slow, [ConnectError], slow, [*ANSWER])
        breaker = Breaker(client, circuit=circuit, refuse_alone=True)
        old = asyncio.create_task(breaker.generate("hi"))
        await settled()
        with pytest.raises(ConnectError):
            await breaker.generate("hi")
        await asyncio.sleep(5)
        probe = asyncio.create_task(breaker.generate("hi"))
        await settled()
        old.cancel()
        await asyncio.wait([old])
        with pytest.raises(CircuitOpenError):
            await breaker.generate("hi")
        probe.cancel()
        await asyncio.wait([probe])
        assert (await breaker.generate("hi")).text == "a"
        return len(client.calls), circuit.state

    assert run_virtually(main()) == (4, "closed")


def test_the_caller_s_deadline_is_no_fault() -> None:
    """A target that is slow isn't down for those who have more time."""

    async def main() -> str:
        breaker = Breaker(AsyncScripted(lambda: asyncio.sleep(9)))
        for _ in range(9):
            with pytest.raises(TotalTimeoutError):
                await breaker.generate(ModelRequest(messages="hi", timeout=Timeouts(total=1)))
        return breaker.circuit.state

    assert run_virtually(main()) == "closed"
