"""Rows 76 to 78, 86 and 92: what is dropped, forked or cut off; then a call is answered."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import pytest

from modelplug import (
    Finish,
    LifecycleError,
    ModelStream,
    ProxyLLMClient,
    SyncModelStream,
)
from modelplug.testing import Gate, Silence
from modelplug.testing.upstream import Upstream
from tests.faults.asking import WAYS, asked
from tests.faults.carriers import ALL, REMOTE, Carrier, over
from tests.faults.cases import is_answered

streams = pytest.mark.parametrize("way", ["async stream", "sync stream"])


@contextmanager
def told_to_be_dropped() -> Iterator[None]:
    """Expect the warning. Unlike pytest's own ways to, this keeps nothing of what was dropped."""
    told: list[str] = []

    def show(message: object, *_: object, **__: object) -> None:
        told.append(str(message))

    with warnings.catch_warnings(), patch.object(warnings, "showwarning", show):
        warnings.simplefilter("always", ResourceWarning)
        yield
    assert [each for each in told if "dropped before its end" in each]


@over(*ALL)
@pytest.mark.fault(76)
@streams
def test_a_stream_that_is_dropped(carrier: Carrier, service: Upstream, way: str) -> None:
    """It warns, and its socket goes while the app goes on."""
    service.play("Hel", Silence())
    client = carrier.client(service)

    async def main() -> None:
        await anext(client.generate_stream(asked()))
        gc.collect()
        assert await asyncio.to_thread(service.exchanges[-1].wait_gone)

    def main_of_a_thread() -> None:
        next(client.sync_generate_stream(asked()))
        gc.collect()

    dropped = partial(asyncio.run, main()) if way == "async stream" else main_of_a_thread
    with told_to_be_dropped():
        dropped()
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, WAYS[way])


@over(*ALL)
@pytest.mark.fault(77)
@streams
def test_a_stream_in_a_cycle(carrier: Carrier, service: Upstream, way: str) -> None:
    """It stays open until the collector comes, and no longer."""
    service.play("Hel", Silence())
    client = carrier.client(service)

    def drop(stream: ModelStream | SyncModelStream) -> None:
        stream.keep = stream  # type: ignore[union-attr]  # somebody's app does

    async def main() -> None:
        stream = client.generate_stream(asked())
        await anext(stream)
        drop(stream)
        del stream
        assert service.exchanges[-1].closed is None
        gc.collect()
        assert await asyncio.to_thread(service.exchanges[-1].wait_gone)

    def main_of_a_thread() -> None:
        stream = client.sync_generate_stream(asked())
        next(stream)
        drop(stream)
        del stream
        assert service.exchanges[-1].closed is None
        gc.collect()

    dropped = partial(asyncio.run, main()) if way == "async stream" else main_of_a_thread
    gc.disable()
    try:
        with told_to_be_dropped():
            dropped()
    finally:
        gc.enable()
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, WAYS[way])


async def _begun(client: ProxyLLMClient) -> ModelStream:
    stream = client.generate_stream(asked())
    await anext(stream)
    return stream


async def _next_of(stream: ModelStream) -> None:
    await anext(stream)


@over(*ALL)
@pytest.mark.fault(78, way="async stream")
def test_a_loop_that_ends_under_its_stream(carrier: Carrier, service: Upstream) -> None:
    """Nothing hangs; who reads on is told, and the client serves on another loop."""
    service.play("Hel", Silence())
    client = carrier.client(service)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        stream = asyncio.run(_begun(client))
        with pytest.raises(LifecycleError):
            asyncio.run(_next_of(stream))
        assert stream.partial.text == "Hel"
        del stream
        gc.collect()
    assert service.exchanges[-1].wait_gone()
    service.play("fine", Finish())
    assert asyncio.run(client.generate(asked())).text == "fine"


EXITS = {
    "async stream": """
async def main():
    kept.append(client.generate_stream("hi"))
    await anext(kept[0])
asyncio.run(main())
""",
    "async": """
async def main():
    stream = client.generate_stream("hi")
    kept.append(asyncio.create_task(stream.final()))
    while not stream.partial.text:
        await asyncio.sleep(0.005)
asyncio.run(main())
""",
    "sync stream": """
kept.append(client.sync_generate_stream("hi"))
next(kept[0])
""",
}
"""The ends of programs, in the middle of an answer."""


@over(*REMOTE)
@pytest.mark.fault(92)
@pytest.mark.parametrize("way", EXITS)
def test_the_interpreter_ends_amid_an_answer(carrier: Carrier, service: Upstream, way: str) -> None:
    """At once, quietly, and its socket goes."""
    service.play("Hel", Silence())
    script = f"""
import asyncio
from tests.faults.carriers import CARRIERS
client, kept = CARRIERS[{carrier.name!r}].client({service.url!r}), []
{EXITS[way]}
print("leaving")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=60, check=False, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")
    assert service.exchanges[-1].wait_gone()
    service.play("fine", Finish())
    assert carrier.client(service).sync_generate(asked()).text == "fine"


@over(*REMOTE)
@pytest.mark.fault(86, way="async stream")
@pytest.mark.fault(86, way="sync stream")
@pytest.mark.fault(86, way="async")
@pytest.mark.fault(86, way="sync")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forks_amid_an_answer(carrier: Carrier, service: Upstream) -> None:
    """A child is refused its parent's stream, and answered; the parent's goes on unharmed."""
    gate, seen = f"86 {carrier.name}", len(service.exchanges)
    service.play("Hel", Gate(gate), "lo", Finish())
    service.play("fine", Finish(), times=len(WAYS))  # the children's, who are quick
    script = f"""
import os
from modelplug import WrongUseError
from tests.faults.asking import WAYS, asked
from tests.faults.carriers import CARRIERS
client = CARRIERS[{carrier.name!r}].client({service.url!r})
stream = client.sync_generate_stream(asked())
next(stream)
for way in WAYS.values():
    child = os.fork()
    if child == 0:
        try:
            next(stream)
        except WrongUseError:
            os._exit(way(client, asked())[-1].text != "fine")
        os._exit(2)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
print([output.text for output in stream][-1])
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        assert service.wait_reached(gate, within=60)
        last = service.exchanges.wait(seen + len(WAYS), within=60)
        assert last.wait_gone(within=60)
        service.release(gate)
        assert run.communicate(timeout=60)[0].split() == [*"0000", "Hello"]
    is_answered(carrier.client(service), service, WAYS["sync"])
