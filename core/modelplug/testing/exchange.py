"""What an upstream saw of one client: what was asked, who closed the connection, how and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, overload

from modelplug.testing.codec import Called, RawRequest

__all__ = ["Exchange", "Exchanges", "Side"]

Side: TypeAlias = Literal["client", "server"]


@dataclass(eq=False)
class Exchange:
    """A WebSocket, or one HTTP request with its answer, as the server sees it.

    Another thread writes it: read it when it's done. Over HTTP the first on a connection begins
    when that is taken, so that a client which only connects is seen. Each further request on the
    same connection is an exchange of its own. In process it is one call of the library, on a
    connection of its own, so to speak. Times are ``time.monotonic()`` seconds.

    Attributes:
        connection: the number of the connection that it came on, counted from 0.
        opened: when the connection was taken, or a further request came on it.
        method, target, headers: of the handshake, or the request; the last two may hold
            credentials and aren't shown by repr.
        messages: what the client sent, in order; over HTTP the body of the request, which may be
            empty, once it is all there; in process the call's repr.
        called: what the library was called with, in process.
        first_sent: when the first byte of an answer was written.
        bytes_accepted: how many bytes the system has taken, handshakes included; over TLS those
            of its records. In process it counts what was taken out of the iterator, one by one.
        closed: when the connection ended; of a response that is whole, when it was, if the
            connection stays open.
        closed_by: who ended it.
        how: ``ws:1000`` for a close frame with that code (1005: with none), ``fin`` for an end
            without one, ``rst`` for a reset, ``http:401`` for a handshake that was refused or a
            response that is whole, ``tls`` where the two didn't agree on TLS. In process
            ``generator`` if its user closed the iterator or told it to stop, ``end`` if it came
            to its own end, and ``collected`` if nobody closed it: then it isn't gone.
    """

    connection: int = 0
    opened: float = field(default_factory=time.monotonic)
    method: str = ""
    target: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    messages: list[bytes] = field(default_factory=list)
    called: Called = field(default_factory=Called, repr=False)
    first_sent: float | None = None
    bytes_accepted: int = 0
    closed: float | None = None
    closed_by: Side | None = None
    how: str | None = None
    _asked: threading.Event = field(init=False, default_factory=threading.Event, repr=False)
    _gone: threading.Event = field(init=False, default_factory=threading.Event, repr=False)

    @property
    def request(self) -> RawRequest:
        """The handshake, or the request, with the last message."""
        return RawRequest(
            method=self.method,
            target=self.target,
            headers=self.headers,
            body=self.messages[-1] if self.messages else b"",
            called=self.called,
        )

    @property
    def question(self) -> object:
        """The last message, from JSON.

        Raises:
            ValueError: it is none, or there is none.
        """
        return json.loads(self.request.body)

    def wait_asked(self, within: float = 10.0) -> bool:
        """Wait for a first message, ``within`` seconds; whether it came."""
        return self._asked.wait(within) and bool(self.messages)

    def wait_gone(self, within: float = 10.0) -> bool:
        """Wait until the client's end of the connection is closed; whether it was in time.

        Over HTTP it is enough that the response is whole, if the connection stays open.
        It blocks: on an event loop, ``await asyncio.to_thread(exchange.wait_gone)``.
        """
        return self._gone.wait(within)

    def asked(self, message: bytes) -> None:
        """Note a message. For the engine."""
        self.messages.append(message)
        self._asked.set()

    def sent(self, count: int) -> None:
        """Note that the system has taken so many bytes. For the engine."""
        self.bytes_accepted += count

    def ended(self, by: Side, how: str) -> None:
        """Note an end; the first word counts. For the engine."""
        if self.closed_by is None:
            self.closed_by, self.how = by, how

    def gone(self) -> None:
        """Note that it is no more; the first time counts. For the engine."""
        if self.closed is None:
            self.closed = time.monotonic()
        self._asked.set()  # nobody shall wait for a message that can't come
        self._gone.set()


class Exchanges(Sequence[Exchange]):
    """What an upstream saw, in order; it grows. See ``Exchange``."""

    def __init__(self) -> None:
        self._seen: list[Exchange] = []
        self._more = threading.Condition()

    @overload
    def __getitem__(self, index: int) -> Exchange: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Exchange]: ...

    def __getitem__(self, index: int | slice) -> Exchange | Sequence[Exchange]:
        return self._seen[index]

    def __len__(self) -> int:
        return len(self._seen)

    def wait(self, number: int = 0, within: float = 10.0) -> Exchange:
        """The exchange of this number, counted from 0, once there is one.

        Raises:
            TimeoutError: there was none ``within`` so many seconds.
        """
        with self._more:
            if not self._more.wait_for(lambda: len(self._seen) > number, within):
                raise TimeoutError(f"after {within} seconds there were {len(self._seen)} exchanges")
            return self._seen[number]

    def add(self, exchange: Exchange) -> None:
        """Note one more. For the engine."""
        with self._more:
            self._seen.append(exchange)
            self._more.notify_all()
