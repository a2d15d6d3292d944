"""What all policies have in common: they are clients."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
from collections.abc import Callable, Sequence

import pytest

from modelplug import (
    CallFailed,
    CallStarted,
    Capabilities,
    ClientClosedError,
    Delta,
    Event,
    Finish,
    LifecycleError,
    MessageConverter,
    ModelMessage,
    ModelMetadata,
    ModelRequest,
    PluginContractError,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    ServerError,
    Timeouts,
    TotalTimeoutError,
    WrongUseError,
)
from modelplug.attempt import Attempt
from modelplug.call import Call
from modelplug.delta import DeltaStream, Pieces
from modelplug.opening import Opening
from modelplug.policies import Breaker, ConcurrencyLimit, Fallback, Policy, Pool, Retry
from modelplug.policies.rate import LocalGate, RateLimit
from tests.support.scripted import DIRECTIONS, Ask, AsyncScripted, BlockingScripted, ScriptedClient
from tests.support.virtual import run_virtually

POLICIES: dict[str, Callable[[ProxyLLMClient], Policy]] = {
    "Retry": Retry,
    "Breaker": Breaker,
    "ConcurrencyLimit": ConcurrencyLimit,
    "Fallback": Fallback,
    "Pool": Pool,
    "RateLimit": lambda client: RateLimit(
        client, requests=LocalGate(6000), tokens=LocalGate(60000)
    ),
    "all": lambda client: Fallback(Breaker(Retry(RateLimit(ConcurrencyLimit(client))))),
}

each_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())


@each_policy
@pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
@pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])
def test_it_is_asked_as_its_client_is(
    policy: Callable[[ProxyLLMClient], Policy], ask: Ask, kind: type[ScriptedClient]
) -> None:
    """The same answer, in every direction; each call twice, as the first may spoil the second."""
    client = kind(Delta("a"), [Delta("b"), Delta("c")], Finish("length"))
    around = policy(client)
    for _ in range(2):
        outputs = ask(around, "hi")
        assert (outputs[-1].text, outputs[-1].finish_reason) == ("abc", "length")
        if len(outputs) > 1:
            assert [each.delta for each in outputs] == ["a", "b", "c", ""]
    around.close()


@each_policy
def test_what_is_known_of_it_is_its_client_s(policy: Callable[[ProxyLLMClient], Policy]) -> None:
    """Models, capabilities, tokens, clocks, conversion and preview."""
    params = ProxyModelParameters(proxyllm_backend="acme", timeouts=Timeouts(total=7))
    client = AsyncScripted(
        Finish(), params=params, able=Capabilities(native=["streaming", "usage"])
    )
    around = policy(client)
    request = ModelRequest(messages="hi")
    assert (around.model_names, around.default_model, around.backend, around.params) == (
        client.model_names,
        client.default_model,
        "acme",
        params,
    )
    assert around.context_length == client.context_length
    assert around.capabilities("scripted") == client.capabilities("scripted")
    assert around.metadata("scripted") == client.metadata("scripted")
    assert around.timeouts_of(request).total == 7
    assert around.local_convert_message(request) == client.local_convert_message(request)
    assert around.foretell(request, Call(), on_unsupported="error") == client.foretell(
        request, Call(), on_unsupported="error"
    )

    async def counts() -> None:
        assert await around.models() == await client.models()
        assert await around.count_token("x", "hi") == await client.count_token("x", "hi")
        assert await around.count_tokens("hi") == await client.count_tokens("hi")

    asyncio.run(counts())


@each_policy
def test_closing_it_closes_its_clients(policy: Callable[[ProxyLLMClient], Policy]) -> None:
    """Twice does no harm, and nobody is asked afterwards."""
    client = AsyncScripted(Finish())
    around = policy(client)
    with around:
        around.close()
    for each in (around, client):
        with pytest.raises(ClientClosedError):
            each.sync_generate("hi")
    assert client.calls == []


@each_policy
def test_a_client_that_was_closed_within_is_told_of(
    policy: Callable[[ProxyLLMClient], Policy],
) -> None:
    """Nothing is tried again."""
    client = AsyncScripted(Finish())
    around = policy(client)
    client.close()
    with pytest.raises(ClientClosedError):
        around.sync_generate("hi")


@each_policy
def test_it_is_no_value(policy: Callable[[ProxyLLMClient], Policy]) -> None:
    """Neither pickled nor copied; its text names its clients."""
    around = policy(AsyncScripted(Finish()))
    assert "AsyncScripted" in repr(around)
    for act in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="can't be pickled or copied"):
            act(around)


def test_it_is_made_around_a_client() -> None:
    """Not from params."""
    with pytest.raises(WrongUseError, match="Retry is made around a client"):
        Retry.new_client(ProxyModelParameters())


def test_observers_needn_t_be_hashable_and_are_kept_apart() -> None:
    """Each once, though two may be equal."""

    class Equal:
        def __init__(self) -> None:
            self.told = 0

        def __call__(self, event: object) -> None:
            self.told += 1

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # as a list has none

    one, other = Equal(), Equal()
    clients = AsyncScripted(Finish()), AsyncScripted(Finish())
    clients[0].observers, clients[1].observers = (one,), (one, other)
    Fallback(*clients).sync_generate("hi")
    assert one.told == other.told == 2


def test_one_of_one_s_own_takes_a_method() -> None:
    """As the package's documentation shows it."""
    opened = []

    class Logged(Policy):
        async def open(self, request, opening):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # as documented
            attempt = await self.clients[0].open(request, opening)
            opened.append(attempt.call.answer.model)
            return attempt

    assert Logged(AsyncScripted(Delta("a"), Finish())).sync_generate("hi").text == "a"
    assert opened == ["scripted"]


@pytest.mark.parametrize("given", ["echo", [AsyncScripted()]], ids=["text", "list"])
def test_a_policy_is_made_around_clients(given: object) -> None:
    """A config string isn't one, nor is a list of them."""
    with pytest.raises(WrongUseError, match="around clients, not a ") as caught:
        Fallback(given)  # type: ignore[arg-type]
    assert "one by one" in str(caught.value.hint)


def around(opens: Callable[..., object], client: ProxyLLMClient | None = None) -> Policy:
    """A policy of one's own, called Mine, that opens as it is told."""
    mine = type("Mine", (Policy,), {"open": opens})
    policy: Policy = mine(client or AsyncScripted(Delta("a"), Finish()))
    return policy


async def forgets_return(self: Policy, request: ModelRequest, opening: Opening) -> None:
    """As one does."""
    await self.clients[0].open(request, opening)


async def forgets_await(self: Policy, request: ModelRequest, opening: Opening) -> object:
    """As one does."""
    return self.clients[0].open(request, opening)


async def has_a_bug(self: Policy, request: ModelRequest, opening: Opening) -> None:
    """Before anybody is asked."""
    raise RuntimeError("of its own")


async def fails_late(self: Policy, request: ModelRequest, opening: Opening) -> None:
    """Once the answer has begun."""
    await self.clients[0].open(request, opening)
    raise RuntimeError("of its own")


BUGS: dict[str, tuple[Callable[..., object], str]] = {
    "return": (forgets_return, "the policy Mine gave a NoneType where an Attempt belongs"),
    "await": (forgets_await, "the policy Mine gave a coroutine where an Attempt belongs"),
    "raises": (has_a_bug, "the policy Mine raised RuntimeError in open"),
    "late": (fails_late, "the policy Mine raised RuntimeError in open"),
}


@pytest.mark.parametrize("nested", [False, True], ids=["outermost", "within"])
@pytest.mark.parametrize(("opens", "told"), BUGS.values(), ids=BUGS.keys())
def test_a_bug_in_one_of_one_s_own_is_named(
    opens: Callable[..., object], told: str, nested: bool
) -> None:
    """Whatever is around it; observers hear that the call failed, and nothing is held on to."""
    events: list[Event] = []
    client = AsyncScripted(Delta("a"), Finish())
    client.observers = (events.append,)
    limited = ConcurrencyLimit(client, 1)
    policy = around(opens, limited)
    with pytest.raises(PluginContractError) as caught:
        (Fallback(Retry(policy)) if nested else policy).sync_generate("hi")
    assert told == caught.value.message
    assert [CallStarted, CallFailed] == [type(event) for event in events]
    assert limited.slots.taken == 0


def test_what_a_converter_raises_is_no_policy_s_fault() -> None:
    """It reaches the caller as it is."""

    class Mine(MessageConverter):
        def convert(
            self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
        ) -> Sequence[ModelMessage]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Retry(AsyncScripted(Finish())).sync_generate("hi", Mine())


async def sleeps_before(self: Policy, request: ModelRequest, opening: Opening) -> Attempt:
    """By itself."""
    await asyncio.sleep(60)
    return await self.clients[0].open(request, opening)


async def sleeps_between(self: Policy, request: ModelRequest, opening: Opening) -> Attempt:
    """After a wait that was under the clock."""
    await opening.pause(1)
    await asyncio.sleep(60)
    return await self.clients[0].open(request, opening)


async def sleeps_after(self: Policy, request: ModelRequest, opening: Opening) -> Attempt:
    """When the answer has begun."""
    attempt = await self.clients[0].open(request, opening)
    await asyncio.sleep(60)
    return attempt


async def swallows(self: Policy, request: ModelRequest, opening: Opening) -> Attempt:
    """What ends the call, and goes on."""
    with contextlib.suppress(ProxyLLMError):
        await opening.pause(60)
    await asyncio.sleep(60)
    return await self.clients[0].open(request, opening)


SLEEPERS = [sleeps_before, sleeps_between, sleeps_after, swallows]


@pytest.mark.parametrize("opens", SLEEPERS)
@pytest.mark.parametrize("nested", [False, True], ids=["outermost", "within"])
def test_the_deadline_ends_whatever_a_policy_does(
    opens: Callable[..., object], nested: bool
) -> None:
    """Also what it waits for by itself; what it held is given back."""

    async def main() -> tuple[float, int]:
        limited = ConcurrencyLimit(AsyncScripted(Delta("a"), Finish()), 1)
        mine = around(opens, limited)
        request = ModelRequest(messages="hi", timeout=3)
        with pytest.raises(TotalTimeoutError) as caught:
            await (Fallback(Retry(mine)) if nested else mine).generate(request)
        assert caught.value.limit == 3
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # this one
        return asyncio.get_running_loop().time(), limited.slots.taken

    assert run_virtually(main()) == (3, 0)


@pytest.mark.parametrize("opens", SLEEPERS)
@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
def test_leaving_ends_whatever_a_policy_does(opens: Callable[..., object], how: str) -> None:
    """At once, and with the right end."""

    async def main() -> tuple[object, float, int]:
        limited = ConcurrencyLimit(AsyncScripted(Delta("a"), Finish()), 1)
        mine = around(opens, limited)
        stream = mine.generate_stream("hi")
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(2)
        if how == "cancel":
            task.cancel()
        elif how == "aclose":
            await stream.aclose()
        else:
            await mine.aclose()
        (gone,) = await asyncio.gather(task, return_exceptions=True)
        return type(gone), asyncio.get_running_loop().time(), limited.slots.taken

    kinds = {"cancel": asyncio.CancelledError, "aclose": LifecycleError}
    assert run_virtually(main()) == (kinds.get(how, ClientClosedError), 2, 0)


class Untidy:
    """Pieces of one who fails, and then takes its time."""

    def __init__(self) -> None:
        self.cleaned_at = 0.0

    def __aiter__(self) -> Untidy:
        return self

    async def __anext__(self) -> Pieces:
        await asyncio.sleep(2.5)
        raise ServerError("x")

    async def aclose(self) -> None:
        """Clean up."""
        await asyncio.sleep(0.9)
        self.cleaned_at = asyncio.get_running_loop().time()


def test_a_clean_up_between_attempts_has_its_second() -> None:
    """The deadline that comes meanwhile doesn't cut it short, and ends the call after it."""
    untidy = Untidy()

    class Failing(AsyncScripted):
        def stream_deltas(self, *_: object) -> DeltaStream:  # type: ignore[override]  # no generator
            return untidy

    async def main() -> float:
        client = Fallback(Failing(Finish()), AsyncScripted(lambda: asyncio.sleep(60)))
        with pytest.raises(TotalTimeoutError):
            await client.generate(ModelRequest(messages="hi", timeout=3))
        return asyncio.get_running_loop().time()

    assert (run_virtually(main()), untidy.cleaned_at) == (3.4, 3.4)
