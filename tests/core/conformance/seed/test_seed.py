"""The faults of DB-GPT 0.5's Spark client, each named by a check: an author would be told.

The old client has them all at once, and some hide others: nobody sees what a question holds that
the service can't read. So there are versions with fewer, as an author would get who mends what is
told and runs the kit again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from modelplug.registry import registry
from tests.core.conformance.seed.plugin import CLIENTS
from tests.support.dists import install, on_path

PLUGIN = "from tests.core.conformance.seed.plugin import modelplug_backend"


class Fault(NamedTuple):
    """A fault, the check that names it, what it says, and of which version of the client."""

    fault: str
    check: str
    says: str
    backend: str = "seed"


FAULTS = [
    Fault("one output instead of a stream", "STR-01", "while the service held the second"),
    Fault("one output, and no deltas", "STR-02", "the sums of the deltas"),
    Fault("header.code never read", "ERR-02", "the call neither failed nor ended in time"),
    Fault("errors returned inside a generator", "FLT-05", "but the call ended without any output"),
    Fault("errors returned, so that generate gives None", "FLT-05", "the call ended with None"),
    Fault("an answer that just stops is lost", "FLT-01", "but the call ended without any output"),
    Fault("no time-out", "TMO-02", "expected FirstDeltaTimeoutError"),
    Fault("every frame printed", "SEC-05", 'something was printed: "a frame:'),
    Fault("ws:// with keys", "CFG-07", "a call in the clear to another machine", "seed-sparing"),
    Fault("domain: null, where calls are told apart", "LIF-16", "the answer to one of many"),
    Fault("domain: null with a custom base", "GEN-09", "got `null` - at `$.parameter.chat.domain`"),
    Fault("a retired model for unknown versions", "MOD-06", "asked 'generalv2'", "seed-sparing"),
    Fault("null for unset values", "FEA-05", "chat.max_tokens", "seed-with-domain"),
    Fault("null for unset values", "FEA-04", "chat.temperature", "seed-with-domain"),
    Fault("a converter that always raises", "GEN-07", "TypeError: 'method' object is not"),
    Fault("a class-level model cache", "MOD-03", "the other client's models don't have"),
    Fault("a class-level model cache", "MOD-04", "models() after its list was emptied"),
    Fault("@cache on methods", "LIF-09", "a client lives on after it was closed and dropped"),
    Fault("an executor per client", "LIF-07", "async: what the process holds after ten clients"),
    Fault(
        "a web framework",
        "GEN-01",
        "async-stream: the plugin raised ModuleNotFoundError",
        "seed-on-a-framework",
    ),
    Fault("token counting on the network", "TOK-03", "['socket.connect', 'socket.getaddrinfo']"),
    Fault("token counting that raises", "TOK-01", "the plugin raised ValueError"),
    Fault("history trimmed by characters", "FEA-09", "of 201 turns were sent", "seed-sparing"),
]

CHECKS = {check.id: check for check in all_checks()}


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A distribution that brings them all."""
    folder = tmp_path_factory.mktemp("site")
    module = "conformance_seed"
    backends = dict.fromkeys(CLIENTS, module)
    install(folder, dist="modelplug-seed", module=module, source=PLUGIN, backends=backends)
    registry.cache_clear()
    with on_path(folder):
        yield
    registry.cache_clear()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}-{fault.fault}")
def test_a_fault_is_named(fault: Fault) -> None:
    """By the check whose rule it breaks, in words that say what is wrong."""
    report = run(Subject.of(fault.backend), [CHECKS[fault.check]], quantum=0.05)
    told = [f"{each.direction}: {each.told}" for each in report.cells if each.verdict == "fail"]
    assert any(fault.says in each for each in told), told
    assert "harness" not in {each.verdict for each in report.cells}, "its author isn't to blame"
