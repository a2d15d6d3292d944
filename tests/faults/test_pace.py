"""Rows 81 and 82: readers and services that are not as fast as each other."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest

from modelplug import CallFinished, Finish, Timeouts
from modelplug.testing.upstream import Upstream
from tests.faults.asking import asked
from tests.faults.carriers import ALL, REMOTE, Carrier, over
from tests.faults.cases import IDLE
from tests.faults.leaps import drifting
from tests.faults.servers import Server

streams = pytest.mark.parametrize("way", ["async stream", "sync stream"])


@over(*ALL)
@pytest.mark.fault(81)
@streams
def test_a_slow_reader_is_not_blamed(carrier: Carrier, service: Upstream, way: str) -> None:
    """It may take longer over a piece than the service may."""
    service.play("a", "b", Finish())
    client, texts = carrier.client(service), []
    is_over = threading.Event()
    client.observers = (lambda event: is_over.set() if type(event) is CallFinished else None,)

    async def main(leap: Callable[[float], None]) -> None:
        async for output in client.generate_stream(asked(Timeouts())):
            texts.append(output.text)
            leap(IDLE)

    with drifting() as leap:
        if way == "async stream":
            asyncio.run(main(leap))
        else:
            for output in client.sync_generate_stream(asked(Timeouts())):
                texts.append(output.text)
                assert is_over.wait(30)  # nobody waits for the service, the answer for its reader
                leap(IDLE)
    assert texts == ["a", "ab", "ab"]


@over(*REMOTE)
@pytest.mark.fault(82)
@streams
def test_a_service_that_floods(carrier: Carrier, way: str) -> None:
    """It is held back: what waits for the reader is bounded, whatever the service has."""
    sent = [0]
    hundred = carrier.framed(*["x" * 50_000] * 100)

    def flood(connection: socket.socket) -> None:
        for _ in range(40):
            connection.sendall(hundred)
            sent[0] += len(hundred)

    def held_back() -> int:
        before = -1
        while before != sent[0]:
            before = sent[0]
            threading.Event().wait(0.5)
        return before

    with Server(carrier.saying(then=flood), carrier.answer) as server:
        client = carrier.client(server)

        async def main() -> int:
            async with client.generate_stream(asked()) as stream:
                await anext(stream)
                return await asyncio.to_thread(held_back)

        if way == "async stream":
            waiting = asyncio.run(main())
        else:
            with client.sync_generate_stream(asked()) as stream:
                next(stream)
                waiting = held_back()
        assert waiting < 100_000_000  # of 200
        assert client.sync_generate(asked()).text == "fine"
