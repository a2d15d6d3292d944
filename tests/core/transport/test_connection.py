"""What every connection is to its loop: the buffer, the wait, and the way home."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from functools import partial
from typing import cast

import pytest

from modelplug.transport import Endpoint
from modelplug.transport.connection import Connection, Home, Opened, Weakly, receive_buffer

ENDPOINT = Endpoint(scheme="https", host="127.0.0.1", port=443, path="/v1")


async def test_connections_of_a_loop_share_a_buffer() -> None:
    """Where the loop fills it and calls at once; any other loop gets one for each."""
    here = asyncio.get_running_loop()
    assert receive_buffer(here, secure=False) is receive_buffer(here, secure=False)
    other = cast(asyncio.AbstractEventLoop, object())
    assert receive_buffer(other, secure=False).obj is not receive_buffer(other, secure=False).obj
    for secure in (False, True):
        sizes = {len(receive_buffer(loop, secure=secure)) for loop in (here, other)}
        assert len(sizes) == 1


async def test_over_tls_a_buffer_holds_all_that_asyncio_gives_at_the_end() -> None:
    """What doesn't fit there would be dropped."""
    plain = Connection(Endpoint(scheme="http", host="127.0.0.1", port=80))
    assert (
        len(plain.get_buffer(-1)),
        len(Connection(ENDPOINT).get_buffer(-1)),
    ) == (1 << 14, 1 << 19)


async def test_a_connection_shows_only_where_it_goes() -> None:
    """Its repr is the endpoint, in tracebacks and in asyncio's debug logs."""
    assert repr(Connection(ENDPOINT)) == f"<Connection to {ENDPOINT}>"


class TestHome:
    async def test_on_its_own_thread_it_runs_at_once(self) -> None:
        """Who is at home already need not wait for the loop."""
        ran: list[int] = []
        Home().run(lambda: ran.append(threading.get_ident()))
        assert [threading.get_ident()] == ran

    async def test_from_another_thread_it_runs_at_home(self) -> None:
        """The loop's thread runs it, soon."""
        home, ran = Home(), asyncio.Queue[int]()
        here = threading.get_ident()
        await asyncio.to_thread(home.run, lambda: ran.put_nowait(threading.get_ident()))
        assert here == await ran.get()

    def test_once_the_loop_is_closed_it_runs_here(self) -> None:
        """Nobody is at home; what it wants of the loop ends it, quietly."""

        async def made() -> Home:
            return Home()

        home = asyncio.run(made())
        ran: list[int] = []

        def closing() -> None:
            ran.append(threading.get_ident())
            home.loop.call_soon(ran.clear)

        elsewhere = threading.Thread(target=home.run, args=[closing])
        elsewhere.start()
        elsewhere.join()
        home.run(closing)
        assert [elsewhere.ident, threading.get_ident()] == ran

    async def test_a_forked_child_leaves_it_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is the parent's is not for the child to cut."""
        home, ran = Home(), list[int]()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        home.run(lambda: ran.append(1))
        assert ran == []


class Door:
    """Something to open and to leave."""

    def __init__(self, *, fault: Exception | None = None) -> None:
        self.done: list[str] = []
        self.fault = fault

    async def open(self, how: str) -> None:
        """It may fail half-way."""
        self.done.append(how)
        if self.fault is not None:
            raise self.fault

    def leave(self, how: str = "left") -> None:
        """Note it."""
        self.done.append(how)


class TestOpened:
    async def test_what_is_open_is_left(self) -> None:
        """With an error in the block, too, which passes."""
        door = Door()

        async def block() -> None:
            async with Opened(door, lambda: door.open("open"), Door.leave) as opened:
                assert (opened, door.done) == (door, ["open"])
                raise KeyError

        with pytest.raises(KeyError):
            await block()
        assert door.done == ["open", "left"]

    async def test_what_fails_to_open_is_left(self) -> None:
        """It may be open half-way."""
        door = Door(fault=KeyError())
        with pytest.raises(KeyError):
            await Opened(door, lambda: door.open("open"), Door.leave).__aenter__()
        assert door.done == ["open", "left"]

    async def test_how_it_was_opened_is_forgotten(self) -> None:
        """That may hold a long question."""
        door, question = Door(), Door()
        held = weakref.ref(question)
        async with Opened(door, partial(door.open, cast(str, question)), Door.leave):
            door.done.clear()
            del question
            assert held() is None


def test_a_weak_call_reaches_what_is_alive_and_holds_nothing() -> None:
    """Whose it is goes when nobody else wants it; then nothing happens."""
    door, gone = Door(), list[str]()
    leave = Weakly(door.leave, "soon")
    leave()
    assert door.done == ["soon"]
    weakref.finalize(door, gone.append, "gone")
    del door
    assert gone == ["gone"]
    leave()
