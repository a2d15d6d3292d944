"""Servers that have nothing to say, and addresses where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from socket import AF_INET
from urllib.parse import urlsplit

from modelplug.testing.threads import in_thread
from modelplug.testing.upstream import Upstream

__all__ = ["hanging_up", "origin"]


def origin(upstream: Upstream, address: str) -> str:
    """Host and port as an origin of the kind that a service has: ``http://`` where it speaks HTTP.

    A library in this process has none; it is given a WebSocket's, which it won't look at.
    """
    scheme = urlsplit(upstream.url).scheme if upstream.wired else "ws"
    return f"{scheme}://{address}"


@contextmanager
def hanging_up() -> Iterator[str]:
    """Where a server listens that reads what it is asked first, and hangs up: host and port."""
    where: list[str] = []
    with in_thread(_serving(where), name="modelplug-conformance-mute"):
        yield where[0]


@asynccontextmanager
async def _serving(where: list[str]) -> AsyncIterator[None]:
    server = await asyncio.start_server(_hang_up, "127.0.0.1", 0, family=AF_INET)
    host, port = server.sockets[0].getsockname()[:2]
    where.append(f"{host}:{port}")
    try:
        yield
    finally:
        server.close()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65_536)
    writer.close()
