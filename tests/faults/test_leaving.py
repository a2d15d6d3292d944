"""Rows 70, 71 and 75: at the end of an answer, or before it; then a call is answered."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine

import pytest

from modelplug import ClientClosedError, Finish, ModelStream, ProxyLLMClient
from modelplug.testing import Gate, Silence
from modelplug.testing.upstream import Upstream
from tests.faults.asking import Way, answered, asked, every_way
from tests.faults.carriers import ALL, REMOTE, Carrier, over
from tests.faults.cases import is_answered
from tests.faults.servers import Server, gone


@pytest.mark.fault(70)
@every_way
@over(*REMOTE)
def test_the_end_of_an_answer_is_not_waited_for(carrier: Carrier, way: Way) -> None:
    """A service that never says goodbye costs its client nothing."""
    with Server(carrier.saying("Hello", Finish()), carrier.answer) as server:
        client = carrier.client(server)
        assert answered(client, way) == "Hello"
        assert server.wait_gone()
        assert answered(client, way) == "fine"


@pytest.mark.fault(70)
@every_way
@over("library", "blocking library")
def test_a_library_is_let_go_after_its_end(carrier: Carrier, service: Upstream, way: Way) -> None:
    """Though it might go on."""
    client = carrier.client(service)
    service.play("Hello", Finish(), Silence())
    assert answered(client, way) == "Hello"
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, way)


async def _cancelled(reading: Coroutine[object, object, object], begun: threading.Event) -> None:
    task = asyncio.create_task(reading)
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def _read(stream: ModelStream) -> None:
    async for _ in stream:
        pass


def cancel_stream(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Cancel the task that reads."""
    asyncio.run(_cancelled(_read(client.generate_stream(asked())), begun))


def cancel_call(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Cancel the task that waits for the whole."""
    asyncio.run(_cancelled(client.generate(asked()), begun))


def close_stream(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Close what a thread reads."""
    with client.sync_generate_stream(asked()) as stream:
        next(stream)


def close_client(client: ProxyLLMClient, begun: threading.Event) -> None:
    """Close the client under a thread that waits for the whole."""

    def close() -> None:
        begun.wait(30)
        client.close()

    closing = threading.Thread(target=close)
    closing.start()
    with pytest.raises(ClientClosedError):
        client.sync_generate(asked())
    closing.join()


LEAVING = {
    "async stream": cancel_stream,
    "async": cancel_call,
    "sync stream": close_stream,
    "sync": close_client,
}


@pytest.mark.fault(71)
@over(*REMOTE)
@pytest.mark.parametrize("way", LEAVING.values(), ids=LEAVING)
def test_leaving_waits_for_nobody(
    carrier: Carrier, way: Callable[[ProxyLLMClient, threading.Event], None]
) -> None:
    """The service sees its client go, though it says nothing to that."""
    begun = threading.Event()

    def ignore(connection: socket.socket) -> None:
        begun.set()
        gone(connection)

    with Server(carrier.saying("Hel", then=ignore), carrier.answer) as server:
        client = carrier.client(server)
        way(client, begun)
        assert server.wait_gone()
        again = carrier.client(server) if way is close_client else client
        assert again.sync_generate(asked()).text == "fine"


@pytest.mark.fault(75)
@over(*ALL)
@pytest.mark.parametrize("way", ["async stream", "async"])
def test_a_timeout_of_the_callers_own(carrier: Carrier, service: Upstream, way: str) -> None:
    """It is a TimeoutError there, and none of ours; what was asked is let go."""
    gate = f"75 {carrier.name} {way}"
    service.play("Hel", Gate(gate), Silence())
    client = carrier.client(service)

    async def main() -> None:
        async with asyncio.timeout(None) as limit:
            begun = asyncio.create_task(asyncio.to_thread(service.wait_reached, gate))
            begun.add_done_callback(lambda _: limit.reschedule(0))
            if way == "async":
                await client.generate(asked())
            else:
                await _read(client.generate_stream(asked()))

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(main())
    assert type(caught.value) is TimeoutError
    assert service.exchanges[-1].wait_gone()
    service.play("fine", Finish())
    assert client.sync_generate(asked()).text == "fine"
