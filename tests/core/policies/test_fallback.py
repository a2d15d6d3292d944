"""Asking somebody else."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import pickle
import threading
from collections.abc import Callable, Sequence

import pytest

from modelplug import (
    AttemptFailed,
    AuthenticationError,
    BadRequestError,
    Call,
    CallFinished,
    CallStarted,
    CircuitOpenError,
    ClientClosedError,
    ConnectError,
    ConnectionLostError,
    ContentFilterError,
    ContextLengthError,
    Delta,
    Event,
    FailedAttempt,
    Finish,
    FirstDelta,
    IdleTimeoutError,
    LifecycleError,
    LocalLimitError,
    ModelRequest,
    OverloadedError,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    QuotaError,
    RateLimitError,
    Secret,
    ServerError,
    Timeouts,
    TotalTimeoutError,
    TruncatedStreamError,
    WrongUseError,
)
from modelplug.attempt import Attempt
from modelplug.opening import Opening
from modelplug.policies import (
    Backoff,
    Breaker,
    Circuit,
    CircuitLimits,
    ConcurrencyLimit,
    Fallback,
    Policy,
    Pool,
    Retry,
    Slots,
)
from tests.support.scripted import (
    DIRECTIONS,
    Ask,
    AsyncScripted,
    AsyncTurns,
    BlockingScripted,
    ScriptedClient,
    Step,
)
from tests.support.virtual import run_virtually

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
kinds = pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])


def sleep(seconds: float) -> Callable[[], object]:
    """A step that takes some time."""
    return lambda: asyncio.sleep(seconds)


def named(
    name: str, *steps: Step, context: int | None = None, kind: type[ScriptedClient] = AsyncScripted
) -> ScriptedClient:
    """A provider called ``name``, which says that unless it is told more."""
    params = ProxyModelParameters(proxyllm_backend=name, max_context_size=context)
    return kind(*(steps or (Delta(name), Finish())), params=params)


@directions
@kinds
def test_the_next_one_serves(ask: Ask, kind: type[ScriptedClient]) -> None:
    """The output says who did, and what had failed before."""
    first, second = named("a", ServerError, kind=kind), named("b", kind=kind)
    final = ask(Fallback(first, second), "hi")[-1]
    (failed,) = final.attempts
    assert isinstance(failed, FailedAttempt)
    assert (failed.backend, type(failed.error)) == ("a", ServerError)
    assert (final.text, final.served_by, final.backend) == ("b", "b:scripted", "b")


def test_the_first_one_serves_where_it_can() -> None:
    """The others aren't asked."""
    second = named("b")
    final = Fallback(named("a"), second).sync_generate("hi")
    assert (final.served_by, final.attempts, second.calls) == ("a:scripted", (), [])


@directions
def test_where_all_fail_the_last_error_has_the_others(ask: Ask) -> None:
    """Each once."""
    clients = [named("a", ConnectError), named("b", OverloadedError), named("c", QuotaError)]
    with pytest.raises(QuotaError) as caught:
        ask(Fallback(*clients), "hi")
    failed = [each for each in caught.value.attempts if isinstance(each, FailedAttempt)]
    assert [each.backend for each in failed] == ["a", "b"]
    assert caught.value.backend == "c"


@directions
@pytest.mark.parametrize(
    ("error", "asks"),
    [
        (ConnectError, True),
        (ConnectionLostError, True),
        (IdleTimeoutError, True),
        (TruncatedStreamError, True),
        (RateLimitError, True),
        (QuotaError, True),
        (CircuitOpenError, True),
        (TotalTimeoutError, False),
        (AuthenticationError, False),
        (BadRequestError, False),
        (ContentFilterError, False),
        (ContextLengthError, False),
        (LifecycleError, False),
        (KeyError, False),
    ],
)
def test_a_fault_of_the_caller_s_is_nobody_else_s(
    ask: Ask, error: type[Exception], asks: bool
) -> None:
    """A wrong key isn't hidden, and a filter isn't got round."""
    first, second = named("a", error), named("b")
    if asks:
        assert ask(Fallback(first, second), "hi")[-1].text == "b"
    else:
        with pytest.raises(ProxyLLMError):
            ask(Fallback(first, second), "hi")
    assert len(second.calls) == asks


def test_whoever_wants_more_says_so() -> None:
    """``on`` is the whole list."""
    fallback = Fallback(named("a", AuthenticationError), named("b"), on=[AuthenticationError])
    assert fallback.sync_generate("hi").text == "b"
    with pytest.raises(ServerError):
        Fallback(named("a", ServerError), named("b"), on=[]).sync_generate("hi")


def test_an_answer_that_has_begun_is_not_given_away() -> None:
    """A break in its midst is the caller's."""
    second = named("b")
    with pytest.raises(ServerError) as caught:
        Fallback(named("a", Delta("x"), ServerError), second).sync_generate("hi")
    assert caught.value.partial is not None
    assert (caught.value.partial.text, second.calls) == ("x", [])


@pytest.mark.parametrize(
    ("contexts", "serves"),
    [((1000, 1000, 2000), "c"), ((1000, 500, 1000), None), ((1000, 3000, 2000), "b")],
)
@pytest.mark.parametrize("same", [False, True], ids=["backends", "models"])
def test_what_is_too_long_goes_to_a_longer_one(
    contexts: tuple[int, ...], serves: str | None, same: bool
) -> None:
    """And to nobody else; two models of one backend may well differ."""
    names = ["a", "a", "a"] if same else ["a", "b", "c"]
    clients = [named(n, context=c) for n, c in zip(names, contexts, strict=True)]
    clients[0].steps = (ContextLengthError,)
    for client, text in zip(clients[1:], "bc", strict=True):
        client.steps = (Delta(text), Finish())
    if serves:
        assert Fallback(*clients).sync_generate("hi").text == serves
    else:
        with pytest.raises(ContextLengthError):
            Fallback(*clients).sync_generate("hi")


def test_a_model_that_another_lacks_is_its_default_there() -> None:
    """A name means nothing elsewhere; one that both have is kept."""

    class Special(AsyncScripted):
        def __init__(self, *steps: Step) -> None:
            super().__init__(*steps)
            self.model_names = ("special", "other")

    second = named("b")
    fallback = Fallback(Special(ServerError), second)
    for model in ("special", "other", None):
        fallback.sync_generate(ModelRequest(messages="hi", model=model))
    assert [each.model for each in second.requests] == ["scripted", "other", "scripted"]


def test_one_deadline_is_for_all() -> None:
    """It comes at its moment, whoever is asked then, and nobody is asked after it."""

    async def main() -> tuple[float, int, int]:
        clients = named("a", sleep(4), ServerError), named("b", sleep(50)), named("c")
        with pytest.raises(TotalTimeoutError) as caught:
            await Fallback(*clients).generate(
                ModelRequest(messages="hi", timeout=Timeouts(total=10))
            )
        now = asyncio.get_running_loop().time()
        return now, len(caught.value.attempts), len(clients[2].calls)

    assert run_virtually(main()) == (10, 1, 0)


def test_each_has_its_own_clocks() -> None:
    """One that keeps silent costs its first-delta limit; the next one begins anew."""

    async def main() -> tuple[str, float]:
        fallback = Fallback(named("a", sleep(99)), named("b", sleep(4), Delta("b"), Finish()))
        asked = ModelRequest(messages="hi", timeout=Timeouts(first_delta=5))
        return (await fallback.generate(asked)).text, asyncio.get_running_loop().time()

    assert run_virtually(main()) == ("b", 9)


def test_they_nest() -> None:
    """The innermost that served is named; every attempt is told once, in order."""
    inner = Fallback(named("a", ServerError), named("b", ServerError))
    final = Fallback(inner, Fallback(named("c", ServerError), named("d"))).sync_generate("hi")
    failed = [each.backend for each in final.attempts if isinstance(each, FailedAttempt)]
    assert (final.served_by, failed) == ("d:scripted", ["a", "b", "c"])


class Witness(AsyncScripted):
    """A provider that notes whether it is the last resort."""

    def __init__(self, noted: list[bool], *steps: Step) -> None:
        super().__init__(*steps)
        self.noted = noted

    async def open(self, request, opening):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as the base
        """Note it."""
        self.noted.append(opening.is_last_resort)
        return await super().open(request, opening)


def test_the_last_resort_is_the_very_last() -> None:
    """Of nested fallbacks too, and at each retry of the whole."""
    noted: list[bool] = []
    inner = Fallback(Witness(noted, ServerError), Witness(noted, ServerError))
    outer = Fallback(inner, Witness(noted, ServerError))
    with pytest.raises(ServerError):
        Retry(outer, retries=1, backoff=Backoff(base=0)).sync_generate("hi")
    assert noted == [False, False, True] * 2


def test_it_is_told_anew_after_a_failure_that_ended_it_early() -> None:
    """An error that isn't the next one's to serve leaves nothing behind."""
    noted: list[bool] = []
    fallback = Fallback(Witness(noted, ServerError), named("b"), on=[])
    breaker = Retry(Fallback(named("x", ServerError), fallback), backoff=Backoff(base=0))
    with pytest.raises(ServerError):
        breaker.sync_generate("hi")
    assert noted == [False] * 3


def test_closing_one_that_failed_leaves_the_answer_alone() -> None:
    """The stream is another's by then; closing that one cuts it."""

    async def main() -> str:
        first = named("a", ServerError)
        second = named("b", Delta("b"), sleep(1), Delta("c"), sleep(1), Finish())
        stream = Fallback(first, second).generate_stream("hi")
        await anext(stream)
        first.close()
        text = (await anext(stream)).text
        second.close()
        with pytest.raises(ClientClosedError):
            await anext(stream)
        return text

    assert run_virtually(main()) == "bc"


def test_observers_are_told_of_each_attempt_once() -> None:
    """One that several clients have hears of a call once."""
    events: list[Event] = []
    observer = events.append
    clients = named("a", ServerError), named("b")
    for client in clients:
        client.observers = (observer,)
    Fallback(*clients).sync_generate("hi")
    kinds = [type(event) for event in events]
    assert (kinds.count(CallStarted), kinds.count(AttemptFailed)) == (1, 1)
    assert (events[0].backend, events[-1].backend) == ("a", "b")


def test_outputs_with_attempts_pickle_and_print() -> None:
    """They hold errors, and no way back to the answer."""
    final = Fallback(named("a", ServerError), named("b")).sync_generate("hi")
    again = pickle.loads(pickle.dumps(final))  # noqa: S301  # our own
    assert (again.text, again.served_by, len(again.attempts)) == ("b", "b:scripted", 1)
    assert "ServerError" in repr(final)


@pytest.mark.parametrize("fails", [False, True])
def test_no_cycles_are_left(fails: bool) -> None:
    """What a call was made of goes with its last reference."""

    async def main() -> int:
        last = (ServerError,) if fails else (Delta("b"), Finish())
        fallback = Fallback(named("a", ServerError), named("b", *last))

        async def ask() -> None:
            with contextlib.suppress(ServerError):
                await fallback.generate("hi")

        await ask()
        gc.collect()
        gc.disable()
        try:
            await ask()
            return gc.collect()
        finally:
            gc.enable()

    assert asyncio.run(main()) == 0


class TestPool:
    def test_it_takes_turns(self) -> None:
        """Each call begins with the next one."""
        pool = Pool(named("a"), named("b"), named("c"))
        assert [pool.sync_generate("hi").text for _ in range(7)] == [*"abcabca"]

    def test_a_sick_one_is_stood_in_for(self) -> None:
        """By the one after it, in turn."""
        pool = Pool(named("a"), named("b", ServerError), named("c"))
        assert [pool.sync_generate("hi").text for _ in range(4)] == [*"acca"]

    def test_each_is_asked_once_at_the_most(self) -> None:
        """Where all are sick the call fails."""
        clients = [named(name, ServerError) for name in "abc"]
        pool = Pool(*clients)
        with pytest.raises(ServerError):
            pool.sync_generate("hi")
        assert [len(each.calls) for each in clients] == [1, 1, 1]

    def test_threads_share_the_turns(self) -> None:
        """Eight threads, 80 calls, 20 for each of four: none gets more than its share."""
        clients = [named(name, kind=BlockingScripted) for name in "abcd"]
        pool = Pool(*clients)

        def ask() -> None:
            for _ in range(10):
                pool.sync_generate("hi")

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(each.calls) for each in clients] == [20] * 4
        pool.close()

    def test_breakers_keep_the_last_one_in(self) -> None:
        """All of them open: one is asked all the same."""
        clients: list[ProxyLLMClient] = [Breaker(named(name, ServerError)) for name in "ab"]
        pool = Pool(*clients)
        for _ in range(20):
            with pytest.raises(ServerError):
                pool.sync_generate("hi")


def test_somebody_must_be_asked() -> None:
    """A fallback of nobody can't be."""
    with pytest.raises(WrongUseError):
        Fallback()


def test_turns_of_a_retry_within() -> None:
    """A retry around one, and a fallback around both: all attempts in one list."""
    first = AsyncTurns([ServerError], params=ProxyModelParameters(proxyllm_backend="a"))
    fallback = Fallback(Retry(first, retries=1, backoff=Backoff(base=0)), named("b"))
    final = fallback.sync_generate("hi")
    assert (final.text, len(final.attempts), final.served_by) == ("b", 2, "b:scripted")


def test_a_pool_asks_all_for_the_model_that_is_asked_for() -> None:
    """They have the same ones, also where they don't tell: a service may have more than it names.

    A fallback asks another one for its own.
    """
    models = {}
    for kind in (Pool, Fallback):
        clients = [named("a", ServerError), named("b")]
        asking = kind(*clients)
        for _ in range(2):
            asking.sync_generate(ModelRequest(messages="hi", model="big"))
        models[kind] = [each.model for client in clients for each in client.requests]
    assert models == {Pool: ["big"] * 3, Fallback: ["big", "big", "scripted", "scripted"]}


@pytest.mark.parametrize("on", ["ServerError", ServerError, ["x"], [KeyError], 5], ids=repr)
@pytest.mark.parametrize("kind", [Fallback, Pool])
def test_what_are_no_kinds_of_errors_is_refused_at_once(kind: type[Fallback], on: object) -> None:
    """Rather than by the first call that fails."""
    with pytest.raises(ValueError, match="on is a list of kinds of ProxyLLMError"):
        kind(named("a"), on=on)  # type: ignore[arg-type]  # on purpose


def opened() -> Circuit:
    """A circuit that is open."""
    circuit = Circuit(CircuitLimits(failures=1), now=lambda: 0.0)
    circuit.failed(object())
    return circuit


def full() -> Slots:
    """Room for one that is taken, and nobody may wait."""
    slots = Slots(1, queue=0)
    slots.take()
    return slots


class Refusing(Policy):
    """A limit of one's own."""

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Not today."""
        raise LocalLimitError("not today")


SKIPPED: dict[str, Callable[[ProxyLLMClient], Policy]] = {
    "circuit": lambda client: Breaker(client, circuit=opened()),
    "queue": lambda client: ConcurrencyLimit(client, full()),
    "own": Refusing,
    "own, within": lambda client: Retry(Refusing(client)),
}


@pytest.mark.parametrize("skip", SKIPPED.values(), ids=SKIPPED.keys())
@pytest.mark.parametrize("model", [None, "large"])
def test_who_was_skipped_is_named(
    skip: Callable[[ProxyLLMClient], Policy], model: str | None
) -> None:
    """By the limits of this side; observers hear first that the call began."""
    events: list[Event] = []
    first = named("a")
    first.model_names = ("small", "large")
    first.observers = (events.append,)
    with Fallback(skip(first), named("b")) as client:
        output = client.sync_generate(ModelRequest(messages="hi", model=model))
    (failed,) = output.attempts
    assert isinstance(failed, FailedAttempt)
    expected = ("a", model or "small")
    assert expected == (failed.backend, failed.model)
    assert expected == (failed.error.backend, failed.error.model)
    kinds = [type(event) for event in events]
    assert kinds == [CallStarted, AttemptFailed, FirstDelta, CallFinished]
    assert [expected] * 2 == [(each.backend, each.model) for each in events[:2]]
    assert {(each.backend, each.model) for each in events[2:]} == {("b", "scripted")}


class Forgetful(AsyncScripted):
    """One whose secret can't be had any more when it is looked for in an error."""

    def _begin(self, request: ModelRequest, call: Call) -> Sequence[Step]:
        call.conceal(Secret(self._gone))
        return super()._begin(request, call)

    def _gone(self) -> str:
        raise ServerError("whoever keeps it is out")


def test_one_that_fails_once_more_as_it_ends_is_named() -> None:
    """What goes wrong while an attempt is ended is its own, too."""
    first = Forgetful(OverloadedError)
    first.backend = "a"
    (failed,) = Fallback(first, named("b")).sync_generate("hi").attempts
    assert isinstance(failed, FailedAttempt)
    assert isinstance(failed.error, ServerError)
    told = (failed.backend, failed.model, failed.error.backend, failed.error.model)
    assert told == ("a", "scripted", "a", "scripted")


def test_the_second_one_that_is_skipped_is_named() -> None:
    """And not the one before, whom the answer had been expected of."""
    events: list[Event] = []
    first, second = named("a", ServerError), named("b")
    first.observers = (events.append,)
    clients = first, Breaker(second, circuit=opened()), named("c")
    attempts = Fallback(*clients).sync_generate("hi").attempts
    told = [event for event in events if isinstance(event, AttemptFailed)]
    for each in (attempts, told):
        assert [(it.backend, it.model) for it in each] == [("a", "scripted"), ("b", "scripted")]  # type: ignore[attr-defined]  # all have them
