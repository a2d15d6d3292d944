"""A scripted service behind a real WebSocket; it needs the ``testing`` extra.

It has a thread and a loop of its own::

    with WebSocketUpstream(codec) as upstream:
        upstream.play("Hel", Gate("more"), "lo", Finish())
        client = new_client("acme", proxy_api_base=upstream.url)
        stream = client.sync_generate_stream("Say hello")
        next(stream)
        upstream.release("more")
        ...
        assert upstream.exchanges.wait().wait_gone()

Beneath it is ``WebSocketServer``, for services that aren't scripted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ssl import SSLContext
from typing import ClassVar, TypeAlias

from modelplug.testing.codec import Codec, RawRequest
from modelplug.testing.connection import Connection, InvalidState
from modelplug.testing.player import Player
from modelplug.testing.served import ServedUpstream
from modelplug.testing.server import Server
from modelplug.testing.steps import EarlyStatus, Fail, Garbage, Hang, Lines, Status, Step

__all__ = ["Admit", "Connection", "Converse", "WebSocketServer", "WebSocketUpstream"]

Admit: TypeAlias = Callable[[RawRequest], Status | Hang | None]
"""What to do with a handshake: None lets it in."""

Converse: TypeAlias = Callable[[Connection], Awaitable[None]]
"""Talks to a client that was let in; it is cancelled when the client has gone."""


class WebSocketServer(Server[Connection]):
    """Serves WebSockets while it is entered, in a thread and a loop of its own.

    Args:
        converse: see ``Converse``; it runs on the server's loop.
        admit: see ``Admit``; so does it.
        host, port: where to listen; port 0 takes any free one.
        tls: makes it wss: True with a certificate of its own, see ``ca_file``.
    """

    def __init__(
        self,
        converse: Converse,
        *,
        admit: Admit = lambda _: None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | bool = False,
    ) -> None:
        super().__init__(Connection, self._meet, scheme="ws", host=host, port=port, tls=tls)
        self._converse = converse
        self._admit = admit

    async def _meet(self, connection: Connection) -> None:
        try:
            verdict = self._admit(await connection.handshake())
            if isinstance(verdict, Status):
                await connection.refuse(verdict)
            elif verdict is None:
                await connection.accept()
                await self._converse(connection)
        except InvalidState:
            await asyncio.Future()  # it spoke to a client that was closing, or closed it itself


class WebSocketUpstream(ServedUpstream):
    """A scripted service behind a WebSocket, while it is entered.

    What nobody queued a script for is closed with 1011 and says so. An emulator is one that has
    its own ``answer`` for it, and its own ``admit`` and ``leave``; they run on the server's loop.

    Args:
        codec: says things as the provider's service would.
        host, port: where to listen; port 0 takes any free one.
        tls: makes it wss: True with a certificate of its own, see ``ca_file``.
        patience: seconds after which a client that asks nothing is left; None for none.
    """

    lacks: ClassVar[Mapping[object, str]] = {
        Lines: "a WebSocket has no lines",
        EarlyStatus: "a WebSocket's handshake has no body that could still be on its way",
        (Garbage, "chunk"): "a WebSocket has no chunks",
    }
    handshakes: ClassVar[bool] = True

    def __init__(
        self,
        codec: Codec,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | bool = False,
        patience: float | None = None,
    ) -> None:
        server = WebSocketServer(
            self._converse, admit=self._admitted, host=host, port=port, tls=tls
        )
        super().__init__(codec, server)
        self._patience = patience

    # ------------------------------------------------------------------ for emulators

    def admit(self, request: RawRequest) -> Status | Hang | None:
        """What is answered to a handshake that no script is about; None lets it in."""
        return None

    async def answer(self, connection: Connection, request: RawRequest) -> None:
        """Answer a message for which nothing was queued."""
        await connection.close(1011, "nothing was queued for this request")

    async def leave(self, connection: Connection) -> None:
        """End a connection on which nothing is asked."""
        await connection.close(1000)

    # ------------------------------------------------------------------ scripts first

    def _admitted(self, request: RawRequest) -> Status | Hang | None:
        verdict = self._scripts.take_early(request, self._verdict)
        return self.admit(request) if verdict is None else verdict

    def _verdict(self, steps: Sequence[Step]) -> Status | Hang | None:
        first = steps[0] if steps else None
        if isinstance(first, Status | Hang):
            return first
        return self._codec.refusal(first) if isinstance(first, Fail) else None

    async def _converse(self, connection: Connection) -> None:
        while connection.is_open:
            try:
                async with asyncio.timeout(self._patience):
                    request = await connection.receive()
            except TimeoutError:
                await self.leave(connection)
            else:
                await self._respond(connection, request)

    async def _respond(self, connection: Connection, request: RawRequest) -> None:
        steps = self._scripts.take(request)
        if steps is None:
            await self.answer(connection, request)
        else:
            await Player(connection, self._codec.encoder(request), self._gates).play(steps)
