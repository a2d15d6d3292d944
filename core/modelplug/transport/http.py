"""HTTP/1.1 for providers: a request out, the bytes of its response in, connections kept.

::

    connections = Connections()  # one for each client

    async with connections.request(
        endpoint,
        call=call,
        headers={"authorization": Secret(bearer), "content-type": "application/json"},
        body=question,
        on_refusal=refused,
    ) as response:
        while data := await response.take():
            for event in events.feed(data):
                ...
                if event == b"[DONE]":
                    response.finish()  # what is still to come is of no use
                    return

    connections.close()  # from any thread

llhttp, the parser of Node, under an asyncio protocol of our own: the contract needs the phases
of a call exactly, addresses that were checked, and an abort within milliseconds from any
thread. There is no compression, no redirect, no proxy, no cookie, no second try, and no clock
but that for the body of a refusal: the core's stream keeps the clocks, and aborts.

Nothing here makes anybody wait for the peer when it leaves: a response that is left before its
end is cut.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from ssl import SSLContext

from modelplug.call import Call
from modelplug.errors import ClientClosedError, ConnectionLostError, ProxyLLMError, TooLargeError
from modelplug.secrets import Secret
from modelplug.transport.connection import Opened
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.handshake import BODY_LIMIT, REFUSAL_SECONDS, Refusal, refusal_of, refused
from modelplug.transport.httpconnection import HttpConnection
from modelplug.transport.httpparser import ResponseParser
from modelplug.transport.httppool import Pool
from modelplug.transport.httprequest import HttpRequest, Method

__all__ = ["Connections", "Refusal", "Response"]


class Connections:
    """The connections of one client, to whichever servers; from any event loop and thread.

    A connection whose response has ended cleanly serves the next request to the same scheme,
    host and port on the same loop: for at most 15 seconds (less if the server says so by
    ``Keep-Alive: timeout=``), at most 16 of a loop and server, the latest first. A forked child
    begins with none.

    What was never closed is closed when it is collected; a request under way keeps it alive.
    The connections of a loop are closed as it ends, by ``loop.shutdown_asyncgens()``, which
    ``asyncio.run`` calls. Where nobody called that, their sockets are closed here, or when
    another loop asks for something; of their transports asyncio warns all the same.

    Args:
        tls: a context instead of the one that the process shares.
    """

    def __init__(self, *, tls: SSLContext | None = None) -> None:
        self._tls = tls
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._inherited: list[object] = []
        self._process = os.getpid()
        self._is_closed = False

    def __del__(self) -> None:
        # A client that nobody closed: its loop, which may go on, holds what it kept.
        self.close()

    def request(
        self,
        endpoint: Endpoint,
        *,
        call: Call,
        method: Method = "POST",
        query: str | Secret = "",
        headers: Mapping[str, str | Secret] | None = None,
        body: bytes = b"",
        on_refusal: Callable[[Refusal], ProxyLLMError] | None = None,
    ) -> AbstractAsyncContextManager[Response]:
        """Ask, and wait for the head of the response; leaving the block ends the exchange.

        A status from 200 to 299 gives a response. Any other is raised: from 100 to 399 as a
        HandshakeError that tells of no target, the rest as what ``on_refusal`` makes of it.

        It is sent once: where a connection that was kept turns out to be dead, that is a
        ConnectionLostError like any other.

        Args:
            endpoint: where to, with the path.
            call: told of ``connecting``, ``open`` and ``sent``; its abort cuts the connection.
            method: of the request.
            query: what follows the question mark of the request target, percent-encoded.
            headers: names and values besides ``host``, ``content-length``, ``connection`` and
                ``accept-encoding``, which are set here; ``user-agent`` has a default. A Secret
                is revealed into the request alone, and hidden from the call's errors.
            body: all of it.
            on_refusal: makes an error of a response whose status is 400 or more; without it
                that is a HandshakeError, too.

        Raises:
            UnsupportedOptionError: a header or the query has what none can have; nothing was
                sent, and the message repeats nothing of it.
            ClientClosedError: ``close`` was called.
            ResolveError, UnsafeEndpointError, ConnectError, TlsError: no connection.
            HandshakeError: a redirect, a refusal, or a head beyond 64 KiB or 100 lines.
            ConnectionLostError: the connection was cut before the head was there.
            ProtocolError: what came isn't HTTP, has two lengths, or is compressed.
        """
        asked = HttpRequest(
            endpoint=endpoint, method=method, query=query, headers=headers or {}, body=body
        )
        response = Response(endpoint, call, self)
        return Opened(response, partial(response._open, asked, on_refusal), Response._leave)

    def close(self) -> None:
        """Cut all connections, and take no more requests; from any thread, as often as you like.

        Requests under way end with a ConnectionLostError.
        """
        self._is_closed = True
        for pool in list(self._pools.values()):
            pool.close_soon()

    async def _connection(self, endpoint: Endpoint) -> HttpConnection:
        """One that was kept, or a new one that isn't connected yet."""
        pool = self._pool()
        if self._is_closed:  # asked after that: from now on close() finds the pool
            raise ClientClosedError("the client is closed", sent="no")
        await pool.watch()
        return pool.take(endpoint)

    def _pool(self) -> Pool:
        if os.getpid() != self._process:
            # Kept and never looked at again: what the parent has open must not be finalised here.
            self._inherited.append(self._pools)
            self._pools, self._process = {}, os.getpid()
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            for other in [each for each in list(self._pools) if each.is_closed()]:
                dead = self._pools.pop(other, None)
                if dead is not None:
                    dead.close_soon()
            pool = self._pools[loop] = Pool()
        return pool


class Response:
    """A response whose head is there; ``Connections.request`` makes it.

    It belongs to one event loop: only ``abort`` may be called from elsewhere.
    """

    def __init__(self, endpoint: Endpoint, call: Call, connections: Connections) -> None:
        self._endpoint = endpoint
        self._call = call
        self._connections = connections  # whoever reads this needs them to live
        self._parser = ResponseParser(endpoint)
        self._connection: HttpConnection | None = None
        # Not in a local variable, which a traceback could show.
        self._gathered = bytearray()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} of {self._endpoint}>"

    @property
    def status(self) -> int:
        """From 200 to 299."""
        return self._parser.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; the values of a name that comes twice are joined by ``, ``."""
        return self._parser.headers

    @property
    def content_type(self) -> str:
        """The media type in lower case and without parameters; empty if the server gave none.

        Of the same type in two lines it is that type.
        """
        told = self.headers.get("content-type", "")
        kinds = {kind.partition(";")[0].strip().lower() for kind in told.split(",")}
        return kinds.pop() if len(kinds) == 1 else told.partition(";")[0].strip().lower()

    async def take(self) -> bytes:
        """All bytes of the body that are at hand, at least one; none once the body is whole.

        Raises:
            ConnectionLostError: the connection was cut before that.
            ProtocolError: the server broke HTTP.
            WrongUseError: another task is waiting here.
        """
        parser, connection = self._parser, self._connection
        if connection is not None:
            await connection.body(parser)
        data = parser.taken()
        if not data and parser.has_failed:
            raise self._failure()
        return data

    async def read(self, *, limit: int = 1 << 24) -> bytes:
        """The whole body, or what is left of it.

        Args:
            limit: bytes that it may have at most.

        Raises:
            TooLargeError: it has more.
            ConnectionLostError, ProtocolError, WrongUseError: see ``take``.
        """
        while await self._gather():
            if len(self._gathered) > limit:
                raise TooLargeError(f"{self._endpoint} sent more than {limit} bytes")
        whole = bytes(self._gathered)
        self._gathered.clear()
        return whole

    async def _gather(self) -> bool:
        before = len(self._gathered)
        self._gathered += await self.take()
        return len(self._gathered) > before

    def finish(self) -> None:
        """Say that the answer is complete: nothing more is read, and nobody waits.

        If the end of the body is at hand, or comes on its own within a moment and a few bytes,
        the connection is kept; else it is cut.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave(self._parser, linger=True)

    def abort(self) -> None:
        """Cut the connection at once; from any thread, from finalisers, as often as you like.

        After ``finish``, and after the end of the block, this does nothing: the connection may
        be somebody else's.
        """
        connection = self._connection
        if connection is not None:
            connection.abort(self._parser)

    async def _open(
        self, asked: HttpRequest, on_refusal: Callable[[Refusal], ProxyLLMError] | None
    ) -> None:
        call, parser, connections = self._call, self._parser, self._connections
        call.conceal(*asked.secrets)
        connection = self._connection = await connections._connection(self._endpoint)
        await connection.open(parser, call, tls=connections._tls)
        connection.ask(asked, call)
        await connection.head(parser)
        if not parser.has_head:
            raise self._failure()
        if not 200 <= parser.status < 300:
            raise await self._refusal(on_refusal)

    async def _refusal(
        self, on_refusal: Callable[[Refusal], ProxyLLMError] | None
    ) -> ProxyLLMError:
        said, is_whole = await self._last_words()
        parser = self._parser
        refusal = refusal_of(
            parser.status, parser.headers, said, is_whole=is_whole, scrub=self._call.scrub
        )
        if on_refusal is None or parser.status < 400:
            error: ProxyLLMError = refused(refusal, self._endpoint)
        else:
            error = on_refusal(refusal)
        error.complete(sent=self._call.sent)
        return error

    async def _last_words(self) -> tuple[bytes, bool]:
        """The body of a refusal, as far as it came in whole words, and whether that is all."""
        if self._parser.is_encoded or self.status < 400:
            return b"", False
        said = bytearray()
        # Whatever is wrong with the body, or with its end, must not hide the status.
        with suppress(TimeoutError, ProxyLLMError):
            async with asyncio.timeout(REFUSAL_SECONDS):
                while len(said) <= BODY_LIMIT:
                    if not (data := await self.take()):
                        return bytes(said), True
                    said += data
        # Half a secret is none that could be found: the last word, which was cut, is left out.
        return b"".join(said[:BODY_LIMIT].rsplit(None, 1)[:-1]), False

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave(self._parser)

    def _failure(self) -> ProxyLLMError:
        error = self._parser.failure() or ConnectionLostError(f"{self._endpoint} has closed")
        error.complete(sent=self._call.sent)
        return error
