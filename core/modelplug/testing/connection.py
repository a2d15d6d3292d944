"""One client's WebSocket connection, from the server's side: bytes, messages, observation.

websockets' protocol without I/O reads and writes the frames; what goes on the socket, when, and
in which pieces is decided here, so that a script can cut, split and spoil it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus
from http.client import responses
from itertools import pairwise

from modelplug.errors import MissingDependencyError
from modelplug.testing.codec import RawRequest
from modelplug.testing.exchange import Exchange
from modelplug.testing.steps import CloseCode, Status, Step
from modelplug.testing.taken import TakenConnection

try:
    from websockets.datastructures import Headers
    from websockets.exceptions import InvalidState
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Request, Response
    from websockets.server import ServerProtocol
except ImportError:
    raise MissingDependencyError(
        "the websockets package is missing, or too old",
        hint="pip install 'modelplug[testing]'",
    ) from None

__all__ = ["Connection", "InvalidState"]

_MAX_BYTES = 16 * 2**20

# The library would log request lines and headers, which may hold credentials. No logger of the
# tree: an app's own logging configuration may switch those on again.
_SILENT = logging.Logger("modelplug.testing.websockets")  # noqa: LOG001  # see above
_SILENT.disabled = True


class Connection(TakenConnection):
    """A connection, from when it is taken on; made by the server for each client.

    Attributes:
        exchange: what was seen of the client.
    """

    def __init__(
        self,
        client: socket.socket,
        tls: ssl.SSLContext | None,
        *,
        number: int = 0,
        note: Callable[[Exchange], None] = lambda _: None,
    ) -> None:
        super().__init__(client, tls, number=number)
        self._protocol = ServerProtocol(max_size=_MAX_BYTES, logger=_SILENT)
        self._request: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()
        self._parts: list[bytes] = []

    # ------------------------------------------------------------------ what is read

    async def _received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            self._take(event)
        await self._reply()

    async def handshake(self) -> RawRequest:
        """Wait for the handshake; it is answered by ``accept`` or ``refuse``."""
        request = await self._request
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        self.exchange.method = "GET"  # the library takes no other
        self.exchange.target, self.exchange.headers = request.path, headers
        return self.exchange.request

    async def receive(self) -> RawRequest:
        """The handshake with the next message."""
        return replace(self.exchange.request, body=await self._messages.get())

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended it."""
        return self.exchange.closed_by is None

    def _take(self, event: object) -> None:
        if isinstance(event, Request):
            self._request.set_result(event)
        elif isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
            close = self._protocol.close_rcvd
            self.exchange.ended("client", f"ws:{close.code if close else 1005}")
        elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(event.data))
            if event.fin:
                message, self._parts = b"".join(self._parts), []
                self.exchange.asked(message)
                self._messages.put_nowait(message)

    async def _reply(self) -> None:
        """Answer pings, and the close of a client."""
        data = self._protocol.data_to_send()
        if self._protocol.close_sent is not None:
            self.exchange.ended("server", f"ws:{self._protocol.close_sent.code}")
        await self._pipe.write(data)
        if b"" in data:  # the protocol's sign that it has nothing more to say
            self.finish()

    # ------------------------------------------------------------------ what is written

    async def accept(self) -> None:
        """Agree to the handshake; one that is none, or a wrong one, is refused."""
        response = self._protocol.accept(await self._request)
        self._protocol.send_response(response)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self.exchange.ended("server", f"http:{response.status_code}")
        await self.write(self._framed())
        if not self.is_open:
            self.finish()

    async def refuse(self, status: Status) -> None:
        """Answer the handshake with something else, and hang up."""
        body = status.body.encode()
        headers = {
            "date": formatdate(usegmt=True),
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(len(body)),
            "connection": "close",
            **{name.lower(): value for name, value in status.headers.items()},
        }
        phrase = responses.get(status.status, "Unknown")  # gateways have codes of their own
        self._protocol.send_response(Response(status.status, phrase, Headers(headers), body))
        self.exchange.ended("server", f"http:{status.status}")
        await self.write(self._framed())
        self.finish()

    def message_frames(
        self, data: bytes, *, binary: bool = False, frames: int = 1, ping_between: bool = False
    ) -> list[bytes]:
        """A message as the bytes of its frames, to be written."""
        cuts = [number * len(data) // frames for number in range(frames + 1)]
        parts = [data[start:end] for start, end in pairwise(cuts)]
        made = []
        for number, part in enumerate(parts):
            fin = number == len(parts) - 1
            if number:
                self._protocol.send_continuation(part, fin=fin)
            elif binary:
                self._protocol.send_binary(part, fin=fin)
            else:
                self._protocol.send_text(part, fin=fin)
            if ping_between and not fin:
                self._protocol.send_ping(b"between")
            made.append(self._framed())
        return made

    def part(self, data: bytes, share: float) -> bytes:
        """The beginning of a message's frame."""
        frame = b"".join(self.message_frames(data))
        return frame[: int(len(frame) * share)]

    async def change(self, step: Step) -> None:
        """Do what no other kind of wire has."""
        if isinstance(step, CloseCode):
            await self.close(step.code, step.reason)

    async def hang_up(self) -> None:
        """Close politely."""
        await self.close(1000)

    async def ping(self) -> None:
        """Send a ping."""
        self._protocol.send_ping(b"")
        await self.write(self._framed())

    async def close(self, code: int, reason: str = "") -> None:
        """Close the WebSocket, from this side."""
        self._protocol.send_close(code, reason)
        self.exchange.ended("server", f"ws:{code}")
        await self.write(self._framed())

    def _framed(self) -> bytes:
        """What the protocol has to say, as bytes."""
        return b"".join(self._protocol.data_to_send())
