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
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, asynccontextmanager, suppress
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self, TypeAlias

from websockets.exceptions import InvalidState

from modelplug.errors import WrongUseError
from modelplug.testing.certificate import LocalCertificate, local_certificate
from modelplug.testing.codec import Codec, RawRequest
from modelplug.testing.connection import Connection
from modelplug.testing.exchange import Exchanges
from modelplug.testing.gates import Gates
from modelplug.testing.player import Player
from modelplug.testing.scripts import Script, Scripts
from modelplug.testing.steps import Fail, Hang, Refuse, Status, Step
from modelplug.testing.threads import in_thread

__all__ = ["Admit", "Connection", "Converse", "WebSocketServer", "WebSocketUpstream"]

Admit: TypeAlias = Callable[[RawRequest], Status | Hang | None]
"""What to do with a handshake: None lets it in."""

Converse: TypeAlias = Callable[[Connection], Awaitable[None]]
"""Talks to a client that was let in; it is cancelled when the client has gone."""

_SWITCHING_SECONDS = 5.0
"""How long the server's own thread may take to stop listening, or to listen again."""

_RECOVERY_SECONDS = 0.1
"""How long no connection is taken after one couldn't be, for want of descriptors."""

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
        self._faults: list[BaseException] = []
        self._running = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._address: tuple[str, int] | None = None
        self._refusing = False

    @property
    def url(self) -> str:
        """Where it listens, as an origin: ``ws://127.0.0.1:49152``.

        Raises:
            WrongUseError: it isn't entered.
        """
        if self._address is None:
            raise WrongUseError("a server has no address before it is entered")
        host, port = self._address
        scheme = "wss" if self.tls else "ws"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    @property
    def open_count(self) -> int:
        """How many connections are open."""
        return sum(each.closed is None for each in self.exchanges)

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            OSError: there is no such address here, or it is taken.
            WrongUseError: it is entered already.
        """
        if self._loop is not None:
            raise WrongUseError("a server is entered once at a time")
        self._faults.clear()
        self._loop = self._running.enter_context(in_thread(self._serving()))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Cut every connection and stop listening.

        Raises:
            BaseException: the first that ``admit``, ``converse`` or a codec raised. What the
                block raised goes before it.
        """
        self._loop = None
        self._running.close()
        self._address = None
        if self._faults and exc is None:
            raise self._faults[0]
        if self._faults and exc is not None:
            exc.add_note(f"the server met a fault as well: {self._faults[0]!r}")

    def refuse(self, *, refusing: bool = True) -> None:
        """Have the system refuse connections, or take them again; those that are open stay.

        Raises:
            WrongUseError: it isn't entered.
        """
        loop = self._loop
        if loop is None:
            raise WrongUseError(
                "nothing can be played here: the server doesn't run",
                hint="play within its 'with' block",
            )
        if refusing == self._refusing:
            return
        if _running_loop() is loop:
            raise WrongUseError("a server can't be told this from its own loop")
        change = self._switch(refusing=refusing)
        try:
            asyncio.run_coroutine_threadsafe(change, loop).result(_SWITCHING_SECONDS)
        except (RuntimeError, TimeoutError, CancelledError):
            change.close()
            raise WrongUseError("the server was stopped meanwhile") from None

    # ------------------------------------------------------------------ on its own loop

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        told = await asyncio.get_running_loop().getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        )
        family, _, _, _, address = told[0]
        self._bind(family, address)
        self._listen()
        try:
            yield
        finally:
            self._forget()
            # Not cancelled, but cut: each ends when its socket has gone, and not a turn earlier.
            for connection in self._clients.values():
                connection.cut()
            await asyncio.gather(*self._clients)

    async def _switch(self, *, refusing: bool) -> None:
        if self._listener is None:
            return  # it is just being stopped
        if refusing:
            family, address = self._listener.family, self._listener.getsockname()
            self._forget()
            self._bind(family, address)  # so that nobody is given the port as a free one
        else:
            self._listen()
        self._refusing = refusing

    def _bind(self, family: int, address: Any) -> None:
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        if os.name == "posix":  # elsewhere it would let two servers share a port
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind(address)
        except OSError:
            self._listener.close()
            raise
        host, port = self._listener.getsockname()[:2]
        self._address = (host, port)

    def _listen(self) -> None:
        if self._listener is not None:
            self._listener.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _forget(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's server: stopped while it accepts, it leaves the socket to the collector.
        try:
            while True:
                client, _ = listener.accept()
                self._take(client)
        except (BlockingIOError, ConnectionError):
            pass
        except OSError:  # no descriptor is left; who waits is taken when there is one again
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            loop.call_later(_RECOVERY_SECONDS, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if listener is self._listener and not self._refusing:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _take(self, client: socket.socket) -> None:
        connection = Connection(client, self.tls)
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
        except asyncio.CancelledError:
            connection.cut()
            raise
        except BaseException as fault:  # noqa: BLE001  # a test's own code, and its verdicts
            self._faults.append(fault)
            connection.cut()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


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
        self._certificate = None
        self._running.__exit__(exc_type, exc, traceback)

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
            when: for which requests; None for any. It sees what was asked; but for a script
                that answers a handshake there is only the handshake.

        Raises:
            TypeError, ValueError: what can't be played.
            WrongUseError: the upstream isn't entered.
        """
        script = Script(steps, when, times)
        refusing = Refuse() in steps
        self._server.refuse(refusing=refusing)
        if not refusing:
            self._scripts.add(script)

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

    async def answer(self, connection: Connection, request: RawRequest) -> None:
        """Answer a message for which nothing was queued."""
        await connection.close(1011, "nothing was queued for this request")

    async def leave(self, connection: Connection) -> None:
        """End a connection on which nothing is asked."""
        await connection.close(1000)

    # ------------------------------------------------------------------ scripts first

    def _admitted(self, request: RawRequest) -> Status | Hang | None:
        steps = self._scripts.take_early(request, lambda steps: self._verdict(steps) is not None)
        return self._verdict(steps) if steps else self.admit(request)

    def _verdict(self, steps: Sequence[Step]) -> Status | Hang | None:
        first = steps[0] if steps else None
        if isinstance(first, Status | Hang):
            return first
        return self._codec.refusal(first) if isinstance(first, Fail) else None

    async def _converse(self, connection: Connection) -> None:
        while connection.is_open:
            try:
                async with asyncio.timeout(self._patience):
                    message = await connection.receive()
            except TimeoutError:
                await self.leave(connection)
            else:
                await self._respond(connection, connection.exchange.request_with(message))

    async def _respond(self, connection: Connection, request: RawRequest) -> None:
        steps = self._scripts.take(request)
        if steps is None:
            await self.answer(connection, request)
        else:
            await Player(connection, self._codec.encoder(request), self._gates).play(steps)
