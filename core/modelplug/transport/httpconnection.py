"""One connection for HTTP/1.1: a request, its response, and the next.

What becomes of it is its pool's business: it tells when it is idle, and when it is gone.
"""

from __future__ import annotations

import asyncio
import selectors
from contextlib import nullcontext
from functools import partial
from ssl import SSLContext
from typing import Protocol

from modelplug.call import Call
from modelplug.errors import WrongUseError
from modelplug.transport.connection import Connection, Weakly
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.gate import Turn
from modelplug.transport.httpparser import ResponseParser
from modelplug.transport.httprequest import HttpRequest

__all__ = ["HttpConnection", "Owner"]

_HIGH_WATER = 1 << 18
"""Bytes that wait for a slow reader before the server is held back; one read comes on top."""

_LINGER_SECONDS = 0.5
"""How long the end of a finished response may take to come, with nobody waiting for it."""

_LINGER_BYTES = 4096
"""How much of it is read: a usage chunk, a comment, the last chunk."""

# One system call; Windows has no poll, but no limit to what select takes either.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Owner(Protocol):
    """What a connection reports to."""

    def idle(self, connection: HttpConnection) -> None:
        """It can serve again."""

    def gone(self, connection: HttpConnection) -> None:
        """It serves nobody any more; told once or more often."""


class HttpConnection(Connection):
    """A connection of one event loop; serves one request after the other.

    Whoever reads a response names it by its parser in each call: once the exchange is over, the
    connection may be somebody else's.

    Args:
        endpoint: to which it is made; the path is of no importance.
        owner: is told when it is idle, and when it is gone.
    """

    def __init__(self, endpoint: Endpoint, owner: Owner) -> None:
        super().__init__(endpoint)
        self._owner = owner
        self._parser: ResponseParser | None = None
        self._unread = 0
        self._is_lingering = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it is connected, idle, and has written all that it was given."""
        transport = self._transport
        return (
            transport is not None
            and self._parser is None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    @property
    def has_news(self) -> bool:
        """Whether the server has sent something, such as its end, that the loop hasn't seen yet."""
        if self._transport is None:
            return True
        with _Selector() as selector:
            selector.register(self._transport.get_extra_info("socket"), selectors.EVENT_READ)
            return bool(selector.select(0))

    async def open(
        self, parser: ResponseParser, call: Call, *, tls: SSLContext | None = None
    ) -> None:
        """Begin an exchange, and connect unless that is done; see ``dial`` for what it raises.

        The call learns of ``connecting`` and ``open``; its abort cuts the connection from now
        on, while ``parser`` is what it is read by. When this fails, ``leave`` it.
        """
        self._parser = parser
        self._unread = 0
        self._set_timer(None)
        call.on_abort(Weakly(self.abort, parser))
        async with Turn(self._endpoint) if self._transport is None else nullcontext():
            await self._dial(call, tls=tls)
        if self._transport is not None:
            call.reached("open")

    def ask(self, request: HttpRequest, call: Call) -> None:
        """Send the request; the call learns of ``sent``.

        On a connection that is gone this does nothing.
        """
        if self._transport is not None:
            self._transport.write(request.to_bytes())
            self._wrote(call)

    async def head(self, parser: ResponseParser) -> None:
        """Wait until the head of the response is there, or the response has failed."""
        while not parser.has_head and not parser.has_ended:
            await self._news()

    async def body(self, parser: ResponseParser) -> None:
        """Wait until some of the body is there, or the response has ended.

        Raises:
            WrongUseError: another task is waiting.
        """
        if self._is_awaited:
            raise WrongUseError("two tasks read one response", hint="give each one of its own")
        while not parser.pieces and not parser.has_ended:
            await self._news()
        self._unread = 0
        self._go_on()

    def leave(self, parser: ResponseParser, *, linger: bool = False) -> None:
        """End an exchange: keep the connection if the response has ended cleanly, else cut it.

        Args:
            parser: whose exchange it is.
            linger: let the end of the response come for a moment, with nobody waiting.
        """
        if parser is not self._parser or self._is_lingering:
            return
        self._unreported = None
        if parser.is_complete:
            self._settle(parser)
        elif linger and parser.idle_seconds and not parser.has_failed:
            self._is_lingering = True
            self._unread = 0
            parser.pieces.clear()
            self._set_timer(_LINGER_SECONDS)
            self._go_on()
        else:
            self.cut()

    def abort(self, parser: ResponseParser) -> None:
        """Cut it from any thread, if it still serves the exchange that ``parser`` reads."""
        self._home.run(partial(self._abort, parser))

    def cut(self) -> None:
        """Cut it at once; a response under way fails."""
        if self._parser is not None:
            self._parser.cut()
        self._drop()
        self._wake()

    # asyncio calls these.

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read; on an idle connection there is nothing to be read."""
        if self._parser is None or self._transport is None:
            self.cut()
            return
        self._unread += nbytes
        self._parser.feed(bytes(self._buffer[:nbytes]))
        self._follow(self._parser)

    def eof_received(self) -> None:
        """The server sends nothing more; the transport closes itself."""
        if self._parser is not None:
            self._parser.feed_eof()
        self._drop()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone; whether that is a fault depends on what came before."""
        self._transport = None
        if self._parser is not None:
            self._parser.lose(exc)
        self._drop()
        self._wake()

    def _follow(self, parser: ResponseParser) -> None:
        """Do what the response's new state asks for: settle, hold the server back, cut, wake."""
        if self._is_lingering:
            parser.pieces.clear()
            if parser.is_complete:
                self._settle(parser)
            elif parser.has_failed or self._unread > _LINGER_BYTES:
                self.cut()
            return
        if parser.has_failed or (parser.is_complete and not parser.idle_seconds):
            self._drop()
        elif parser.pieces and self._unread >= _HIGH_WATER:
            self._hold_back()
        if parser.pieces or parser.has_head or parser.has_failed:
            self._wake()

    def _settle(self, parser: ResponseParser) -> None:
        """The response has ended: be idle, if this may go on."""
        self._parser = None
        self._is_lingering = False
        if self.is_ready and parser.idle_seconds:
            self._go_on()
            self._set_timer(parser.idle_seconds)
            self._owner.idle(self)
        else:
            self.cut()

    def _drop(self) -> None:
        super()._drop()
        self._set_timer(None)
        self._owner.gone(self)

    def _abort(self, parser: ResponseParser) -> None:
        if parser is self._parser and not self._is_lingering:
            self.cut()

    def _set_timer(self, seconds: float | None) -> None:
        """Cut the connection after so long; None for never."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None:
            self._timer = self._home.loop.call_later(seconds, self.cut)
