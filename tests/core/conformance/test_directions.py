"""The four ways to ask, driven from outside."""

from __future__ import annotations

import threading

import pytest

from modelplug.conformance.directions import ALL, STREAMS, Direction, DirectionName, Loop, within
from modelplug.testing import Gate, ScriptedClient


@pytest.mark.parametrize("name", ALL)
def test_each_way_gives_the_same_answer(name: DirectionName) -> None:
    """All outputs where it comes in pieces, else the one."""
    with Loop.running() as loop:
        direction = Direction(name, loop)
        outputs = direction.ask(ScriptedClient("one two"), "hi")
    assert outputs[-1].text == "one two"
    assert (len(outputs) > 1) == direction.streams == (name in STREAMS)
    assert direction.is_async == name.startswith("async")


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_piece_by_piece(name: DirectionName) -> None:
    """And may be closed in the middle."""
    client = ScriptedClient()
    client.play("a", Gate("never"))
    with Loop.running() as loop:
        reading = Direction(name, loop).read(client, "hi")
        assert reading.next().text == "a"
        reading.close()


@pytest.mark.parametrize("name", ALL)
def test_a_call_that_hangs_is_given_up(name: DirectionName) -> None:
    """After as long as it is given."""
    client = ScriptedClient()
    client.play("a", Gate("never"))
    with Loop.running() as loop:
        direction = Direction(name, loop, patience=0.05)
        with pytest.raises(TimeoutError):
            direction.ask(client, "hi")
        client.release("never")


def test_a_blocking_call_is_given_up() -> None:
    """Its thread is left to itself."""
    never = threading.Event()
    with pytest.raises(TimeoutError):
        within(never.wait, 0.01)
    never.set()


def test_the_end_of_a_stream_is_told() -> None:
    """As Python does it."""
    with Loop.running() as loop:
        for name in STREAMS:
            reading = Direction(name, loop).read(ScriptedClient("a"), "hi")
            reading.rest()
            with pytest.raises(StopIteration):
                reading.next()


def test_a_loop_that_is_over_runs_nothing() -> None:
    """Nor does it forget a coroutine."""

    async def nothing() -> None: ...

    with Loop.running() as loop:
        seen = [loop.has_ended]
    assert [*seen, loop.has_ended] == [False, True]
    with pytest.raises(RuntimeError, match="closed"):
        loop.start(nothing())
