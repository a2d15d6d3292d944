"""The policies that a configuration asks for."""

from __future__ import annotations

import sys
import traceback

import pytest

from modelplug import ConfigError, Delta, Finish, MissingDependencyError, ProxyModelParameters
from modelplug.policies import Breaker, ConcurrencyLimit, Policy, Retry
from modelplug.policies.configured import with_policies
from modelplug.policies.rate import RateLimit
from modelplug.policies.sharedrate import SharedGate
from tests.support.leaks import our_locals
from tests.support.redis import redis_server
from tests.support.scripted import AsyncScripted

PASSWORD = "pass-0123456789abcdef"


def wrapped(**asked: object) -> list[type]:
    """What is around a client, outermost first."""
    client = AsyncScripted(Delta("a"), Finish())
    around = with_policies(client, ProxyModelParameters.model_validate(asked))
    assert around.sync_generate("hi").text == "a"
    kinds = []
    while isinstance(around, Policy):
        kinds.append(type(around))
        around = around.clients[0]
    assert around is client
    return kinds


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ({}, []),
        ({"retries": 0}, []),
        ({"retries": 1}, [Retry]),
        ({"breaker": True}, [Breaker]),
        ({"concurrency": 1}, [ConcurrencyLimit]),
        ({"requests_per_minute": 60}, [RateLimit]),
        ({"tokens_per_minute": 60000}, [RateLimit]),
        (
            {"retries": 1, "breaker": True, "concurrency": 2, "requests_per_minute": 60},
            [Breaker, Retry, RateLimit, ConcurrencyLimit],
        ),
    ],
)
def test_what_is_asked_for_is_around_it(asked: dict[str, object], kinds: list[type]) -> None:
    """In the order in which they belong, whatever the order in which they were named."""
    assert wrapped(**asked) == kinds
    assert wrapped(**dict(reversed(asked.items()))) == kinds


def test_numbers_reach_the_policies() -> None:
    """As they were given."""
    params = ProxyModelParameters(retries=7, concurrency=3)
    around = with_policies(AsyncScripted(Finish()), params)
    assert isinstance(around, Retry)
    (limit,) = around.clients
    assert isinstance(limit, ConcurrencyLimit)
    assert (around.retries, limit.slots.limit) == (7, 3)


def test_a_burst_is_that_of_the_rate_of_calls() -> None:
    """Of this process, or of all; tokens have that of their minute."""
    for address in ({}, {"redis_url": "redis://127.0.0.1:1/0"}):
        asked = {"requests_per_minute": 120, "burst": 2, "tokens_per_minute": 900, **address}
        around = with_policies(AsyncScripted(), ProxyModelParameters.model_validate(asked))
        assert isinstance(around, RateLimit)
        gates = [around._requests, around._tokens]
        assert [gate.burst for gate in gates if gate is not None] == [2, 900]


def test_a_shared_rate_is_kept_under_the_account_s_name() -> None:
    """Two clients of one key share it, another key has its own; Redis never sees a key."""
    with redis_server() as server:

        def call(key: str) -> None:
            params = ProxyModelParameters(
                proxyllm_backend="acme",
                proxy_api_key=key,
                requests_per_minute=60,
                tokens_per_minute=60000,
                redis_url=server.url,
            )
            around = with_policies(AsyncScripted(Delta("a"), Finish(), params=params), params)
            assert around.sync_generate("hi").text == "a"

        for key in ("key-one-0123456789", "key-one-0123456789", "key-two-0123456789"):
            call(key)
        with server.client() as client:
            keys = [bytes(key).decode() for key in client.keys("*")]
    assert sorted(key.rpartition(":")[2] for key in keys) == ["requests"] * 2 + ["tokens"] * 2
    assert not [key for key in keys if "0123456789" in key]
    assert all(key.startswith("modelplug:rate:acme:") for key in keys)


def test_both_rates_are_kept_by_one_client_of_redis() -> None:
    """Which goes with them."""
    params = ProxyModelParameters(
        requests_per_minute=60, tokens_per_minute=60, redis_url="redis://127.0.0.1:1/0"
    )
    around = with_policies(AsyncScripted(Finish()), params)
    assert isinstance(around, RateLimit)
    requests, tokens = around._requests, around._tokens
    assert isinstance(requests, SharedGate)
    assert isinstance(tokens, SharedGate)
    assert (requests._redis, requests._closes, tokens._closes) == (tokens._redis, True, True)


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{PASSWORD}@x",
        f"redis://:{PASSWORD}@x:port/0",
        "x",
        f"redis://:{PASSWORD}@x/0?foo=1",
        f"redis://:{PASSWORD}@h..st/0",
    ],
)
def test_an_address_that_is_none_is_refused_unseen(url: str) -> None:
    """Neither the error nor its frames show it."""
    params = ProxyModelParameters(requests_per_minute=60, redis_url=url)
    with pytest.raises(ConfigError, match="redis_url is no address of a Redis") as caught:
        with_policies(AsyncScripted(Finish()), params)
    told = "".join(traceback.format_exception(caught.value)) + our_locals(caught.value)
    assert PASSWORD not in told
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("module", "library", "asked"),
    [
        ("rate", "pyrate_limiter", {"requests_per_minute": 60}),
        ("sharedrate", "redis", {"requests_per_minute": 60, "redis_url": "redis://x"}),
    ],
)
def test_a_library_that_is_missing_is_named(
    module: str, library: str, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to install; without it there is no client that goes unlimited."""
    monkeypatch.delitem(sys.modules, f"modelplug.policies.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match="missing"):
        with_policies(AsyncScripted(Finish()), ProxyModelParameters.model_validate(asked))
