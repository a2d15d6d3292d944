"""A server in a process of its own: ``python -m benchmarks.server '{"wire": "spark", ...}'``.

It prints one line of JSON with its ports and its authority's file, serves until its standard input
ends, and does as little as it can: what it sends was made before.
"""

from __future__ import annotations

import asyncio
import json
import resource
import select
import ssl
import sys
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from benchmarks.case import Answer
from benchmarks.wire import Script, script
from modelplug.testing.certificate import local_certificate

BACKLOG = 4096


@dataclass(slots=True)
class Seen:
    """How many connections were opened and closed, and when the last one closed."""

    opened: int = 0
    closed: int = 0
    last: float = 0.0


class Departures:
    """Who has left among those whom the server doesn't read any more: the kernel tells.

    Only Linux does. A client that says goodbye and waits for an answer hasn't left.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._silent: dict[int, asyncio.Transport] = {}
        asyncio.get_running_loop().add_reader(self._poll.fileno(), self._look)

    def watch(self, transport: asyncio.Transport) -> None:
        """Read nothing more of a connection, until its client closes it."""
        transport.pause_reading()
        descriptor = transport.get_extra_info("socket").fileno()
        self._silent[descriptor] = transport
        self._poll.register(descriptor, select.EPOLLRDHUP)

    def _look(self) -> None:
        for descriptor, _ in self._poll.poll(0):
            self._poll.unregister(descriptor)
            self._silent.pop(descriptor).abort()


class Speaker(asyncio.Protocol):
    """One connection: plays the script for each question."""

    transport: asyncio.Transport

    def __init__(self, played: Script, seen: Seen, departures: Departures | None = None) -> None:
        self._script = played
        self._seen = seen
        self._departures = departures
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._seen.opened += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        del exc
        self._seen.closed += 1
        self._seen.last = time.monotonic()
        if self._timer:
            self._timer.cancel()

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""

    def play(self) -> None:
        """Answer a question."""
        if self._script.gap:
            self._send(0, self._loop.time())
        else:
            self.transport.write(self._script.whole)
            self.played()

    def _send(self, at: int, due: float) -> None:
        self.transport.write(self._script.frames[at])
        if at + 1 == len(self._script.frames):
            self.played()
            return
        due += self._script.gap
        self._timer = self._loop.call_at(due, self._send, at + 1, due)

    def played(self) -> None:
        """Take note that the answer has been sent, or all that will be."""
        if self._departures:
            self._departures.watch(self.transport)


class SparkSpeaker(Speaker):
    """A WebSocket; a whole answer ends with a close, as Spark's does."""

    def __init__(
        self, played: Script, seen: Seen, departures: Departures | None = None, *, held: bool
    ) -> None:
        super().__init__(played, seen, departures)
        self._held = held
        self._protocol = ServerProtocol()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.play()
        self._flush()

    def eof_received(self) -> None:
        """See ``asyncio.Protocol``."""
        self._protocol.receive_eof()
        self._flush()

    def played(self) -> None:
        """Say goodbye, unless the client is to go first."""
        super().played()
        if not self._held:
            self._protocol.send_close(1000)
            self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()  # an empty one is the end


class OpenAISpeaker(Speaker):
    """HTTP/1.1, one request after another."""

    _unread = b""

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._unread += data
        head, end, body = self._unread.partition(b"\r\n\r\n")
        length = _length(head) if end else 0
        if end and len(body) >= length:
            self._unread = body[length:]
            self.play()


def _length(head: bytes) -> int:
    """The length of the body that a request's head announces."""
    fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in fields if name == b"content-length"), 0)


async def _tell(writer: asyncio.StreamWriter, seen: Seen) -> None:
    """Say what has been seen, and hang up."""
    told = {"opened": seen.opened, "closed": seen.closed, "last": seen.last}
    writer.write(json.dumps(told).encode())
    await writer.drain()
    writer.close()


async def serve(answer: Answer, context: ssl.SSLContext | None, authority: str) -> None:
    """Serve until standard input ends."""
    loop, seen, played = asyncio.get_running_loop(), Seen(), script(answer)
    told = (played, seen, Departures() if answer.stalled else None)
    speaker: Callable[[], Speaker] = lambda: OpenAISpeaker(*told)  # noqa: E731
    if answer.wire == "spark":
        speaker = lambda: SparkSpeaker(*told, held=answer.held)  # noqa: E731
    server = await loop.create_server(speaker, "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
    control = await asyncio.start_server(lambda _, writer: _tell(writer, seen), "127.0.0.1", 0)
    ports = [each.sockets[0].getsockname()[1] for each in (server, control)]
    ready = {"port": ports[0], "control": ports[1], "authority": authority}
    print(json.dumps(ready), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """Do what the one argument says, an ``Answer`` as JSON."""
    answer = Answer(**json.loads(sys.argv[1]))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        certificate = stack.enter_context(local_certificate()) if answer.tls else None
        context = certificate.context if certificate else None
        asyncio.run(serve(answer, context, certificate.ca_file if certificate else ""))


if __name__ == "__main__":
    main()
