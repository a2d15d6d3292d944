"""A connection that was taken, whatever is spoken on it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from modelplug.testing.taken import TakenConnection


class Noting(TakenConnection):
    """Notes what comes."""

    def __init__(self, client: socket.socket) -> None:
        super().__init__(client, None, number=3)
        self.received = b""

    async def _received(self, data: bytes) -> None:
        self.received += data


async def test_it_reads_until_the_client_leaves() -> None:
    """And says how it did."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        connection = Noting(listener.accept()[0])
    theirs.sendall(b"hello")
    theirs.close()
    await connection.watch()
    connection.drop()
    exchange = connection.exchange
    assert (connection.received, exchange.connection) == (b"hello", 3)
    assert (exchange.closed_by, exchange.how) == ("client", "fin")
    assert exchange.wait_gone(0)


@pytest.mark.parametrize(
    ("end", "how"),
    [(Noting.finish, "fin"), (Noting.cut, "fin"), (Noting.reset, "rst")],
    ids=["finish", "cut", "reset"],
)
async def test_an_end_from_this_side_is_noted(end: Callable[[Noting], None], how: str) -> None:
    """Before the client's, which follows it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        connection = Noting(listener.accept()[0])
    watching = asyncio.ensure_future(connection.watch())
    await connection.write(b"abc", b"de")
    end(connection)
    theirs.close()
    await watching
    connection.drop()
    assert connection.exchange.bytes_accepted == 5
    assert (connection.exchange.closed_by, connection.exchange.how) == ("server", how)
