"""What an upstream saw of one client: what was asked, who closed the connection, how and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, overload

from modelplug.testing.codec import RawRequest

__all__ = ["Exchange", "Exchanges", "Side"]

Side: TypeAlias = Literal["client", "server"]


@dataclass(eq=False)
class Exchange:
    """One connection, as the server sees it. Another thread writes it: read it when it's done.

    Times are ``time.monotonic()`` seconds.

    Attributes:
        opened: when the connection was taken.
        target, headers: of the handshake; they may hold credentials and aren't shown by repr.
        messages: what the client sent, in order.
        first_sent: when the first byte of an answer was written.
        bytes_accepted: how many bytes the system has taken, handshakes included; over TLS those
            of its records.
        closed: when the connection ended.
        closed_by: who ended it.
        how: ``ws:1000`` for a close frame with that code (1005: with none), ``fin`` for an end
            without one, ``rst`` for a reset, ``http:401`` for a handshake that was refused,
            ``tls`` where the two didn't agree on TLS.
    """

    opened: float = field(default_factory=time.monotonic)
    target: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    messages: list[bytes] = field(default_factory=list)
    first_sent: float | None = None
    bytes_accepted: int = 0
    closed: float | None = None
    closed_by: Side | None = None
    how: str | None = None
    _asked: threading.Event = field(init=False, default_factory=threading.Event, repr=False)
    _gone: threading.Event = field(init=False, default_factory=threading.Event, repr=False)

    @property
    def request(self) -> RawRequest:
        """The handshake with the last message."""
        last = self.messages[-1] if self.messages else b""
        return RawRequest(target=self.target, headers=self.headers, body=last)

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
        """Note that the connection is no more. For the engine."""
        self.closed = time.monotonic()
        self._asked.set()  # nobody shall wait for a message that can't come
        self._gone.set()


class Exchanges(Sequence[Exchange]):
    """What an upstream saw: one exchange for each connection, in order; it grows."""

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
        """Note a connection. For the engine."""
        with self._more:
            self._seen.append(exchange)
            self._more.notify_all()
