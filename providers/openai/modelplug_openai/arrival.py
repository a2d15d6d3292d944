"""The body of a response, and what it is: events, one whole answer, or neither.

The content type says so (RFC 9110 section 8.3). But the first bytes have the last word: servers
stream under no type, under ``text/plain``, even under that of JSON; and some are asked for a
stream and answer whole, or refuse, under the type of a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Literal, Protocol, TypeAlias

from modelplug import Delta, Finish
from modelplug_openai.protocol import OpenAIProtocol
from modelplug_openai.sse import Events

__all__ = ["Arrival", "Receiver", "Shape", "Source"]

Shape: TypeAlias = Literal["events", "whole", "neither"]

Receiver: TypeAlias = Callable[[], Awaitable[list[Delta | Finish]]]
"""What gives the pieces of an answer that come next."""

_STREAM, _JSON = "text/event-stream", "application/json"

_FIELDS = (b"data", b"event", b"id", b"retry", b":")
"""What a stream of events may begin with
(https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

_GRACE_SECONDS = 2.0
"""How long the usage, and what ends the stream, are waited for once the answer is whole: some
servers send neither, and keep the connection."""

_BOM = b"\xef\xbb\xbf"


class Source(Protocol):
    """Where the bytes come from: ``modelplug.transport.http.Response``, which says more of it."""

    @property
    def content_type(self) -> str:
        """The media type; empty if there is none."""

    async def take(self) -> bytes:
        """What is at hand; none once the body is whole."""

    async def read(self, *, limit: int = ...) -> bytes:
        """All that is left of the body."""


class Arrival:
    """The body of a response, at whose beginning one may look.

    What was looked at is no local of anybody's, which a traceback could show: it may repeat what
    it answers, key and all.
    """

    __slots__ = ("_begun", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._begun = b""

    async def shape(self) -> Shape:
        """What comes; to be asked once, before anything is taken.

        Raises:
            ProxyLLMError: what ``Source.take`` raises.
        """
        kind = self._source.content_type
        # Blank lines keep a connection alive, and belong to neither.
        while not self._begun and (data := await self._source.take()):
            self._begun = data.removeprefix(_BOM).lstrip()
        if self._begun.startswith(b"{") or (kind == _STREAM and self._begun.startswith(b"[")):
            return "whole"
        if kind == _STREAM or (self._begun and any(map(self._may_begin_with, _FIELDS))):
            return "events"
        return "whole" if kind == _JSON else "neither"

    def _may_begin_with(self, name: bytes) -> bool:
        return self._begun.startswith(name) or name.startswith(self._begun)

    async def receiver(self, protocol: OpenAIProtocol) -> Receiver | None:
        """What has the protocol take in what comes; None where that is no answer.

        Raises:
            ProxyLLMError: see ``shape``.
        """
        match await self.shape():
            case "events":
                return _Stream(self, protocol)
            case "whole":
                return partial(_whole, self, protocol)
        return None

    async def take(self) -> bytes:
        """As ``Source.take``."""
        begun, self._begun = self._begun, b""
        return begun or await self._source.take()

    async def read(self, *, limit: int = 1 << 24) -> bytes:
        """As ``Source.read``."""
        begun, self._begun = self._begun, b""
        return begun + await self._source.read(limit=limit)


class _Stream:
    """What has the protocol take in the events that come next.

    A failure is left in the protocol, to be raised where no frame holds what came: it may repeat
    what it answers, key and all.
    """

    __slots__ = ("_arrival", "_events", "_protocol", "_until")

    def __init__(self, arrival: Arrival, protocol: OpenAIProtocol) -> None:
        self._arrival = arrival
        self._events = Events()
        self._protocol = protocol
        self._until: float | None = None

    async def __call__(self) -> list[Delta | Finish]:
        events, protocol = self._events, self._protocol
        data = await (self._last() if protocol.is_whole else self._arrival.take())
        if not data:
            return protocol.closed()
        pieces = protocol.receive(events.feed(data))
        if events.failure is not None and protocol.failure is None and not protocol.done:
            protocol.fail(events.failure)
        return pieces

    async def _last(self) -> bytes:
        """What comes after a whole answer; none if that takes too long."""
        if self._until is None:  # what comes meanwhile, keep-alives say, doesn't begin it anew
            self._until = asyncio.get_running_loop().time() + _GRACE_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._until):
                return await self._arrival.take()
        return b""


async def _whole(arrival: Arrival, protocol: OpenAIProtocol) -> list[Delta | Finish]:
    """The pieces in an answer that comes all at once."""
    return protocol.completion(await arrival.read())
