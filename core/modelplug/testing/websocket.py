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
from collections.abc import Sequence
from ssl import SSLContext
from types import TracebackType
from typing import Self

from modelplug.testing.codec import Codec, RawRequest
from modelplug.testing.connection import Connection
from modelplug.testing.exchange import Exchanges
from modelplug.testing.player import Player
from modelplug.testing.server import Admit, Converse, WebSocketServer
from modelplug.testing.steps import Fail, Hang, Status, Step
from modelplug.testing.upstream import Upstream

__all__ = ["Admit", "Connection", "Converse", "WebSocketServer", "WebSocketUpstream"]


class WebSocketUpstream(Upstream):
    """A scripted service behind a WebSocket, while it is entered.

    What nobody queued a script for is closed with 1011 and says so. An emulator is one that has
    its own ``answer`` for it, and its own ``admit`` and ``leave``; they run on the server's loop.

    Args:
        codec: says things as the provider's service would.
        host, port: where to listen; port 0 takes any free one.
        tls: makes it wss: True with a certificate of its own, see ``ca_file``.
        patience: seconds after which a client that asks nothing is left; None for none.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | bool = False,
        patience: float | None = None,
    ) -> None:
        super().__init__(codec)
        self._server = WebSocketServer(
            self._converse, admit=self._admitted, host=host, port=port, tls=tls
        )
        self._patience = patience

    def __enter__(self) -> Self:
        """Serve.

        Raises:
            MissingDependencyError: a certificate is wanted, and trustme isn't installed.
            OSError: there is no such address here, or it is taken.
            WrongUseError: it is entered already.
        """
        self._server.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Cut every connection and stop.

        Raises:
            BaseException: the first that the codec raised, or a ``when``, or ``admit``,
                ``answer`` or ``leave``. What the block raised goes before it.
        """
        self._server.__exit__(exc_type, exc, traceback)

    @property
    def url(self) -> str:
        """Its origin, such as ``ws://127.0.0.1:49152``.

        Raises:
            WrongUseError: it isn't entered.
        """
        return self._server.url

    @property
    def ca_file(self) -> str | None:
        """The authority of its own certificate, a PEM file, if it made one."""
        return self._server.ca_file

    @property
    def exchanges(self) -> Exchanges:
        """What it saw: one for each connection, in order."""
        return self._server.exchanges

    def _refuse(self, *, refusing: bool) -> None:
        self._server.refuse(refusing=refusing)

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
