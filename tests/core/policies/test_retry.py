"""Trying again, before an answer has begun."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    AttemptFailed,
    AuthenticationError,
    Call,
    CallAbandoned,
    CallFailed,
    CallFinished,
    CallStarted,
    CircuitOpenError,
    ClientClosedError,
    ConnectionLostError,
    ContentFilterError,
    Delta,
    Event,
    FailedAttempt,
    Finish,
    FirstDelta,
    FirstDeltaTimeoutError,
    LifecycleError,
    MessageConverter,
    ModelMessage,
    ModelMetadata,
    ModelRequest,
    OverloadedError,
    ProxyLLMError,
    ProxyModelParameters,
    QueueFullError,
    QueueTimeoutError,
    RateGateError,
    RateLimitError,
    ServerError,
    Timeouts,
    TotalTimeoutError,
)
from modelplug.policies import Backoff, Retry, RetryBudget
from tests.support.scripted import DIRECTIONS, Ask, AsyncTurns, BlockingTurns, ScriptedClient
from tests.support.virtual import run_virtually

AT_ONCE = Backoff(base=0, throttled=0)
"""For tests on a real clock."""

ANSWER = [Delta("a"), Delta("b"), Finish()]

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
kinds = pytest.mark.parametrize("kind", [AsyncTurns, BlockingTurns])


def sleep(seconds: float) -> Callable[[], object]:
    """A step that takes some time."""
    return lambda: asyncio.sleep(seconds)


async def settled() -> None:
    """Let whatever can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


class Events(list[Event]):
    """An observer, and what it was told."""

    def __call__(self, event: Event) -> None:
        """Keep it."""
        self.append(event)

    @property
    def kinds(self) -> Sequence[type[Event]]:
        """What kinds they are."""
        return [type(event) for event in self]


@directions
@kinds
def test_a_call_that_fails_at_first_is_made_again(ask: Ask, kind: type[ScriptedClient]) -> None:
    """In every direction, of every kind of provider; the output tells what had failed."""
    client = kind([ServerError], [ConnectionLostError], ANSWER)
    outputs = ask(Retry(client, backoff=AT_ONCE), "hi")
    final = outputs[-1]
    assert "ab" == final.text == "".join(each.delta for each in outputs) or len(outputs) == 1
    failed = [each for each in final.attempts if isinstance(each, FailedAttempt)]
    assert [ServerError, ConnectionLostError] == [type(each.error) for each in failed]
    assert [call.attempt for call in client.calls] == [1, 2, 3]
    assert (client.closed, {each.model for each in failed}) == (3, {"scripted"})


@directions
@kinds
def test_an_answer_that_has_begun_is_never_begun_again(
    ask: Ask, kind: type[ScriptedClient]
) -> None:
    """A break after the first delta is the caller's; no delta comes twice."""
    client = kind([Delta("a"), ServerError], ANSWER)
    with pytest.raises(ServerError) as caught:
        ask(Retry(client, backoff=AT_ONCE), "hi")
    assert caught.value.partial is not None
    assert (len(client.calls), caught.value.partial.text, caught.value.attempts) == (1, "a", ())


@pytest.mark.parametrize("before", [[Delta("")], [[Delta(""), Delta("")]]], ids=["one", "list"])
def test_an_empty_delta_is_no_beginning(before: list[object]) -> None:
    """Nothing has been handed over yet."""
    client = AsyncTurns([*before, ServerError], ANSWER)
    assert Retry(client, backoff=AT_ONCE).sync_generate("hi").text == "ab"


def test_an_answer_of_no_words_is_one() -> None:
    """A finish alone ends the call, and isn't tried again."""
    client = AsyncTurns([Finish()])
    assert (Retry(client).sync_generate("hi").text, len(client.calls)) == ("", 1)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError,
        ContentFilterError,
        TotalTimeoutError,
        LifecycleError,
        ClientClosedError,
        QueueFullError,
        CircuitOpenError,
        RateGateError,
        QueueTimeoutError,
        KeyError,
    ],
)
def test_some_errors_are_not_worth_it(error: type[Exception]) -> None:
    """Wrong requests, limits on this side, closed clients and bugs."""
    client = AsyncTurns([error], ANSWER)
    with pytest.raises(ProxyLLMError) as caught:
        Retry(client, backoff=AT_ONCE).sync_generate("hi")
    assert (len(client.calls), caught.value.attempts) == (1, ())


def test_what_may_have_been_sent_is_tried_again_unless_told_otherwise() -> None:
    """Whoever fears a second bill says so."""

    def client() -> AsyncTurns:
        return AsyncTurns([lambda: client_.calls[-1].reached("sent"), ServerError], ANSWER)

    client_ = client()
    assert Retry(client_, backoff=AT_ONCE).sync_generate("hi").text == "ab"
    client_ = client()
    with pytest.raises(ServerError):
        Retry(client_, backoff=AT_ONCE, retry_if_sent=False).sync_generate("hi")
    unsent = AsyncTurns([ServerError], ANSWER)
    assert Retry(unsent, backoff=AT_ONCE, retry_if_sent=False).sync_generate("hi").text == "ab"


@pytest.mark.parametrize("retries", range(4))
def test_so_many_retries_and_no_more(retries: int) -> None:
    """The last error is the caller's, with all before it."""
    client = AsyncTurns([ServerError])
    with pytest.raises(ServerError) as caught:
        Retry(client, retries=retries, backoff=AT_ONCE).sync_generate("hi")
    assert (len(client.calls), len(caught.value.attempts)) == (retries + 1, retries)


def test_a_thousandth_wait_is_the_longest() -> None:
    """No number is too large on the way to it."""
    backoff = Backoff(base=1e-300)
    assert backoff.seconds(ServerError("x"), 5000, 1.0) == 1e-300 * 2.0**64
    assert Backoff().seconds(ServerError("x"), 5000, 1.0) == 8


@given(
    retries=st.integers(0, 12),
    jitter=st.floats(0, 1),
    hint=st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
    throttled=st.booleans(),
)
def test_waits_are_within_bounds(
    retries: int, jitter: float, hint: float | None, throttled: bool
) -> None:
    """Full jitter up to the cap; a hint is the least, a tenth more the most; none beyond 60 s."""
    error = (OverloadedError if throttled else ServerError)("x", retry_after=hint)
    seconds = Backoff().seconds(error, retries, jitter)
    if hint is None:
        assert seconds is not None
        assert 0 <= seconds <= min(8, (1 if throttled else 0.25) * 2**retries)
        assert seconds == jitter * min(8, (1 if throttled else 0.25) * 2**retries)
    elif math.isfinite(hint) and 0 <= hint <= 60:
        assert seconds is not None
        assert hint <= seconds <= hint * 1.1
    else:
        assert seconds is None


def waited(*turns: list[object], jitter: float = 1.0, total: float | None = 600) -> float:
    """When a call was over, by the virtual clock."""

    async def main() -> float:
        retry = Retry(AsyncTurns(*turns), retries=9, jitter=lambda: jitter)
        asked = ModelRequest(messages="hi", timeout=Timeouts(total=total, first_delta=60))
        with contextlib.suppress(ProxyLLMError):
            await retry.generate(asked)
        return asyncio.get_running_loop().time()

    return run_virtually(main())


def test_the_wait_is_as_the_backoff_says() -> None:
    """The longest there is at a jitter of one, and none at nought."""
    turns: list[list[object]] = [[ServerError], [ServerError], [OverloadedError], ANSWER]
    assert waited(*turns) == pytest.approx(0.25 + 0.5 + 4)
    assert waited(*turns, jitter=0) == 0


@pytest.mark.parametrize(("hint", "seconds"), [(20, 20), (60, 60), (61, 0), (-1, 0)])
def test_a_hint_is_honoured_or_left_to_the_caller(hint: float, seconds: float) -> None:
    """Up to 60 s it is waited for; beyond, the call fails at once and the hint is on it."""
    error = RateLimitError("x", retry_after=hint)
    assert waited([error], ANSWER, jitter=0) == seconds


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """The call fails at once instead of at its deadline."""
    error = RateLimitError("x", retry_after=20)
    assert waited([sleep(5), error], ANSWER, jitter=0, total=25) == 5
    assert waited([sleep(5), error], ANSWER, jitter=0, total=25.1) == 25


def test_one_deadline_is_for_all_attempts() -> None:
    """It ends whatever attempt is under way, at its very moment."""

    async def main() -> tuple[float, int, int]:
        client = AsyncTurns([sleep(4), ServerError])
        retry = Retry(client, retries=99, jitter=lambda: 0.5)
        with pytest.raises(TotalTimeoutError) as caught:
            await retry.generate(ModelRequest(messages="hi", timeout=Timeouts(total=10)))
        return asyncio.get_running_loop().time(), len(client.calls), len(caught.value.attempts)

    assert run_virtually(main()) == (10, 3, 2)


def test_the_clock_of_the_first_delta_begins_anew() -> None:
    """Each attempt has all of it, and a slow clean-up of the one before costs nothing."""

    async def main() -> tuple[str, float]:
        client = AsyncTurns([sleep(99)], [sleep(1.5), Delta("a"), Finish()])
        retry = Retry(client, jitter=lambda: 0.0)
        asked = ModelRequest(messages="hi", timeout=Timeouts(first_delta=2))
        return (await retry.generate(asked)).text, asyncio.get_running_loop().time()

    assert run_virtually(main()) == ("a", 3.5)


def test_a_wait_between_attempts_is_no_connecting() -> None:
    """An attempt that fails in the turn in which it began to connect leaves no clock behind."""

    class Refused(AsyncTurns):
        async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
            call.reached("connecting")
            async for piece in super().stream_deltas(request, call):
                yield piece

    async def main() -> tuple[str, float]:
        retry = Retry(Refused([ServerError], ANSWER), backoff=Backoff(base=8), jitter=lambda: 1.0)
        asked = ModelRequest(messages="hi", timeout=Timeouts(connect=1, open=2))
        return (await retry.generate(asked)).text, asyncio.get_running_loop().time()

    assert run_virtually(main()) == ("ab", 8)


def test_each_attempt_runs_into_its_own_clock() -> None:
    """Three times two seconds, exactly."""

    async def main() -> tuple[float, list[type[ProxyLLMError]]]:
        retry = Retry(AsyncTurns([sleep(99)]), jitter=lambda: 0.0)
        with pytest.raises(FirstDeltaTimeoutError) as caught:
            await retry.generate(ModelRequest(messages="hi", timeout=Timeouts(first_delta=2)))
        failed = [each for each in caught.value.attempts if isinstance(each, FailedAttempt)]
        return asyncio.get_running_loop().time(), [type(each.error) for each in failed]

    assert run_virtually(main()) == (6, [FirstDeltaTimeoutError] * 2)


def test_a_budget_ends_it() -> None:
    """Never more than ten retries where nothing succeeds, over all clients that share one."""
    budget = RetryBudget()
    client = AsyncTurns([ServerError])
    retries = [Retry(client, retries=5, budget=budget, backoff=AT_ONCE) for _ in range(4)]

    def call() -> None:
        for retry in retries:
            with pytest.raises(ServerError):
                retry.sync_generate("hi")

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(client.calls), budget.left) == (16 + 10, 0)


def test_a_retry_that_succeeds_is_given_back() -> None:
    """The budget is as it was."""
    budget = RetryBudget()
    Retry(AsyncTurns([ServerError], ANSWER), budget=budget, backoff=AT_ONCE).sync_generate("hi")
    assert budget.left == 100


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
def test_a_retry_that_was_never_made_costs_nothing(how: str) -> None:
    """Ten calls are left in their pauses: the budget is as it was."""

    async def main() -> tuple[int, int]:
        client, budget = AsyncTurns([ServerError]), RetryBudget()
        retry = Retry(client, budget=budget, backoff=Backoff(base=8), jitter=lambda: 1.0)
        streams = [retry.generate_stream("hi") for _ in range(10)]
        tasks = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await settled()
        assert (len(client.calls), budget.left) == (10, 0)
        if how == "cancel":
            for task in tasks:
                task.cancel()
        elif how == "aclose":
            await asyncio.gather(*(stream.aclose() for stream in streams))
        else:
            await retry.aclose()
        await asyncio.wait(tasks)
        for task in tasks:
            assert task.cancelled() or isinstance(task.exception(), LifecycleError)
        return len(client.calls), budget.left

    assert run_virtually(main()) == (10, 100)


def test_a_full_outage_is_not_made_worse() -> None:
    """64 clients, a minute, a call a second each: hardly more attempts than calls."""

    async def main() -> tuple[int, int, int]:
        budget, made, attempts, retries = RetryBudget(), 0, 0, 0

        def attempted() -> None:
            nonlocal attempts
            attempts += 1

        def observed(event: Event) -> None:
            nonlocal retries
            retries += isinstance(event, AttemptFailed)

        async def calls() -> None:
            nonlocal made
            client = AsyncTurns([attempted, ServerError])
            client.observers = (observed,)
            retry = Retry(client, retries=3, budget=budget)
            while asyncio.get_running_loop().time() < 60:
                made += 1
                with pytest.raises(ServerError):
                    await retry.generate("hi")
                await asyncio.sleep(1)

        await asyncio.gather(*(calls() for _ in range(64)))
        return made, attempts, retries

    made, attempts, retries = run_virtually(main())
    assert made >= 64 * 50
    assert retries <= 10
    # The first ten failures were of the first ten calls: all of them began at once.
    assert attempts - 10 <= 1.1 * (made - 10)


@pytest.mark.parametrize("how", ["cancel", "cancel twice", "aclose", "client"])
@pytest.mark.parametrize("at", [0.5, 1.5, 2.5], ids=["attempt", "back-off", "next-attempt"])
def test_whoever_leaves_leaves_nothing(how: str, at: float) -> None:
    """In an attempt as in a back-off: the right end, at once, and the next call works."""

    async def main() -> tuple[object, float, int, int]:
        slow: list[object] = [sleep(1), RateLimitError]
        client = AsyncTurns(slow, slow, ANSWER)
        retry = Retry(client, jitter=lambda: 1.0)
        stream = retry.generate_stream("hi")
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(at)
        if how.startswith("cancel"):
            task.cancel()
            if how == "cancel twice":
                await asyncio.sleep(0)
                task.cancel()
        elif how == "aclose":
            await stream.aclose()
        else:
            await retry.aclose()
        (gone,) = await asyncio.gather(task, return_exceptions=True)
        now = asyncio.get_running_loop().time()
        if how != "client":
            assert (await Retry(client, retries=9).generate("hi")).text == "ab"
        return gone, now, client.closed - len(client.calls), len(asyncio.all_tasks())

    gone, now, unclosed, tasks = run_virtually(main())
    expected = {"aclose": LifecycleError, "client": ClientClosedError}
    assert type(gone) is expected.get(how, asyncio.CancelledError)
    assert (now, unclosed, tasks) == (at, 0, 1)


def test_a_converter_of_the_caller_s_runs_once() -> None:
    """Whatever the number of attempts; all of them get what it gave."""
    runs = 0

    class Shouting(MessageConverter):
        def convert(
            self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
        ) -> Sequence[ModelMessage]:
            nonlocal runs
            runs += 1
            return [ModelMessage(each.role, each.text.upper()) for each in messages]

    client = AsyncTurns([ServerError], [ServerError], ANSWER)
    Retry(client, backoff=AT_ONCE).sync_generate("hi", Shouting())
    assert (runs, [each.question for each in client.requests]) == (1, ["HI"] * 3)


def test_what_a_plugin_writes_into_messages_stays_in_its_attempt() -> None:
    """Each attempt gets what the caller's converter gave, whatever was made of it before."""
    seen = []

    class Parts(MessageConverter):
        def convert(
            self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
        ) -> Sequence[ModelMessage]:
            return [ModelMessage("human", [{"type": "text", "text": "hi"}])]

    class Writing(AsyncTurns):
        async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
            part: Any = request.messages[0].content[0]
            seen.append(part["text"])
            part["text"] += "!"
            async for piece in super().stream_deltas(request, call):
                yield piece

    client = Writing([ServerError], [ServerError], [ServerError], ANSWER)
    Retry(client, backoff=AT_ONCE, retries=3).sync_generate("hi", Parts())
    assert seen == ["hi"] * 4


@pytest.mark.parametrize(
    ("turns", "end"),
    [
        ([[ServerError], [ServerError], ANSWER], [FirstDelta, CallFinished]),
        ([[ServerError]], [CallFailed]),
        ([[ServerError], [ServerError], [Delta("a"), ServerError]], [FirstDelta, CallFailed]),
    ],
    ids=["finished", "failed", "broke-off"],
)
def test_observers_see_one_call(turns: list[list[object]], end: list[type[Event]]) -> None:
    """One beginning, each attempt that was swallowed, one end."""
    client, events = AsyncTurns(*turns), Events()
    client.observers = (events,)
    with contextlib.suppress(ServerError):
        Retry(client, backoff=AT_ONCE).sync_generate("hi")
    assert [CallStarted, AttemptFailed, AttemptFailed, *end] == events.kinds
    failed = events[1]
    assert isinstance(failed, AttemptFailed)
    assert (type(failed.error), failed.model) == (ServerError, "scripted")


def test_a_call_that_is_left_in_its_back_off_was_abandoned() -> None:
    """One end, whenever it comes."""

    async def main() -> Sequence[type[Event]]:
        client, events = AsyncTurns([RateLimitError]), Events()
        client.observers = (events,)
        task = asyncio.create_task(Retry(client, jitter=lambda: 1.0).generate("hi"))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait([task])
        return events.kinds

    assert run_virtually(main()) == [CallStarted, AttemptFailed, CallAbandoned]


def raising(error: type[ProxyLLMError]) -> Callable[[], object]:
    """A step that fails while another failure is handled, as a careless plugin does."""

    def step() -> None:
        try:
            raise ValueError("from a library")
        except ValueError as cause:
            raise error("x") from cause

    return step


EMPTY = RetryBudget(capacity=0)


@pytest.mark.parametrize(
    ("error", "budget", "timeout", "why"),
    [
        (ServerError("x"), EMPTY, None, "the budget of retries is used up"),
        (ServerError("x", retry_after=9), None, 5, "the wait for it would outlast the call's"),
        (ServerError("x", retry_after=99), None, None, "the service asks for a longer wait"),
    ],
    ids=["budget", "deadline", "hint"],
)
def test_an_error_tells_why_it_wasn_t_tried_again(
    error: ProxyLLMError,
    budget: RetryBudget | None,
    timeout: float | None,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where it was worth it and there were retries left; the log does, too."""
    client = AsyncTurns([error])
    with caplog.at_level("DEBUG", "modelplug"), pytest.raises(ServerError) as caught:
        Retry(client, budget=budget).sync_generate(ModelRequest(messages="hi", timeout=timeout))
    (note,) = caught.value.__notes__
    assert note.startswith(f"not tried again: {why}")
    assert note in caplog.messages
    assert len(client.calls) == 1


def test_an_error_that_isn_t_worth_it_needs_no_reason() -> None:
    """Nor does the last one, as all retries were made."""
    for retry in (
        Retry(AsyncTurns([ContentFilterError("x", stage="input")])),
        Retry(AsyncTurns([ServerError("x")]), retries=0),
    ):
        with pytest.raises(ProxyLLMError) as caught:
            retry.sync_generate("hi")
        assert not hasattr(caught.value, "__notes__")


def test_a_closed_one_keeps_no_budget_that_is_shared() -> None:
    """Who makes another client of the same target later begins with a full one."""
    budget = RetryBudget()
    retry = Retry(AsyncTurns(ANSWER), budget=budget)
    retry.close()
    assert retry.budget is not budget


def test_errors_of_attempts_keep_no_frames() -> None:
    """Nor do those that they come of: each would keep a whole attempt alive."""
    client = AsyncTurns([raising(ServerError)], ANSWER)
    (failed,) = Retry(client, backoff=AT_ONCE).sync_generate("hi").attempts
    assert isinstance(failed, FailedAttempt)
    chain: list[BaseException] = [failed.error]
    while chain[-1].__context__ is not None:
        chain.append(chain[-1].__context__)
    assert [each.__traceback__ for each in chain] == [None, None]
    assert failed.error.partial is None


@pytest.mark.parametrize("turns", [[[ServerError], ANSWER], [[ServerError]]], ids=["ok", "failed"])
def test_no_cycles_are_left(turns: list[list[object]]) -> None:
    """What a call was made of goes with its last reference, and waits for no collector."""

    async def main() -> int:
        client = AsyncTurns(*turns)

        async def ask() -> None:
            with contextlib.suppress(ServerError):
                await Retry(client, retries=1, backoff=AT_ONCE).generate("hi")

        await ask()
        await settled()
        gc.collect()
        gc.disable()
        try:
            await ask()
            await settled()
            return gc.collect()
        finally:
            gc.enable()

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("n", range(1, 40))
def test_a_cancel_at_any_moment_ends_it_cleanly(n: int) -> None:
    """After so many turns of the loop, twice over: in attempts, clean-ups and back-offs."""

    async def main() -> tuple[bool, int, int]:
        async def slowly() -> None:
            for _ in range(3):
                await asyncio.sleep(0)

        turn: list[object] = [slowly, ServerError]
        client = AsyncTurns(turn, turn, [slowly, Delta("a"), slowly, Finish()])
        task = asyncio.create_task(Retry(client, backoff=AT_ONCE).generate("hi"))
        for _ in range(n):
            await asyncio.sleep(0)
        was_done = task.done()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await settled()
        again = await Retry(AsyncTurns(ANSWER)).generate("hi")
        assert again.text == "ab"
        return (
            task.cancelled() or was_done,
            len(client.calls) - client.closed,
            len(asyncio.all_tasks()),
        )

    assert run_virtually(main()) == (True, 0, 1)


class Keyed(AsyncTurns):
    """A provider that asks for its credential, and accepts one key alone."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """An answer to whoever has the key."""
        self._begin(request, call)
        if call.credential().api_key.reveal() != "good":
            raise AuthenticationError("no")
        for piece in ANSWER:
            yield piece  # type: ignore[misc]  # the last is no delta


@directions
@pytest.mark.parametrize(
    ("keys", "attempts"),
    [
        (["old", "good", "good"], 2),  # the attempt's, the look whether it is another, the next's
        (["old", "old", "good"], 1),
        (["old", "new", "new", "good"], 2),
        (["old"], 1),
        (["old", "\x00"], 1),
    ],
)
def test_a_key_that_was_exchanged_is_tried_once(keys: list[str], attempts: int, ask: Ask) -> None:
    """Only where there is another one by now: a wrong key isn't tried twice."""
    given = iter(keys)
    params = ProxyModelParameters(proxy_api_key=lambda: next(given))
    client = Keyed(ANSWER, params=params)
    retry = Retry(client, retries=5, backoff=AT_ONCE)
    if "good" in keys[:3] and attempts == 2:
        assert ask(retry, "hi")[-1].text == "ab"
    else:
        with pytest.raises(AuthenticationError):
            ask(retry, "hi")
    assert len(client.calls) == attempts


def test_an_exchanged_key_needs_a_retry_too() -> None:
    """Without any, and without budget, the first refusal stands."""
    for retries, left in ((0, 100), (5, 0)):
        keys = iter(["old", "good", "good"])
        params = ProxyModelParameters(proxy_api_key=partial(next, keys))
        client = Keyed(ANSWER, params=params)
        with pytest.raises(AuthenticationError):
            Retry(client, retries=retries, budget=RetryBudget(left)).sync_generate("hi")
        assert len(client.calls) == 1
