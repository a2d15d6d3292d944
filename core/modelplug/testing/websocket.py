"""A WebSocket server for scripts and emulators; it needs the ``websocket`` extra.

``WebSocketServer`` is the engine, ``WebSocketUpstream`` is one that plays scripts; each has a
thread and a loop of its own::

    with WebSocketUpstream(codec) as upstream:
        upstream.play("Hel", Gate("more"), "lo", Finish())
        client = new_client("acme", proxy_api_base=upstream.url)
        stream = client.sync_generate_stream("Say hello")
        next(stream)
        upstream.release("more")
        ...
        assert upstream.exchanges.wait().wait_gone()

A server never closes a connection unless it is told to, so that a client which leaks one is
seen to do so.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from ssl import SSLContext
from typing import Self, TypeAlias

from websockets.exceptions import InvalidState

from modelplug.errors import WrongUseError
from modelplug.testing.certificate import LocalCertificate, local_certificate
from modelplug.testing.codec import Codec, RawRequest
from modelplug.testing.connection import Connection
from modelplug.testing.exchange import Exchanges
from modelplug.testing.gates import Gates
from modelplug.testing.pipe import Pipe
from modelplug.testing.player import Player
from modelplug.testing.scripts import Script, Scripts
from modelplug.testing.steps import Fail, Hang, Refuse, Status, Step
from modelplug.testing.threads import in_thread

__all__ = ["Admit", "Connection", "Converse", "WebSocketServer", "WebSocketUpstream"]

Admit: TypeAlias = Callable[[RawRequest], Status | Hang | None]
"""What to do with a handshake: None lets it in."""

Converse: TypeAlias = Callable[[Connection], Awaitable[None]]
"""Talks to a client that was let in; it is cancelled when the client has gone."""

_BACKLOG = 1024
"""Connections that wait to be taken: a test may open very many at once."""


class WebSocketServer:
    """Serves WebSockets while it is entered, in a thread and a loop of its own.

    So a client that blocks doesn't stop the server which should show that it does.

    Args:
        converse: see ``Converse``; it runs on the server's loop.
        admit: see ``Admit``; so does it.
        host, port: where to listen; port 0 takes any free one.
        tls: makes it wss.

    Attributes:
        exchanges: what it saw.
        tls: as given; it may be set until it is entered.
    """

    def __init__(
        self,
        converse: Converse,
        *,
        admit: Admit = lambda _: None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | None = None,
    ) -> None:
        self.exchanges = Exchanges()
        self._converse = converse
        self._admit = admit
        self._host, self._port = host, port
        self.tls = tls
        self._listener: socket.socket | None = None
        self._clients: dict[asyncio.Task[None], Connection] = {}
        self._faults: list[Exception] = []
        self._running = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """Where it listens, as an origin: ``ws://127.0.0.1:49152``.

        Raises:
            WrongUseError: it isn't entered.
        """
        if self._listener is None:
            raise WrongUseError("a server has no address before it is entered")
        host, port = self._listener.getsockname()[:2]
        scheme = "wss" if self.tls else "ws"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    @property
    def open_count(self) -> int:
        """How many connections are open."""
        return len(self._clients)

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            OSError: there is no such address here, or it is taken.
        """
        self._loop = self._running.enter_context(in_thread(self._serving()))
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Cut every connection and stop listening.

        Raises:
            Exception: the first that ``admit``, ``converse`` or a codec raised.
        """
        self._loop = None
        self._running.close()
        if self._faults:
            raise self._faults[0]

    def refuse(self, *, refusing: bool = True) -> None:
        """Have the system refuse connections, or take them again; those that are open stay.

        Raises:
            WrongUseError: it isn't entered.
        """
        if self._loop is None:
            raise WrongUseError("a server that isn't entered takes no connections anyhow")
        change = self._refuse if refusing else self._listen
        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    # ------------------------------------------------------------------ on its own loop

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        await self._bind(self._host, self._port)
        await self._listen()
        try:
            yield
        finally:
            self._forget()
            # Not cancelled, but cut: each ends when its socket has gone, and not a turn earlier.
            for connection in self._clients.values():
                connection.cut()
            await asyncio.gather(*self._clients)

    async def _bind(self, host: str, port: int) -> None:
        told = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = told[0]
        self._listener = socket.socket(family, kind, protocol)
        self._listener.setblocking(False)
        if os.name == "posix":  # elsewhere it would let two servers share a port
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind(address)
        except OSError:
            self._listener.close()
            raise

    async def _listen(self) -> None:
        if self._listener is not None:
            self._listener.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def _refuse(self) -> None:
        """Keep the address, so that nobody else gets it, and don't listen."""
        if self._listener is not None:
            host, port = self._listener.getsockname()[:2]
            self._forget()
            await self._bind(host, port)

    def _forget(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's server: stopped while it accepts, it leaves the socket to the collector.
        with suppress(BlockingIOError, ConnectionError):
            while True:
                client, _ = listener.accept()
                connection = Connection(Pipe(client, self.tls))
                self.exchanges.add(connection.exchange)
                task = asyncio.ensure_future(self._serve(connection))
                self._clients[task] = connection
                task.add_done_callback(self._clients.pop)

    async def _serve(self, connection: Connection) -> None:
        talk = asyncio.ensure_future(self._talk(connection))
        try:
            await connection.watch()
        finally:
            talk.cancel()
            with suppress(asyncio.CancelledError):
                await talk
            connection.drop()

    async def _talk(self, connection: Connection) -> None:
        try:
            verdict = self._admit(await connection.handshake())
            if isinstance(verdict, Status):
                await connection.refuse(verdict)
            elif verdict is None:
                await connection.accept()
                await self._converse(connection)
        except InvalidState:
            await asyncio.Future()  # it spoke to a client that was closing, or closed it itself
        except Exception as fault:  # noqa: BLE001  # a test's own code; told when the server ends
            self._faults.append(fault)
            connection.cut()


class WebSocketUpstream:
    """A scripted service for tests, while it is entered.

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
        self._codec = codec
        self._gates = Gates()
        self._scripts: Scripts[RawRequest] = Scripts()
        self._server = WebSocketServer(self._converse, admit=self._admitted, host=host, port=port)
        self._tls = tls
        self._patience = patience
        self._certificate: LocalCertificate | None = None
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Serve.

        Raises:
            OSError: there is no such address here, or it is taken.
            MissingDependencyError: a certificate is wanted, and trustme isn't installed.
        """
        with ExitStack() as starting:
            if self._tls is True:
                self._certificate = starting.enter_context(local_certificate())
                self._server.tls = self._certificate.context
            else:
                self._server.tls = self._tls or None
            starting.enter_context(self._server)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Cut every connection and stop.

        Raises:
            Exception: the first that the codec raised, or ``admit``, ``answer`` or ``leave``.
        """
        self._certificate = None
        self._running.close()

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
        return self._certificate.ca_file if self._certificate else None

    @property
    def exchanges(self) -> Exchanges:
        """What it saw: one for each connection, in order."""
        return self._server.exchanges

    @property
    def open_count(self) -> int:
        """How many connections are open."""
        return self._server.open_count

    def play(
        self,
        *steps: Step,
        times: int | None = 1,
        when: Callable[[RawRequest], bool] | None = None,
    ) -> None:
        """Queue a script for the next request, or the next ones.

        Args:
            steps: see ``modelplug.testing.steps``.
            times: for how many requests; None for all that come.
            when: for which requests; None for any.

        Raises:
            WrongUseError: the upstream isn't entered.
        """
        refusing = Refuse() in steps
        self._server.refuse(refusing=refusing)
        if not refusing:
            self._scripts.add(Script(steps, when, times))

    def release(self, gate: str) -> None:
        """Open a gate."""
        self._gates.release(gate)

    def wait_reached(self, gate: str, within: float = 10.0) -> bool:
        """Wait until a script has come to a gate, ``within`` seconds; whether it has."""
        return self._gates.wait_reached(gate, within)

    # ------------------------------------------------------------------ for emulators

    def admit(self, request: RawRequest) -> Status | Hang | None:
        """What is answered to a handshake that no script is about; None lets it in."""
        return None

    async def answer(self, connection: Connection) -> None:
        """Answer the last message, for which nothing was queued."""
        await connection.close(1011, "nothing was queued for this request")

    async def leave(self, connection: Connection) -> None:
        """End a connection on which nothing is asked."""
        await connection.close(1000)

    # ------------------------------------------------------------------ scripts first

    def _admitted(self, request: RawRequest) -> Status | Hang | None:
        steps = self._scripts.peek(request)
        verdict = self._verdict(steps[0]) if steps else None
        if verdict is None:
            return self.admit(request)
        self._scripts.take(request)
        return verdict

    def _verdict(self, step: Step) -> Status | Hang | None:
        if isinstance(step, Status | Hang):
            return step
        return self._codec.refusal(step) if isinstance(step, Fail) else None

    async def _converse(self, connection: Connection) -> None:
        while connection.is_open:
            try:
                async with asyncio.timeout(self._patience):
                    await connection.receive()
            except TimeoutError:
                await self.leave(connection)
            else:
                await self._respond(connection)

    async def _respond(self, connection: Connection) -> None:
        request = connection.exchange.request
        steps = self._scripts.take(request)
        if steps is None:
            await self.answer(connection)
        else:
            await Player(connection, self._codec.encoder(request), self._gates).play(steps)
