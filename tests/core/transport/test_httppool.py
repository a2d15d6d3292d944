"""The connections of a loop: which are taken, which are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from modelplug.call import Call
from modelplug.transport import Endpoint
from modelplug.transport.httpconnection import HttpConnection
from modelplug.transport.httpparser import ResponseParser
from modelplug.transport.httppool import Pool
from tests.core.transport.peers import Peer, silence, sized

MOST = 16


class Exchanges:
    """A pool, and a server to which its connections are."""

    def __init__(self, pool: Pool, endpoint: Endpoint) -> None:
        self.pool = pool
        self.endpoint = endpoint

    async def begun(self) -> tuple[HttpConnection, ResponseParser]:
        """A connection that serves."""
        connection, parser = self.pool.take(self.endpoint), ResponseParser(self.endpoint)
        await connection.open(parser, Call())
        return connection, parser

    def end(self, connection: HttpConnection, parser: ResponseParser) -> None:
        """Have its response come, whole, and be left."""
        parser.feed(sized(b"a"))
        connection.leave(parser)


@pytest.fixture
async def exchanges() -> AsyncIterator[Exchanges]:
    """A pool on a server that is silent."""
    async with Peer(silence, scheme="http") as peer:
        pool = Pool()
        yield Exchanges(pool, peer.endpoint)
        pool.close_soon()
        await peer.gone()


async def test_the_one_that_was_used_last_is_taken_first(exchanges: Exchanges) -> None:
    """It is the one that has the best chance to be alive; the others grow old and go."""
    first, second = await exchanges.begun(), await exchanges.begun()
    assert first[0] is not second[0]
    exchanges.end(*first)
    exchanges.end(*second)
    path = exchanges.endpoint.with_path("/other")
    assert exchanges.pool.take(path) is second[0]
    assert exchanges.pool.take(path) is first[0]


async def test_so_many_are_kept_and_no_more(exchanges: Exchanges) -> None:
    """Those that have waited longest are cut."""
    pairs = [await exchanges.begun() for _ in range(MOST + 3)]
    for pair in pairs:
        exchanges.end(*pair)
    taken = [exchanges.pool.take(exchanges.endpoint) for _ in range(MOST)]
    assert taken == [connection for connection, _ in reversed(pairs[3:])]
    assert [connection.is_ready for connection, _ in pairs[:3]] == [False] * 3


@pytest.mark.parametrize(
    "other", [{"scheme": "https"}, {"host": "localhost"}, {"port": 1}, {"public_only": True}]
)
async def test_another_server_has_its_own(exchanges: Exchanges, other: dict[str, str]) -> None:
    """And so has an address that must be public: this one was not looked at."""
    kept = await exchanges.begun()
    exchanges.end(*kept)
    elsewhere = replace(exchanges.endpoint, **other)  # type: ignore[arg-type]
    assert exchanges.pool.take(elsewhere) is not kept[0]


async def test_one_that_has_died_unseen_is_not_taken(exchanges: Exchanges) -> None:
    """The loop was busy: only the system knows."""
    kept = await exchanges.begun()
    exchanges.end(*kept)
    assert kept[0]._transport is not None
    kept[0]._transport.get_extra_info("socket").shutdown(0)  # as if the server had sent its end
    assert kept[0].is_ready
    assert exchanges.pool.take(exchanges.endpoint) is not kept[0]
    assert not kept[0].is_ready


async def test_closing_cuts_all(exchanges: Exchanges) -> None:
    """Those that serve fail, those that wait are gone; again, from any thread."""
    await exchanges.pool.watch()
    kept, busy = await exchanges.begun(), await exchanges.begun()
    exchanges.end(*kept)
    exchanges.pool.close_soon()
    await asyncio.to_thread(exchanges.pool.close_soon)
    assert (kept[0].is_ready, busy[1].has_failed) == (False, True)
    assert exchanges.pool.take(exchanges.endpoint) not in (kept[0], busy[0])


def test_the_end_of_the_loop_closes_all() -> None:
    """It finalises a generator of the pool's; again, nothing is left to be warned of."""

    async def main() -> tuple[HttpConnection, ResponseParser]:
        async with Peer(silence, scheme="http") as peer:
            pool = Pool()
            await pool.watch()
            await pool.watch()
            exchanges = Exchanges(pool, peer.endpoint)
            exchanges.end(*await exchanges.begun())
            return await exchanges.begun()

    connection, parser = asyncio.run(main())
    assert (connection.is_ready, parser.has_failed) == (False, True)
