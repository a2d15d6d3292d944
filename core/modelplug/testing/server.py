"""A server in a thread and a loop of its own, whatever is spoken on its connections.

It never closes a connection unless it is told to, so that a client which leaks one is seen to do
so.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import CancelledError
from contextlib import ExitStack, asynccontextmanager, suppress
from ssl import SSLContext
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from modelplug.errors import WrongUseError
from modelplug.testing.certificate import local_certificate
from modelplug.testing.exchange import Exchange, Exchanges
from modelplug.testing.faults import Faults
from modelplug.testing.threads import in_thread

__all__ = ["Connect", "Server", "ServerConnection"]

_SWITCHING_SECONDS = 5.0
"""How long the server's own thread may take to stop listening, or to listen again."""

_RECOVERY_SECONDS = 0.1
"""How long no connection is taken after one couldn't be, for want of descriptors."""

_BACKLOG = 1024
"""Connections that wait to be taken: a test may open very many at once."""


class ServerConnection(Protocol):
    """What a server asks of a connection, once it is made."""

    @property
    def exchange(self) -> Exchange:
        """What was seen of the client so far; the first is noted when the connection is taken."""
        ...  # pragma: no cover

    async def watch(self) -> None:
        """Read until the client's end is closed."""
        ...  # pragma: no cover

    def cut(self) -> None:
        """End the connection at once, in both directions."""
        ...  # pragma: no cover

    def drop(self) -> None:
        """Let go of the socket; nobody is reading or writing any more."""
        ...  # pragma: no cover


ConnectionT = TypeVar("ConnectionT", bound=ServerConnection)
MadeT_co = TypeVar("MadeT_co", bound=ServerConnection, covariant=True)


class Connect(Protocol[MadeT_co]):
    """Makes a connection of a socket that was taken."""

    def __call__(
        self,
        client: socket.socket,
        tls: SSLContext | None,
        *,
        number: int,
        note: Callable[[Exchange], None],
    ) -> MadeT_co:
        """The connection of this number; ``note`` is for its exchanges after the first."""
        ...  # pragma: no cover


class Server(Generic[ConnectionT]):
    """Serves while it is entered, in a thread and a loop of its own.

    So a client that blocks doesn't stop the server which should show that it does.

    Args:
        connect: see ``Connect``.
        talk: talks on a connection; it runs on the server's loop, and is cancelled when the
            client has gone.
        scheme: of its address; over TLS with an ``s`` behind it.
        host, port: where to listen; port 0 takes any free one.
        tls: True with a certificate of its own, see ``ca_file``.

    Attributes:
        exchanges: what it saw.
        ca_file: the authority of its own certificate, a PEM file, while it is entered.
    """

    def __init__(
        self,
        connect: Connect[ConnectionT],
        talk: Callable[[ConnectionT], Awaitable[None]],
        *,
        scheme: str,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | bool = False,
    ) -> None:
        self.exchanges = Exchanges()
        self.ca_file: str | None = None
        self._connect = connect
        self._talk = talk
        self._scheme = scheme
        self._host, self._port = host, port
        self._tls = tls
        self._context: SSLContext | None = None
        self._listener: socket.socket | None = None
        self._clients: dict[asyncio.Task[None], ConnectionT] = {}
        self._taken = 0
        self._faults = Faults()
        self._running = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._address: tuple[str, int] | None = None
        self._refusing = False

    @property
    def url(self) -> str:
        """Where it listens, as an origin such as ``ws://127.0.0.1:49152``.

        Raises:
            WrongUseError: it isn't entered.
        """
        if self._address is None:
            raise WrongUseError("a server has no address before it is entered")
        host, port = self._address
        scheme = f"{self._scheme}s" if self._context else self._scheme
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._clients)

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            MissingDependencyError: a certificate is wanted, and trustme isn't installed.
            OSError: there is no such address here, or it is taken.
            WrongUseError: it is entered already.
        """
        if self._loop is not None:
            raise WrongUseError("a server is entered once at a time")
        self._faults.clear()
        with ExitStack() as starting:
            own = starting.enter_context(local_certificate()) if self._tls is True else None
            context = own.context if own else self._tls
            self._context = context if isinstance(context, SSLContext) else None
            self._loop = starting.enter_context(in_thread(self._serving()))
            self.ca_file = own.ca_file if own else None
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Cut every connection and stop listening.

        Raises:
            BaseException: the first that was raised in a talk. What the block raised goes
                before it.
        """
        self.stop().come_out(exc)

    def stop(self) -> Faults:
        """Cut every connection and stop listening; what was raised in talks meanwhile."""
        self._loop = self.ca_file = None
        self._running.close()
        self._address = None
        return self._faults

    def refuse(self, *, refusing: bool = True) -> None:
        """Have the system refuse connections, or take them again; those that are open stay.

        Raises:
            OSError: the address was taken meanwhile.
            WrongUseError: it isn't entered, or its loop has no time for it.
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
        except TimeoutError:
            change.close()
            raise WrongUseError(
                "the server's loop is busy",
                hint="a codec, 'when', 'admit' or 'answer' blocks it",
            ) from None
        except (RuntimeError, CancelledError):
            change.close()
            raise WrongUseError("the server was stopped meanwhile") from None

    # ------------------------------------------------------------------ on its own loop

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        found = await asyncio.get_running_loop().getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        )
        family, _, _, _, address = found[0]
        self._bind(family, address)
        self._refusing = False
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
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setblocking(False)
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        host, port = listener.getsockname()[:2]
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
        number, self._taken = self._taken, self._taken + 1
        connection = self._connect(client, self._context, number=number, note=self.exchanges.add)
        task = asyncio.ensure_future(self._serve(connection))
        self._clients[task] = connection
        task.add_done_callback(self._clients.pop)
        self.exchanges.add(connection.exchange)  # last: whoever waits for it finds the rest done

    async def _serve(self, connection: ConnectionT) -> None:
        talk = asyncio.ensure_future(self._talked(connection))
        try:
            await connection.watch()
        finally:
            talk.cancel()
            with suppress(asyncio.CancelledError):
                await talk
            connection.drop()

    async def _talked(self, connection: ConnectionT) -> None:
        try:
            await self._talk(connection)
        except asyncio.CancelledError:
            connection.cut()
            raise
        except BaseException as fault:  # noqa: BLE001  # a test's own code, and its verdicts
            self._faults.add(fault)
            connection.cut()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None
