"""One connection for HTTP, on a transport that only writes down what is done to it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

from modelplug.call import Call
from modelplug.errors import ConnectionLostError
from modelplug.transport import Endpoint, httpparser
from modelplug.transport.gate import AT_ONCE, Turn
from modelplug.transport.httpconnection import HttpConnection
from modelplug.transport.httpparser import ResponseParser
from modelplug.transport.httprequest import HttpRequest
from tests.core.transport.peers import chunked, sized, turns

ENDPOINT = Endpoint(scheme="http", host="127.0.0.1", port=80)
REQUEST = HttpRequest(endpoint=ENDPOINT, body=b"question")


class RecordingOwner:
    """What a connection has told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def idle(self, connection: HttpConnection) -> None:
        """Note it."""
        self.told.append("idle")

    def gone(self, connection: HttpConnection) -> None:
        """Note it."""
        self.told.append("gone")


class RecordingTransport(asyncio.Transport):
    """A transport that only writes down what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.written = b""
        self.waiting = 0

    def write(self, data: object) -> None:
        """Keep it."""
        assert isinstance(data, bytes)
        self.written += data

    def get_write_buffer_size(self) -> int:
        """What the system hasn't taken yet."""
        return self.waiting

    def is_closing(self) -> bool:
        """Whether it was cut."""
        return "abort" in self.done

    def pause_reading(self) -> None:
        """Note it."""
        self.done.append("pause")

    def resume_reading(self) -> None:
        """Note it."""
        self.done.append("resume")

    def abort(self) -> None:
        """Note it."""
        self.done.append("abort")


class Exchange:
    """A connection that has been made, and a request on it."""

    def __init__(self) -> None:
        self.owner = RecordingOwner()
        self.transport = RecordingTransport()
        self.connection = HttpConnection(ENDPOINT, self.owner)
        self.connection.connection_made(self.transport)
        self.call = Call()
        self.parser = ResponseParser(ENDPOINT)

    async def ask(self) -> None:
        """Begin the next exchange."""
        self.parser = ResponseParser(ENDPOINT)
        await self.connection.open(self.parser, self.call)
        self.connection.ask(REQUEST, self.call)

    def deliver(self, received: bytes) -> None:
        """Do what an event loop does with bytes that have come."""
        for start in range(0, len(received), 16_384):
            part = received[start : start + 16_384]
            self.connection.get_buffer(-1)[: len(part)] = part
            self.connection.buffer_updated(len(part))


@pytest.fixture
async def exchange() -> Exchange:
    """One that has been asked."""
    made = Exchange()
    await made.ask()
    return made


async def test_only_one_that_has_to_connect_waits_for_its_turn() -> None:
    """While as many as may be connect to a place, those that are open go on there."""
    made, new, call = Exchange(), HttpConnection(ENDPOINT, RecordingOwner()), Call()
    async with AsyncExitStack() as inside:
        for _ in range(AT_ONCE):
            await inside.enter_async_context(Turn(ENDPOINT))
        await made.ask()
        waiting = asyncio.ensure_future(new.open(ResponseParser(ENDPOINT), call))
        await turns(5)
        assert (made.call.phase, call.phase) == ("sent", "start")
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_a_request_goes_out_at_once(exchange: Exchange) -> None:
    """Whole, and the call knows."""
    assert REQUEST.to_bytes() == exchange.transport.written
    assert (exchange.call.phase, exchange.call.sent) == ("sent", "maybe")


async def test_reading_goes_on_when_the_body_is_taken(exchange: Exchange) -> None:
    """Paused once past the mark, resumed by the reader."""
    exchange.deliver(sized(b"x" * 600_000)[:300_000])
    assert exchange.transport.done == ["pause"]
    await exchange.connection.body(exchange.parser)
    assert exchange.transport.done == ["pause", "resume"]
    exchange.deliver(b"x" * 10)
    assert exchange.transport.done == ["pause", "resume"]


async def test_finishing_lets_a_server_go_on_that_was_held_back(exchange: Exchange) -> None:
    """Its end can't come otherwise."""
    exchange.deliver(chunked(b"x" * 300_000, end=False))
    exchange.connection.leave(exchange.parser, linger=True)
    assert exchange.transport.done == ["pause", "resume"]
    exchange.deliver(b"0\r\n\r\n")
    assert exchange.owner.told == ["idle"]
    exchange.connection.cut()


async def test_an_end_that_is_long_is_not_read(exchange: Exchange) -> None:
    """It may be the rest of an answer that nobody wants, and is paid for."""
    exchange.deliver(chunked(b"x", end=False))
    exchange.connection.leave(exchange.parser, linger=True)
    exchange.deliver(b"1000\r\n" + b"x" * 4000)
    assert exchange.transport.done == []
    exchange.deliver(b"x" * 96 + b"\r\n")
    assert exchange.transport.done == ["abort"]


async def test_a_connection_that_serves_again_is_not_idle(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that it may wait is over with the wait."""
    monkeypatch.setattr(httpparser, "_IDLE_SECONDS", 1e-9)
    for _ in range(2):
        exchange.deliver(sized(b"a"))
        exchange.connection.leave(exchange.parser)
        await exchange.ask()
        await turns(5)
        assert exchange.transport.done == []
    exchange.connection.cut()


async def test_an_idle_connection_that_hears_something_is_cut(exchange: Exchange) -> None:
    """Nobody has asked for it: not a byte of it may be taken for a response."""
    exchange.deliver(sized(b"a"))
    exchange.connection.leave(exchange.parser)
    assert (exchange.owner.told, exchange.connection.is_ready) == (["idle"], True)
    exchange.deliver(sized(b"b"))
    assert (exchange.transport.done, exchange.connection.is_ready) == (["abort"], False)
    assert exchange.owner.told[:2] == ["idle", "gone"]


@pytest.mark.parametrize("how", ["eof", "lost"])
async def test_an_idle_connection_that_ends_is_forgotten(exchange: Exchange, how: str) -> None:
    """At once: the next request mustn't get it."""
    exchange.deliver(sized(b"a"))
    exchange.connection.leave(exchange.parser)
    if how == "eof":
        exchange.connection.eof_received()
    else:
        exchange.connection.connection_lost(None)
    assert (exchange.owner.told[:2], exchange.connection.is_ready) == (["idle", "gone"], False)


async def test_a_request_that_isnt_out_yet_spoils_the_connection(exchange: Exchange) -> None:
    """A server that answers before it has read everything may never read the rest."""
    exchange.transport.waiting = 1
    exchange.deliver(sized(b"a"))
    exchange.connection.leave(exchange.parser)
    assert (exchange.transport.done, "idle" in exchange.owner.told) == (["abort"], False)


async def test_a_long_request_is_sent_when_it_is_taken(exchange: Exchange) -> None:
    """Until then the clock for opening runs on."""
    exchange.deliver(sized(b"a"))
    exchange.connection.leave(exchange.parser)
    exchange.connection.pause_writing()
    await exchange.ask()
    assert (exchange.call.phase, exchange.call.sent) == ("open", "maybe")
    exchange.connection.resume_writing()
    assert (exchange.call.phase, exchange.call.sent) == ("sent", "maybe")
    exchange.connection.cut()


async def test_an_answer_that_has_begun_is_no_new_request(exchange: Exchange) -> None:
    """What is written late takes the call back to no earlier phase."""
    made = Exchange()
    made.connection.pause_writing()
    await made.ask()
    made.call.reached("streaming")
    made.connection.resume_writing()
    assert (made.call.phase, made.call.sent) == ("streaming", "yes")


async def test_an_abort_of_the_exchange_before_does_nothing(exchange: Exchange) -> None:
    """The connection is somebody else's by now."""
    before = exchange.parser
    exchange.deliver(sized(b"a"))
    exchange.connection.leave(before)
    await exchange.ask()
    exchange.connection.abort(before)
    exchange.connection.leave(before)
    assert (exchange.transport.done, exchange.parser.has_ended) == ([], False)
    exchange.connection.abort(exchange.parser)
    assert (exchange.transport.done, exchange.parser.has_failed) == (["abort"], True)


async def test_a_connection_made_too_late_is_cut() -> None:
    """Whoever wanted it has gone."""
    owner, transport = RecordingOwner(), RecordingTransport()
    connection = HttpConnection(ENDPOINT, owner)
    parser = ResponseParser(ENDPOINT)
    connection.cut()
    connection.connection_made(transport)
    assert transport.done == ["abort"]
    await connection.open(parser, call := Call())
    connection.ask(REQUEST, Call())
    assert (transport.written, call.phase) == (b"", "start")


async def test_a_reset_after_the_end_is_no_fault(exchange: Exchange) -> None:
    """The response is whole, and the connection isn't kept."""
    exchange.deliver(sized(b"a"))
    exchange.connection.connection_lost(ConnectionResetError())
    await exchange.connection.body(exchange.parser)
    assert (exchange.parser.taken(), exchange.parser.has_failed) == (b"a", False)
    exchange.connection.leave(exchange.parser)
    assert "idle" not in exchange.owner.told


async def test_a_reset_in_the_body_comes_after_what_was_read(exchange: Exchange) -> None:
    """The reader gets that first."""
    exchange.deliver(sized(b"abc")[:-1])
    exchange.connection.connection_lost(ConnectionResetError())
    await exchange.connection.body(exchange.parser)
    assert exchange.parser.taken() == b"ab"
    assert isinstance(exchange.parser.failure(), ConnectionLostError)


async def test_news_is_seen_before_the_loop_sees_it() -> None:
    """A server that has hung up meanwhile gets no request."""
    ours, theirs = socket.socketpair()
    connection = HttpConnection(ENDPOINT, RecordingOwner())
    seen = [connection.has_news]
    await asyncio.get_running_loop().create_connection(lambda: connection, sock=ours)
    seen.append(connection.has_news)
    theirs.close()
    seen.append(connection.has_news)
    connection.cut()
    assert [*seen, connection.has_news] == [True, False, True, True]


async def test_small_requests_leave_at_once() -> None:
    """Nagle's algorithm is off."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = Endpoint(scheme="http", host="127.0.0.1", port=server.getsockname()[1])
        connection = HttpConnection(endpoint, RecordingOwner())
        await connection.open(ResponseParser(endpoint), Call())
        assert connection._transport is not None
        opened = connection._transport.get_extra_info("socket")
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.cut()
