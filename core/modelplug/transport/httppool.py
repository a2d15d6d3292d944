"""The connections of one client on one event loop: those that serve, and those that wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TypeAlias

from modelplug.transport.connection import Home
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.httpconnection import HttpConnection

__all__ = ["Pool"]

_MOST_IDLE = 16
"""Of one server. Those beyond are cut, the ones that have waited longest first."""

_Server: TypeAlias = tuple[str, str, int, bool]
"""Scheme, host, port, and whether its address must be public."""


class Pool:
    """Made on the loop that it is for; only ``close_soon`` may be called from elsewhere."""

    def __init__(self) -> None:
        self._home = Home()
        self._idle: dict[_Server, list[HttpConnection]] = {}
        self._servers: dict[HttpConnection, _Server] = {}
        self._watcher: AsyncGenerator[None, None] | None = None

    async def watch(self) -> None:
        """Have the loop close what is here before it is closed itself; doesn't wait."""
        if self._watcher is None:
            self._watcher = self._watched()
            await anext(self._watcher)

    def take(self, endpoint: Endpoint) -> HttpConnection:
        """The connection that was used last, or a new one that isn't connected."""
        server = (endpoint.scheme, endpoint.host, endpoint.port, endpoint.public_only)
        idle = self._idle.get(server, [])
        while idle:
            connection = idle.pop()
            if connection.is_ready and not connection.has_news:
                return connection
            connection.cut()
        connection = HttpConnection(endpoint, self)
        self._servers[connection] = server
        return connection

    def idle(self, connection: HttpConnection) -> None:
        """Keep it for the next request."""
        idle = self._idle.setdefault(self._servers[connection], [])
        idle.append(connection)
        if len(idle) > _MOST_IDLE:
            idle[0].cut()

    def gone(self, connection: HttpConnection) -> None:
        """Forget it."""
        server = self._servers.pop(connection, None)
        idle = self._idle.get(server, []) if server else []
        if connection in idle:
            idle.remove(connection)

    def close_soon(self) -> None:
        """Cut all of them; from any thread."""
        self._home.run(self._close)

    def _close(self) -> None:
        self._cut()
        if self._watcher is not None:
            # Run to its end here: the garbage collector would have the loop make a task for that.
            with suppress(StopIteration):
                self._watcher.aclose().__await__().__next__()

    def _cut(self) -> None:
        for connection in list(self._servers):
            self._home.run(connection.cut)  # on a closed loop each fails by itself

    async def _watched(self) -> AsyncGenerator[None, None]:
        # asyncio has no hook for the end of a loop but this: ``asyncio.run`` and whoever else
        # calls ``loop.shutdown_asyncgens()`` finalises the asynchronous generators that wait
        # somewhere. Nothing is awaited here while the pool is in use.
        try:
            yield
        finally:
            self._cut()
