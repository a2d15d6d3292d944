"""TLS over a connected socket, with asyncio's own protocol and a small buffer.

asyncio's fills 256 KiB with zeros for each connection, nine tenths of what an open stream over TLS
would take. How much it reads at once is a class attribute of its protocol (``max_size``, in
CPython 3.11 to 3.13; without it there, this changes nothing), and so a subclass's to say: it is no
patch, and no other connection of the process learns of it.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from ssl import SSLContext

__all__ = ["TLS_SHUTDOWN", "secured"]

TLS_SHUTDOWN = 0.1
"""Seconds for the polite end of TLS, should anything ever close instead of abort."""


class _Frugal(SSLProtocol):
    """With a small buffer; who writes learns at once that the peer doesn't read.

    asyncio's hands all that it has encrypted to the transport below, and tells of that one's
    being full with the next write, if there is one. A question is one write.
    """

    max_size = 8192

    def pause_writing(self) -> None:
        super().pause_writing()
        self._app_protocol.pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        is_full = self._ssl_writing_paused or self._app_writing_paused  # type: ignore[attr-defined]  # asyncio's own
        if not is_full:  # once more, by what had been left over
            self._app_protocol.resume_writing()


async def secured(
    connection: socket.socket,
    protocol: asyncio.BaseProtocol,
    context: SSLContext,
    *,
    host: str,
    timeout: float | None,  # noqa: ASYNC109  # asyncio's TLS has a clock of its own
) -> None:
    """Connect ``protocol`` by TLS over ``connection``, as the loop's ``create_connection`` would.

    When this fails or is cancelled the socket is closed.

    Args:
        connection: to the server.
        protocol: gets the transport.
        context: what certificates are checked by.
        host: whose certificate it has to be.
        timeout: seconds for the handshake; None for asyncio's 60.

    Raises:
        OSError: the connection was lost; as an SSLError, the handshake failed.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    let_go: Callable[[], None] = connection.close
    try:
        frugal = _Frugal(
            loop,
            protocol,
            context,
            done,
            server_hostname=host,
            ssl_handshake_timeout=timeout,  # type: ignore[arg-type]  # typeshed has an int
            ssl_shutdown_timeout=TLS_SHUTDOWN,
        )
        transport, _ = await loop.create_connection(lambda: frugal, sock=connection)
        let_go = transport.abort
        await done
    except BaseException:
        let_go()
        raise
    finally:
        _conclude(done)
        del done  # its error's traceback holds this frame: no cycle


def _conclude(done: asyncio.Future[None]) -> None:
    """Ask for its error, or asyncio would log one that came just when this was cancelled.

    The frames in that are asyncio's, and hold it themselves: a cycle around the connection.
    """
    if not done.cancel() and not done.cancelled() and (error := done.exception()):
        error.__traceback__ = None
