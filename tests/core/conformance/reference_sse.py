"""The reference over HTTP: the same JSON, an SSE event a message; mutants break it, too.

One connection for each call, which is cut as soon as the answer is whole. No redirects.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import h11

from modelplug import (
    Call,
    ConnectionLostError,
    DecodeError,
    Delta,
    Finish,
    HandshakeError,
    ModelRequest,
    ProtocolError,
    ProxyLLMError,
    Secret,
    TooLargeError,
    TruncatedStreamError,
)
from modelplug.testing.http import HttpUpstream
from modelplug.transport import Endpoint
from modelplug.transport.dial import dial
from modelplug.transport.faults import printable
from modelplug.transport.handshake import MESSAGE_LIMIT, Refusal
from modelplug.transport.retry_after import parse_retry_after
from tests.core.conformance import reference
from tests.core.conformance.reference import ReferenceClient

MAX_EVENT = 1 << 20
"""Bytes of the largest event that is taken, all of its lines together."""

BOM = b"\xef\xbb\xbf"
LINE_END = re.compile(rb"\r\n|\r|\n")


class SseClient(ReferenceClient):
    """Does everything right."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base = str(self.params.proxy_api_base)
        self.endpoint = Endpoint.parse(base, schemes=("https", "http"), allow_insecure=False)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Ask, and pass on what comes."""
        query = self.signed(call)
        question = self.encoded(self.payload(request))
        http = self.connection(self.endpoint, call)
        try:
            await http.ask(query, question)
            await self.accepted(http, call)
            async for piece in self.heard(http, call):
                if isinstance(piece, Finish):
                    http.abort()  # now: nothing after the last piece is asked for
                yield piece
        finally:
            http.abort()

    def connection(self, endpoint: Endpoint, call: Call) -> Http:
        """A connection, to be opened."""
        return Http(endpoint, call)

    async def accepted(self, http: Http, call: Call) -> None:
        """Read the head of the response; any but the one that was asked for is an error."""
        head = await http.event()
        if not isinstance(head, h11.Response):
            raise ProtocolError("the service gave no response")
        headers = dict(head.headers)
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip()
        is_plain = headers.get(b"content-encoding", b"identity") == b"identity"
        if head.status_code == 200 and kind == b"text/event-stream" and is_plain:
            return
        said = b""
        with suppress(ProxyLLMError):  # what there is of it will do
            while len(said) < MESSAGE_LIMIT and isinstance(more := await http.event(), h11.Data):
                said += more.data
        message = printable(call.scrub(said.decode(errors="replace")), limit=MESSAGE_LIMIT)
        if head.status_code == 200:
            raise HandshakeError("the service answered with something else", status=200)
        retry_after = headers.get(b"retry-after", b"").decode("latin-1")
        refusal = Refusal(
            status=head.status_code,
            message=message,
            retry_after=parse_retry_after(retry_after, now=datetime.now(UTC)),
        )
        raise self.refused(refusal)

    async def heard(self, http: Http, call: Call) -> AsyncIterator[Delta | Finish]:
        """What the events say, until the response ends."""
        events = self.events()
        while isinstance(part := await http.event(), h11.Data):
            for event in events.feed(bytes(part.data)):
                for piece in self.read(self.checked(event), call):
                    yield piece
        raise TruncatedStreamError("the response ended before the answer did")

    def events(self) -> Events:
        """What finds events in a response."""
        return Events()

    @staticmethod
    def checked(event: bytes) -> bytes:
        """The event, if it is UTF-8."""
        good = True
        try:
            event.decode()
        except UnicodeDecodeError:
            good = False
        if not good:
            raise DecodeError("an event is no UTF-8")
        return event


class Events:
    """Finds the data of events in the bytes of a stream, by the standard of SSE."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._has_begun = False
        self._after_return = False

    def feed(self, received: bytes) -> list[bytes]:
        """The events that are whole now."""
        self._rest += received
        if not self._has_begun:
            if len(self._rest) < len(BOM) and BOM.startswith(self._rest):
                return []
            self._rest = self._rest.removeprefix(BOM)
            self._has_begun = True
        if self._after_return and self._rest:  # the line has ended already
            self._rest = self._rest.removeprefix(b"\n")
            self._after_return = False
        ended_by_return = self._rest.endswith(b"\r")
        *lines, self._rest = LINE_END.split(self._rest)
        self._after_return = self._after_return or ended_by_return
        found = [event for line in lines if (event := self._line(line)) is not None]
        if len(self._rest) + self._size > MAX_EVENT:
            raise TooLargeError("an event is too large")
        return found

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            event, self._data, self._size = self._data, [], 0
            return b"\n".join(event) if event else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value) + 1
            if self._size > MAX_EVENT:
                raise TooLargeError("an event is too large")
        return None


class Http(asyncio.StreamReaderProtocol):
    """One request on a connection of its own."""

    def __init__(self, endpoint: Endpoint, call: Call) -> None:
        self.reader = asyncio.StreamReader()
        super().__init__(self.reader)
        self._endpoint = endpoint
        self._call = call
        self._event_loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.CLIENT)
        self._connected: asyncio.Transport | None = None
        self._aborted = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, unless nobody wants it any more."""
        super().connection_made(transport)
        self._connected = transport  # type: ignore[assignment]  # a socket's can do both
        if self._aborted:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """What came before a reset is still read: it may be why."""
        super().connection_lost(None)
        self._writable.set()

    def pause_writing(self) -> None:
        """The service doesn't read as fast as is written."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    def abort(self) -> None:
        """Cut the connection."""
        self._aborted = True
        if self._connected is not None:
            self._connected.abort()

    async def ask(self, query: Secret, body: bytes) -> None:
        """Connect, and send the question."""
        call = self._call
        call.conceal(query)
        call.reached("connecting")
        call.on_abort(_from_anywhere(self._event_loop, self.abort))
        await dial(self._endpoint, self, timeout=call.timeouts.connect)
        call.reached("open")
        target = f"{self._endpoint.path}?{query.reveal()}"
        head = h11.Request(
            method="POST",
            target=target,
            headers=[
                ("host", self._endpoint.host_header),
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("accept", "text/event-stream"),
            ],
        )
        said = [self._http.send(each) or b"" for each in (head, h11.Data(data=body))]
        self._http.send(h11.EndOfMessage())
        await self.upload(b"".join(said))
        call.reached("sent")

    async def upload(self, data: bytes) -> None:
        """Write the question."""
        if self._connected is None:
            return
        self._connected.write(data)
        self._call.reached("open", sent="maybe")
        await self._writable.wait()  # or lost: the service may have said why, which is read next

    async def event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next part of the response."""
        wrong: Callable[[], ProxyLLMError] | None = None
        data = None
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self.reader.read(1 << 16)
                self._http.receive_data(data)
            if not isinstance(event, h11.ConnectionClosed):
                return event
        except h11.RemoteProtocolError as error:
            if data != b"":
                wrong = partial(ProtocolError, f"the service broke HTTP ({type(error).__name__})")
        raise (wrong or partial(ConnectionLostError, "the connection was cut"))()


def _from_anywhere(
    loop: asyncio.AbstractEventLoop, abort: Callable[[], None]
) -> Callable[[], None]:
    """``abort`` for any thread, and for finalisers."""

    def aborts() -> None:
        with suppress(RuntimeError):  # the loop is closed, and its connections with it
            loop.call_soon_threadsafe(abort)

    return aborts


HARNESS = replace(reference.HARNESS, wire=HttpUpstream)
