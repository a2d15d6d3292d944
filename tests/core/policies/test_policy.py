"""What all policies have in common: they are clients."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable

import pytest

from modelplug import (
    Capabilities,
    ClientClosedError,
    Delta,
    Finish,
    ModelRequest,
    ProxyLLMClient,
    ProxyModelParameters,
    Timeouts,
    WrongUseError,
)
from modelplug.call import Call
from modelplug.policies import Breaker, ConcurrencyLimit, Fallback, Policy, Pool, Retry
from modelplug.policies.rate import LocalGate, RateLimit
from tests.support.scripted import DIRECTIONS, Ask, AsyncScripted, BlockingScripted, ScriptedClient

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
