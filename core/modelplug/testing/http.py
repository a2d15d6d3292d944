"""A scripted service over HTTP, in SSE or NDJSON; it needs the ``testing`` extra.

It has a thread and a loop of its own::

    with HttpUpstream(codec) as upstream:
        upstream.play("Hel", Gate("more"), "lo", Finish())
        client = new_client("acme", proxy_api_base=upstream.url)
        ...
        exchange = upstream.exchanges.wait()
        assert exchange.wait_gone()
        assert (exchange.closed_by, exchange.how) == ("server", "http:200")

``partial(HttpUpstream, frame=ndjson)`` is one that speaks NDJSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from ssl import SSLContext
from typing import ClassVar

from modelplug.delta import Finish
from modelplug.testing.codec import Codec, RawRequest
from modelplug.testing.framing import Framing, ndjson, sse
from modelplug.testing.httpconnection import HttpConnection, LocalProtocolError
from modelplug.testing.player import Player
from modelplug.testing.served import ServedUpstream
from modelplug.testing.server import Server
from modelplug.testing.steps import CloseCode, EarlyStatus, Fail, Garbage, Hang, Status, Step

__all__ = ["Framing", "HttpConnection", "HttpUpstream", "ndjson", "sse"]

_NO_FRAMES = "HTTP has no frames"


class HttpUpstream(ServedUpstream):
    """A scripted service over HTTP/1.1, while it is entered.

    Each request, of whatever method and path, takes a script; what nobody queued one for is
    answered with 500 and says so. An emulator is one that has its own ``answer`` for it, which
    runs on the server's loop.

    A script's messages are a response with status 200, which begins at once. One with a Finish
    or a Fail in it ends the response after its last step, and keeps the connection; one without
    stays silent then, until the client leaves. A Fail at its beginning is the codec's
    ``refusal``, if that has one. HEAD is answered by a head alone, whatever the script says, and
    CONNECT by 501: this is no proxy.

    Args:
        codec: says things as the provider's service would.
        host, port: where to listen; port 0 takes any free one.
        tls: makes it https: True with a certificate of its own, see ``ca_file``.
        frame: how messages stand in a response: ``sse``, or ``ndjson``.
    """

    lacks: ClassVar[Mapping[object, str]] = {
        CloseCode: "HTTP has no close codes",
        (Garbage, "opcode"): _NO_FRAMES,
        (Garbage, "reserved"): _NO_FRAMES,
        (Garbage, "masked"): _NO_FRAMES,
        (Garbage, "length"): _NO_FRAMES,
        (Garbage, "continuation"): _NO_FRAMES,
    }

    def __init__(
        self,
        codec: Codec,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | bool = False,
        frame: Framing = sse,
    ) -> None:
        self._frame = frame
        connect = partial(HttpConnection, frame=frame)
        server = Server(connect, self._converse, scheme="http", host=host, port=port, tls=tls)
        super().__init__(codec, server)

    def cannot(self, step: Step) -> str:
        """Why it can't play a step; empty if it can."""
        return super().cannot(step) or self._frame.lacks.get(type(step), "")

    # ------------------------------------------------------------------ for emulators

    async def answer(self, connection: HttpConnection, request: RawRequest) -> None:
        """Answer a request for which nothing was queued.

        With a whole response, ``await connection.respond(Status(200, body, headers=...))``, or
        in messages: ``begin``, ``say`` as often as need be, ``end``. One that isn't ended stays
        as it is until the client leaves.
        """
        await connection.respond(Status(500, "nothing was queued for this request"))

    # ------------------------------------------------------------------ scripts first

    async def _converse(self, connection: HttpConnection) -> None:
        while connection.is_open:
            head = await connection.head()
            if head.method == "CONNECT":
                await connection.respond(Status(501, "this is no proxy"), last=True)
                return
            early = self._scripts.take_early(head, _early)
            if early is not None:
                await connection.respond(early)
            else:
                await self._respond(connection, await connection.receive())

    async def _respond(self, connection: HttpConnection, request: RawRequest) -> None:
        steps = self._scripts.take(request)
        if steps is None:
            await self.answer(connection, request)
        elif (status := self._status(steps)) is not None:
            await connection.respond(status)
        elif Hang() not in steps:
            await connection.begin()
            if request.method == "HEAD":
                await connection.end()
                return
            with suppress(LocalProtocolError):  # a script may go on after it has hung up
                await Player(connection, self._codec.encoder(request), self._gates).play(steps)
                if any(isinstance(step, Finish | Fail) for step in steps):
                    await connection.end()

    def _status(self, steps: Sequence[Step]) -> Status | None:
        first = steps[0] if steps else None
        if isinstance(first, Fail):
            return self._codec.refusal(first)
        return first if isinstance(first, Status) else None


def _early(steps: Sequence[Step]) -> EarlyStatus | None:
    first = steps[0] if steps else None
    return first if isinstance(first, EarlyStatus) else None
