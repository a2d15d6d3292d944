"""What clients of one target share, and with whom they don't."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest

from modelplug import ProxyModelParameters, new_client
from modelplug.policies import Breaker, Circuit, Retry, RetryBudget
from modelplug.policies.targets import Targets

KEY = "key-0123456789abcdef"


def params(**changed: object) -> ProxyModelParameters:
    """Those of a client, with some of them changed."""
    given = {
        "proxyllm_backend": "acme:large",
        "proxy_api_base": "https://acme.example",
        "proxy_api_app_id": "app",
        "proxy_api_key": KEY,
        **changed,
    }
    return ProxyModelParameters.model_validate(given)


OTHERS = {
    "backend": {"proxyllm_backend": "other:large"},
    "distribution": {"proxyllm_backend": "acme@modelplug-acme-two:large"},
    "address": {"proxy_api_base": "https://eu.acme.example"},
    "version": {"proxy_api_version": "v2"},
    "type": {"proxy_api_type": "azure"},
    "app": {"proxy_api_app_id": "another"},
    "key": {"proxy_api_key": "key-another-0123456789"},
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_target_shares_nothing(other: str) -> None:
    """Neither its outages nor its retries are those of this one."""
    shared = Targets()
    budget, circuit = shared.budget(params()), shared.circuit(params())
    assert shared.budget(params(**OTHERS[other])) is not budget
    assert shared.circuit(params(**OTHERS[other])) is not circuit


def test_what_is_to_be_apart_shares_nothing() -> None:
    """Though all else is the same."""
    shared = Targets()
    budget, circuit = shared.budget(params(), 1), shared.circuit(params(), 1)
    assert (shared.budget(params(), 1), shared.circuit(params(), 1)) == (budget, circuit)
    for other in (None, 2):
        assert shared.budget(params(), other) is not budget
        assert shared.circuit(params(), other) is not circuit


def test_a_client_that_is_closed_holds_neither() -> None:
    """Who makes the next one begins anew, whoever still has the closed one."""
    config = "echo:closed?breaker=true&retries=1"

    def shared(client: object) -> list[object]:
        assert isinstance(client, Breaker)
        (retry,) = client.clients
        assert isinstance(retry, Retry)
        return [client.circuit, retry.budget]

    with new_client(config) as closed:
        before = shared(closed)
    gone = [weakref.ref(each) for each in before]
    del before
    gc.collect()
    assert [each() for each in gone] == [None, None]
    assert closed.backend == "echo"


def test_one_target_shares_all() -> None:
    """However its params came about, and whatever else they say."""
    shared = Targets()
    same = params(proxy_api_key=lambda: KEY, retries=7, concurrency=3)
    budget, circuit = shared.budget(params()), shared.circuit(params())
    assert (shared.budget(same), shared.circuit(same)) == (budget, circuit)


def test_models_have_circuits_of_their_own() -> None:
    """One may be down while the others answer; but the service is the same."""
    shared = Targets()
    small = params(proxyllm_backend="acme:small")
    budget, circuit = shared.budget(params()), shared.circuit(params())
    assert shared.budget(small) is budget
    assert shared.circuit(small) is not circuit


def test_what_nobody_uses_any_more_is_gone() -> None:
    """Targets come and go, and the process keeps none."""
    shared = Targets()
    budget = weakref.ref(shared.budget(params()))
    circuit = weakref.ref(shared.circuit(params()))
    gc.collect()
    assert (budget(), circuit()) == (None, None)


def test_threads_get_the_same() -> None:
    """Whoever comes first."""
    shared = Targets()
    together = threading.Barrier(8)
    got: list[RetryBudget | Circuit] = []

    def ask() -> None:
        together.wait()
        got.extend((shared.budget(params()), shared.circuit(params())))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(set(map(id, got)))) == (16, 2)


def test_no_key_is_kept() -> None:
    """What stands for it differs from object to object, and so says nothing of it."""
    one, other = Targets(), Targets()
    kept = [each.budget(params()) for each in (one, other)]
    (first,), (second,) = one._budgets, other._budgets
    assert (len(kept), len(first)) == (2, 64)
    assert first != second
    assert KEY.encode() not in first


def test_clients_of_one_config_string_share_them() -> None:
    """What one of them learns of an outage, the other knows."""
    text = "echo:shared?retries=1&breaker=true"
    with new_client(text) as one, new_client(text) as other:
        assert isinstance(one, Breaker)
        assert isinstance(other, Breaker)
        assert one.circuit is other.circuit
        first, second = one.clients[0], other.clients[0]
        assert isinstance(first, Retry)
        assert isinstance(second, Retry)
        assert first.budget is second.budget


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_begins_anew() -> None:
    """Another thread of its parent may just have held the lock, which nobody gives back there."""
    script = """
import os, sys
from modelplug import ProxyModelParameters
from modelplug.policies.targets import targets
params = ProxyModelParameters(proxyllm_backend="acme")
mine = targets()
assert targets() is mine
with mine._lock:
    child = os.fork()
    if child == 0:
        os._exit(0 if targets().budget(params).left == 100 else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=30, check=False)
    assert done.returncode == 0
