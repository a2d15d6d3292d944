"""What all tests of faults have: nothing may be left open, and no secret comes out."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from modelplug import bridge, new_client
from modelplug.testing.upstream import Upstream
from modelplug.testing.websocket import WebSocketUpstream
from modelplug.transport import tls_context
from modelplug_spark.codec import SparkCodec
from tests.faults.carriers import CARRIERS, Carrier
from tests.faults.witness import Witness
from tests.support.spark import KEY, SECRET

_PATIENCE = 10.0
"""Seconds until what was let go must be gone; nothing is measured by it."""

_POOLS = ("modelplug-resolver", "asyncio_")
"""Threads of the resolver's pool and of the loop thread's own: a few, which stay."""


@pytest.fixture(scope="session", autouse=True)
def what_stays() -> None:
    """Have what a process keeps on purpose: the loop thread, the TLS context."""
    new_client("echo").sync_generate("hi")
    tls_context()


@pytest.fixture(autouse=True)
def no_secret_out(what_stays: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where anything that comes out of a test holds a secret in any form."""
    for name in {"capsys", "capfd"} & {*request.fixturenames}:
        request.getfixturevalue(name)  # replaces the streams that are listened to
    witness = Witness(KEY, SECRET)
    with witness.watching():
        yield
    found = witness.found()
    counts = {"searched": witness.searched, "forms": len(witness.canaries.forms())}
    request.node.user_properties += [*counts.items(), ("hits", len(found))]
    assert found == []


@pytest.fixture(autouse=True)
def nothing_left(what_stays: None, no_secret_out: None) -> Iterator[None]:
    """Fail where a test leaves a descriptor, a thread, or a task on the loop thread."""
    before = _held()
    yield
    until = time.monotonic() + _PATIENCE
    while (left := _held() - before) and time.monotonic() < until:
        threading.Event().wait(0.01)  # mostly it's a thread that is about to end
        if _held() - before:
            gc.collect()
    assert not left


def _held() -> Counter[str]:
    """Descriptors, threads but for those of lasting pools, and tasks of the loop thread."""
    threads = (each.name for each in threading.enumerate())
    held = Counter(name for name in threads if not name.startswith(_POOLS))
    held["descriptors"] = len(os.listdir("/dev/fd"))
    held["tasks"] = len(asyncio.all_tasks(bridge._process.loop_thread().loop))
    return held


@pytest.fixture(scope="module")
def spark() -> Iterator[WebSocketUpstream]:
    """One service for all tests of a module: each queues what is for it."""
    with WebSocketUpstream(SparkCodec()) as service:
        yield service


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, Upstream]]:
    """A service for each carrier, for all tests of a module."""
    with ExitStack() as stack:
        made = {name: each.wire(each.codec) for name, each in CARRIERS.items()}
        yield {name: stack.enter_context(service) for name, service in made.items()}


@pytest.fixture
def service(services: Mapping[str, Upstream], carrier: Carrier) -> Upstream:
    """The service of the carrier that a test is run over."""
    return services[carrier.name]
