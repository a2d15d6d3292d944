"""How many connections to one place are opened at once."""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from contextlib import AsyncExitStack

import pytest

from modelplug.call import Call
from modelplug.errors import ConnectionLostError, HandshakeError
from modelplug.transport import Endpoint, gate
from modelplug.transport.gate import AT_ONCE, Turn, gate_to
from modelplug.transport.websocket import WebSocket, connect
from tests.core.transport.peers import Handler, Peer, accept, answering, silence, turns, until

PLACE = Endpoint(scheme="ws", host="127.0.0.1", port=80)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's time runs out while a test looks at who is in."""
    monkeypatch.setattr(gate, "HELD_SECONDS", 3600)


async def opened(
    call: Call, endpoint: Endpoint, rooms: AsyncExitStack, message: str | None = None
) -> WebSocket:
    """A WebSocket that stays open until the stack is left."""
    return await rooms.enter_async_context(connect(endpoint, call=call, message=message))


@pytest.mark.usefixtures("held")
async def test_the_next_gets_in_when_one_leaves_in_the_order_of_coming() -> None:
    """So many are in at once, and nobody overtakes."""
    async with AsyncExitStack() as inside:
        for _ in range(AT_ONCE):
            await inside.enter_async_context(Turn(PLACE))
        entered: list[int] = []

        async def enter(number: int) -> None:
            async with Turn(PLACE):
                entered.append(number)

        waiting = [asyncio.ensure_future(enter(number)) for number in range(3)]
        await turns(5)
        assert entered == []
    await asyncio.gather(*waiting)
    assert entered == [0, 1, 2]


@pytest.mark.usefixtures("held")
async def test_a_place_that_is_full_keeps_nobody_from_another() -> None:
    """The gate is that of a host's port; paths and schemes share it."""
    async with AsyncExitStack() as inside:
        for _ in range(AT_ONCE):
            await inside.enter_async_context(Turn(PLACE))
        full = gate_to(PLACE.with_path("/other")).is_full
        other = gate_to(Endpoint(scheme="ws", host="127.0.0.1", port=81)).is_full
    assert (full, other) == (True, False)


async def test_a_gate_that_nobody_uses_is_forgotten() -> None:
    """No list of all places ever connected to is kept, and no event loop by it."""
    gate = weakref.ref(gate_to(PLACE))
    gc.collect()
    assert gate() is None


@pytest.mark.usefixtures("held")
def test_each_loop_has_a_gate_of_its_own() -> None:
    """What one loop's calls wait for is no other loop's business."""

    async def fill(inside: AsyncExitStack) -> bool:
        was_full = gate_to(PLACE).is_full
        for _ in range(AT_ONCE):
            await inside.enter_async_context(Turn(PLACE))
        return was_full

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    rooms = [AsyncExitStack(), AsyncExitStack()]
    try:
        full = [
            loop.run_until_complete(fill(room))
            for loop, room in zip((first, second), rooms, strict=True)
        ]
        assert full == [False, False]
    finally:
        for loop, room in zip((first, second), rooms, strict=True):
            loop.run_until_complete(room.aclose())
            loop.close()


def agreeing_after(answer: asyncio.Event) -> Handler:
    """A peer that agrees to a WebSocket when it is told to, and says no more."""

    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer.wait()
        await accept(reader, writer)
        await silence(reader, writer)

    return agree


@pytest.mark.usefixtures("held")
async def test_a_handshake_holds_its_place_until_it_is_answered() -> None:
    """The call behind isn't connecting yet, so no clock of connecting runs for it."""
    answer = asyncio.Event()
    async with Peer(agreeing_after(answer)) as peer, AsyncExitStack() as rooms:
        calls = [Call() for _ in range(AT_ONCE + 1)]
        opening = [asyncio.ensure_future(opened(call, peer.endpoint, rooms)) for call in calls]
        await until(lambda: {"open"} == {call.phase for call in calls[:AT_ONCE]})
        assert calls[-1].phase == "start"
        answer.set()
        await asyncio.gather(*opening)
        assert {"open"} == {call.phase for call in calls}


@pytest.mark.usefixtures("held")
async def test_one_that_asks_ahead_holds_its_place_until_it_is_answered() -> None:
    """Its block begins before that; and its place is free before the block ends."""
    answer = asyncio.Event()
    async with Peer(agreeing_after(answer)) as peer, AsyncExitStack() as rooms:
        calls = [Call() for _ in range(AT_ONCE + 1)]
        first = [opened(call, peer.endpoint, rooms, "question") for call in calls[:AT_ONCE]]
        await asyncio.gather(*first)
        assert gate_to(peer.endpoint).is_full
        last = asyncio.ensure_future(opened(calls[-1], peer.endpoint, rooms, "question"))
        await turns(5)
        assert calls[-1].phase == "start"
        answer.set()
        await last
        await until(lambda: {"sent"} == {call.phase for call in calls})
        assert not gate_to(peer.endpoint).is_full


async def test_one_that_is_refused_gives_its_place_back() -> None:
    """As the connection ends, and not as the block does."""
    async with Peer(answering(b"HTTP/1.1 503 No\r\n\r\n")) as peer, AsyncExitStack() as rooms:
        ws = await opened(Call(), peer.endpoint, rooms, "question")
        gate = weakref.ref(gate_to(peer.endpoint))
        with pytest.raises(HandshakeError):
            await ws.take()
        assert gate() is None


@pytest.mark.usefixtures("held")
async def test_one_that_is_cancelled_as_it_is_let_in_leaves_its_place_to_the_next() -> None:
    """It has its place before it runs again."""
    async with AsyncExitStack() as inside:
        first = Turn(PLACE)
        await first.begin()
        for _ in range(AT_ONCE - 1):
            await inside.enter_async_context(Turn(PLACE))
        second, third = Turn(PLACE), Turn(PLACE)
        waiting = [asyncio.ensure_future(turn.begin()) for turn in (second, third)]
        await turns(1)
        first.end()
        waiting[0].cancel()
        await waiting[1]
        assert waiting[0].cancelled()
        assert gate_to(PLACE).is_full
        third.end()
        third.end()
        assert not gate_to(PLACE).is_full


@pytest.mark.usefixtures("held")
async def test_one_that_is_aborted_or_cancelled_while_it_waits_connects_nowhere() -> None:
    """It leaves its place in the queue to the next."""
    async with Peer(silence) as peer, AsyncExitStack() as inside:
        for _ in range(AT_ONCE):
            await inside.enter_async_context(Turn(peer.endpoint))
        aborted, cancelled = Call(), Call()
        rooms = await inside.enter_async_context(AsyncExitStack())
        waiting = [
            asyncio.ensure_future(opened(call, peer.endpoint, rooms))
            for call in (aborted, cancelled)
        ]
        await turns(5)
        aborted.abort()
        waiting[1].cancel()
        with pytest.raises(ConnectionLostError):
            await waiting[0]
        with pytest.raises(asyncio.CancelledError):
            await waiting[1]
        await inside.aclose()
        assert peer.connections == 0
        assert not gate_to(peer.endpoint).is_full


def test_a_loop_that_is_dropped_unclosed_is_not_kept() -> None:
    """With calls that wait in the gate, which know it, and its timers."""

    async def enter(inside: AsyncExitStack) -> None:
        for _ in range(AT_ONCE):
            await inside.enter_async_context(Turn(PLACE))
        waiting = asyncio.ensure_future(Turn(PLACE).begin())
        await turns(1)
        assert not waiting.done()

    loop = asyncio.new_event_loop()
    kept = weakref.ref(loop)
    loop.run_until_complete(enter(AsyncExitStack()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it isn't closed, on purpose
        del loop
        gc.collect()
    assert kept() is None


async def test_a_place_that_does_not_answer_lets_others_in_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They fail by clocks of their own, and not by waiting for those before them."""
    monkeypatch.setattr(gate, "HELD_SECONDS", 0.001)
    async with Peer(silence) as peer, AsyncExitStack() as rooms:
        calls = [Call() for _ in range(AT_ONCE + 1)]
        opening = [asyncio.ensure_future(opened(call, peer.endpoint, rooms)) for call in calls]
        await until(lambda: calls[-1].phase == "open")
        assert not any(each.done() for each in opening)
        for call in calls:
            call.abort()
        ends = await asyncio.gather(*opening, return_exceptions=True)
        assert {ConnectionLostError} == {type(each) for each in ends}
        assert not gate_to(peer.endpoint).is_full
