"""A WebSocket for providers: text messages out, lists of text messages in.

::

    query = Secret(signed)
    async with connect(endpoint, message=question, query=query, call=call) as ws:
        while messages := await ws.take():
            ...
        # The server has closed: ws.close_code, ws.close_reason

websockets' protocol without I/O, under an asyncio protocol of our own. Against that library's
own asyncio client this costs half: messages cross to the reader in lists, with one future for
each time that it has to wait; reads go to a buffer that all connections of a thread share.
There is no compression, no redirect, no proxy, no ping of our own, and no clock: the core's
stream keeps the clocks, and aborts.

Nothing here waits for the peer when it leaves: a connection is cut, not closed politely.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from ssl import SSLContext

from modelplug.call import Call
from modelplug.errors import ConnectionLostError, ProxyLLMError, WrongUseError
from modelplug.secrets import Secret
from modelplug.transport.connection import Connection, Opened, Weakly
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.gate import Turn
from modelplug.transport.handshake import REFUSAL_SECONDS, Refusal
from modelplug.transport.wire import Wire

__all__ = ["Refusal", "WebSocket", "connect"]

_HIGH_WATER = 256
"""Messages that wait for a slow reader before the server is held back."""

_HIGH_WATER_BYTES = 1 << 20
"""The same in bytes; what one read brings comes on top of both."""


def connect(
    endpoint: Endpoint,
    *,
    call: Call,
    query: Secret = Secret(),
    message: str | bytes | None = None,
    on_refusal: Callable[[Refusal], ProxyLLMError] | None = None,
    tls: SSLContext | None = None,
    max_size: int = 1 << 20,
) -> AbstractAsyncContextManager[WebSocket]:
    """Open a WebSocket for one call; leaving the block cuts it and waits for nobody.

    With a ``message`` the block begins once the server is connected, and what is raised after
    that, a HandshakeError or a ConnectionLostError, comes from ``take``. That is the fastest way:
    the message goes out as soon as the server has agreed, before anybody is woken. Without one
    the block begins when the server has agreed.

    Args:
        endpoint: where to.
        call: told of ``connecting``, ``open`` and ``sent``; its abort cuts the connection.
        query: what follows the question mark of the request target.
        message: the first one to be sent; as if ``send`` had been called with it.
        on_refusal: makes an error of an answer that is no WebSocket; without it that is a
            HandshakeError.
        tls: a context instead of the one that the process shares.
        max_size: bytes of the largest message that is taken, all its fragments together.

    Raises:
        ResolveError: the host's name has no address.
        UnsafeEndpointError: an address isn't public, for an endpoint that must be.
        ConnectError: no address answers.
        TlsError: the server's certificate or its TLS was refused.
        HandshakeError: the server didn't agree to a WebSocket.
        ConnectionLostError: the connection was cut before the server had answered.
    """
    wire = Wire(endpoint, max_size=max_size, scrub=call.scrub, on_refusal=on_refusal)
    ws = WebSocket(endpoint, call, wire, query=query)
    if message is not None:
        ws.send(message)
    return Opened(ws, partial(ws._open, tls=tls), WebSocket.abort)


class WebSocket(Connection):
    """The client's side of an open connection; ``connect`` makes it.

    It belongs to one event loop: only ``abort`` may be called from elsewhere.
    """

    __slots__ = ("_call", "_is_giving_up", "_query", "_turn", "_unread", "_unsent", "_wire")

    def __init__(
        self, endpoint: Endpoint, call: Call, wire: Wire, *, query: Secret = Secret()
    ) -> None:
        super().__init__(endpoint)
        self._call = call
        self._wire = wire
        self._query = query
        self._unread = 0
        self._unsent: list[bytes] = []
        self._turn: Turn | None = Turn(endpoint)  # until the server has agreed
        self._is_giving_up = False

    @property
    def close_code(self) -> int | None:
        """Of the server's close frame, 1005 if that has none; None before it came."""
        return self._wire.close_code

    @property
    def close_reason(self) -> str:
        """The text of the server's close frame, in one line, without this call's secrets."""
        return self._wire.close_reason

    def send(self, message: str | bytes) -> None:
        """Send a text message, and report ``sent`` when it is on its way.

        Of a message that is too long for the system's buffers that is when the server has read
        so much of it that the rest fits: until then the clock for opening runs on. Before the
        server has agreed to a WebSocket it is kept.

        On a connection that has ended this does nothing: ``take`` has what came before the end,
        which may be the server's reason, and then tells of the end.

        Args:
            message: text, or its UTF-8.
        """
        data = message.encode() if isinstance(message, str) else message
        if self._turn is not None:
            self._unsent.append(data)
        elif self._transport is not None:
            self._transport.write(self._wire.text(data))
            self._wrote(self._call)

    async def take(self) -> list[bytes]:
        """All text messages at hand, at least one; an empty list when the connection is closed.

        They are UTF-8 that nobody has checked yet: decode where you parse.

        Raises:
            ConnectionLostError: the connection was cut without a close frame.
            HandshakeError: the server didn't agree to a WebSocket; or what ``on_refusal`` made.
            ProtocolError: the server broke the protocol; one of its subclasses where there is
                one, such as TooLargeError, or SchemaError for a binary message.
            WrongUseError: another task is waiting here.
        """
        wire = self._wire
        if self._is_awaited:
            raise WrongUseError("two tasks read one connection", hint="give each one of its own")
        while not wire.messages and not wire.has_ended:
            await self._news()
        if not wire.messages and wire.has_failed:
            raise self._failure()
        messages, wire.messages = wire.messages, []
        self._unread = 0
        if self._is_paused:
            self._go_on()
        return messages

    def close(self) -> None:
        """End a conversation that is complete: say so with code 1000, and cut."""
        if not self._wire.has_ended:
            self._wire.finish()
            self._follow()

    def abort(self) -> None:
        """Cut the connection at once; from any thread, from finalisers, as often as you like."""
        if not self._is_cut:
            self._home.run(self._abort)

    async def _open(self, *, tls: SSLContext | None) -> None:
        call = self._call
        if self._query:
            # As it is now: one that can't be had is the call's error, where asyncio would log it.
            self._query = self._query._snapshot()
            call.conceal(self._query)
        call.on_abort(Weakly(self.abort))
        if self._turn is not None:
            await self._turn.begin()
        await self._dial(call, tls=tls)
        while not (self._unsent or self._wire.is_open or self._wire.has_ended):
            await self._news()
        if self._wire.has_failed and not self._wire.is_open:
            raise self._failure()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        super().connection_made(transport)
        if self._transport is not None:
            self._call.reached("open")
            self._transport.write(self._wire.request(self._query))

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        if not self._wire.has_ended:
            self._unread += nbytes
            self._wire.feed(bytes(self._buffer[:nbytes]))
            if self._turn is not None and self._wire.is_refused and not self._is_giving_up:
                # A body that never ends must not hide the status behind a time-out.
                self._is_giving_up = True
                self._home.loop.call_later(REFUSAL_SECONDS, Weakly(self._give_up))
            self._follow()

    def _give_up(self) -> None:
        self._wire.lose(None)
        self._follow()

    def eof_received(self) -> None:
        """The server sends nothing more; the transport closes itself."""
        if not self._wire.has_ended:
            self._wire.feed_eof()
            self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone; whether that is a fault depends on what came before."""
        self._transport = None
        if not self._wire.has_ended:
            self._wire.lose(exc)
            self._follow()

    def _follow(self) -> None:
        """Do what the wire's new state asks for: write, hold the server back, cut, wake."""
        wire, transport = self._wire, self._transport
        if transport is not None:
            for data in wire.answers():
                # While the server doesn't read, answers to its pings would pile up; and asyncio
                # logs each that is written when the socket has just been found to be dead.
                if not (self._is_backed_up or transport.is_closing()):
                    transport.write(data)
            # Few bytes can't be many messages: most reads are spared the question.
            if self._unread > _HIGH_WATER and self._is_flooded and not wire.has_ended:
                self._hold_back()
        if wire.has_ended:
            self._drop()
        if self._turn is not None and (wire.is_open or wire.has_ended):
            self._begin(self._turn)
        if wire.messages or wire.has_ended:
            self._wake()

    def _begin(self, turn: Turn) -> None:
        """The server has agreed, or never will: make room for the next, and say what there is."""
        turn.end()
        self._turn = None
        unsent, self._unsent = self._unsent, []
        if not unsent:
            self._wake()
        for message in unsent:
            self.send(message)

    @property
    def _is_flooded(self) -> bool:
        waiting = len(self._wire.messages)
        return waiting >= _HIGH_WATER or (waiting > 0 and self._unread >= _HIGH_WATER_BYTES)

    def _abort(self) -> None:
        self._wire.cut()
        self._follow()

    def _failure(self) -> ProxyLLMError:
        error = self._wire.failure() or ConnectionLostError(f"{self._endpoint} has closed")
        error.complete(sent=self._call.sent)
        return error
