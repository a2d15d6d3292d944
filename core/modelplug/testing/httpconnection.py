"""One client's HTTP/1.1 connection, from the server's side: requests in, responses out.

h11 reads and writes the protocol; what goes on the socket, when, and in which pieces is decided
here, so that a script can cut, split and spoil it. It logs nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from http.client import responses
from itertools import pairwise

from modelplug.errors import MissingDependencyError
from modelplug.testing.codec import RawRequest
from modelplug.testing.exchange import Exchange
from modelplug.testing.framing import Framing, sse
from modelplug.testing.steps import EarlyStatus, Lines, Status, Step
from modelplug.testing.taken import TakenConnection

try:
    import h11
except ImportError:
    raise MissingDependencyError(
        "the h11 package is missing",
        hint="pip install 'modelplug[testing]'",
    ) from None

__all__ = ["HttpConnection", "LocalProtocolError"]

LocalProtocolError = h11.LocalProtocolError
"""Something was said where HTTP has no place for it, such as a message after the end."""

_MAX_HEAD = 1 << 16
_MAX_BODY = 16 * 2**20

_MAX_AHEAD = 1 << 20
"""Bytes of further requests that come before the present one is answered."""

_BODILESS = (204, 304)
"""Statuses whose responses have no body."""

_BOM = b"\xef\xbb\xbf"


class HttpConnection(TakenConnection):
    """A connection, from when it is taken on; made by the server for each client.

    It is kept for further requests, unless one of the two says otherwise. A client that ends its
    half of it has left.

    Args:
        client: the socket.
        tls: makes it https.
        frame: how messages stand in a response.
        number: the connection's.
        note: told of each exchange but the first.

    Attributes:
        exchange: what was seen of the client's latest request; before there is one, of it.
    """

    def __init__(
        self,
        client: socket.socket,
        tls: ssl.SSLContext | None,
        *,
        frame: Framing = sse,
        number: int = 0,
        note: Callable[[Exchange], None] = lambda _: None,
    ) -> None:
        super().__init__(client, tls, number=number)
        self._frame = frame
        self._note = note
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        self._heads: asyncio.Queue[RawRequest] = asyncio.Queue()
        self._bodies: asyncio.Queue[bytes] = asyncio.Queue()
        self._parts: list[bytes] = []
        self._size = 0
        self._is_used = False
        self._has_ended = False
        self._is_last = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._status = 0
        self._manner = Lines()
        self._has_said = False

    # ------------------------------------------------------------------ what is read

    async def head(self) -> RawRequest:
        """Wait for a request, and give what is there before its body."""
        return await self._heads.get()

    async def receive(self) -> RawRequest:
        """The request whose head has come, with its body."""
        if self._http.they_are_waiting_for_100_continue:
            await self._say(h11.InformationalResponse(status_code=100, headers=[]))
        return replace(self.exchange.request, body=await self._bodies.get())

    @property
    def is_open(self) -> bool:
        """Whether this side would take a further request."""
        return not self._has_ended

    async def _received(self, data: bytes) -> None:
        if self._has_ended:
            return  # what a client uploads after it was refused
        # Never empty: to h11 that is the client's end, which watch() sees to.
        self._http.receive_data(data)
        await self._go_on()

    async def _go_on(self) -> None:
        try:
            self._advance()
        except h11.RemoteProtocolError as error:
            what = Status(error.error_status_hint, "this is no good request")
            await self.respond(what, last=True)

    def _advance(self) -> None:
        """Take what has come, up to the end of the request that is to be answered next."""
        event = self._http.next_event()
        while event not in (h11.NEED_DATA, h11.PAUSED):
            match event:
                case h11.Request():
                    self._begin(event)
                case h11.Data():
                    self._gather(bytes(event.data))
                case h11.EndOfMessage():
                    body, self._parts, self._size = b"".join(self._parts), [], 0
                    self.exchange.asked(body)
                    self._bodies.put_nowait(body)
            event = self._http.next_event()
        if event is h11.PAUSED and len(self._http.trailing_data[0]) > _MAX_AHEAD:
            self.cut()

    def _begin(self, request: h11.Request) -> None:
        exchange = Exchange(connection=self.exchange.connection) if self._is_used else self.exchange
        exchange.method = request.method.decode()
        exchange.target = request.target.decode("latin-1")
        exchange.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers
        }
        # Two who read such a request may find two ends of it (RFC 9112, section 6.1).
        self._is_last = {"content-length", "transfer-encoding"} <= exchange.headers.keys()
        if self._is_used:
            self.exchange = exchange
            self._note(exchange)
        self._is_used = True
        self._heads.put_nowait(exchange.request)

    def _gather(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > _MAX_BODY:
            raise h11.RemoteProtocolError("a body is too large", error_status_hint=413)

    # ------------------------------------------------------------------ what is written

    async def respond(self, status: Status, *, last: bool = False) -> None:
        """Answer with a whole response; with ``last``, or an EarlyStatus, hang up after it."""
        body = status.body.encode()
        fields = {
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(len(body)),
            **({"connection": "close"} if last or isinstance(status, EarlyStatus) else {}),
            **{name.lower(): value for name, value in status.headers.items()},
        }
        await self._head(status.status, fields)
        if body and self.exchange.method != "HEAD" and status.status not in _BODILESS:
            await self._say(h11.Data(data=body))
        await self.end()

    async def begin(self, status: int = 200, *, headers: Mapping[str, str] | None = None) -> None:
        """Begin a response that comes in messages."""
        fields = {"content-type": self._frame.content_type, "cache-control": "no-cache"}
        fields |= {name.lower(): value for name, value in (headers or {}).items()}
        await self._head(status, fields)

    def message_frames(
        self,
        data: bytes,
        *,
        binary: bool = False,
        frames: int = 1,
        ping_between: bool = False,
    ) -> list[bytes]:
        """A message as the bytes of its chunks, to be written after ``begin``."""
        text = self._frame.message(data, self._manner, ping=ping_between)
        if self._manner.bom and not self._has_said:
            text = _BOM + text
        self._has_said = True
        cuts = [number * len(text) // frames for number in range(frames + 1)]
        # An empty chunk would be the end.
        return [self._chunk(text[start:end]) for start, end in pairwise(cuts) if start < end]

    def part(self, data: bytes, share: float) -> bytes:
        """The beginning of a message, short of its line's end, in a chunk that is whole.

        Where the chunk's own end were cut off, the message could still be.
        """
        text = self._frame.message(data, self._manner).rstrip(b"\r\n")
        begun = text[: int(len(text) * share)]
        return self._chunk(begun) if begun else b""

    async def say(self, *messages: bytes) -> None:
        """Write messages, after ``begin``."""
        for message in messages:
            await self.write(*self.message_frames(message))

    async def ping(self) -> None:
        """Send a comment, or a blank line."""
        self._has_said = True
        await self.write(self._chunk(self._frame.ping(self._manner)))

    async def change(self, step: Step) -> None:
        """Do what no other kind of wire has."""
        if isinstance(step, Lines):
            self._manner = step

    async def hang_up(self) -> None:
        """End the response, and keep the connection."""
        await self.end()

    async def end(self) -> None:
        """End the response, if there is one that hasn't ended, and be ready for a request."""
        if not self._status or self._has_ended:
            return
        await self._say(h11.EndOfMessage())
        self.exchange.ended("server", f"http:{self._status}")
        if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
            self.finish()
            return
        self.exchange.gone()
        self._begin_anew()
        self._http.start_next_cycle()
        await self._go_on()  # a further request may be there already

    def finish(self) -> None:
        """End the connection from this side, amid a response or after it."""
        self._has_ended = True
        super().finish()

    def reset(self) -> None:
        """Reset the connection."""
        self._has_ended = True
        super().reset()

    def cut(self) -> None:
        """End the connection at once, in both directions."""
        self._has_ended = True
        super().cut()

    async def _head(self, status: int, fields: Mapping[str, str]) -> None:
        self._status = status
        headers = {"date": formatdate(usegmt=True), **fields}
        if self._is_last:
            headers["connection"] = "close"
        reason = responses.get(status, "Unknown")  # gateways have codes of their own
        await self._say(
            h11.Response(
                status_code=status,
                headers=[
                    (name.encode(), value.encode("latin-1")) for name, value in headers.items()
                ],
                reason=reason.encode(),
            )
        )

    def _chunk(self, data: bytes) -> bytes:
        if self.exchange.method == "HEAD":
            return b""
        return self._http.send(h11.Data(data=data)) or b""

    async def _say(self, event: h11.Event) -> None:
        # Nothing is waited for where there is nothing to write: after the last byte of a response
        # its end is noted before the client's can be.
        if data := self._http.send(event):
            await self.write(data)
