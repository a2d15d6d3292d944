"""The HTTP shell against uvicorn, a server that shares no code with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from modelplug.call import Call
from modelplug.errors import ConnectionLostError, ProxyLLMError, RateLimitError
from modelplug.transport import Endpoint
from modelplug.transport.http import Connections, Refusal
from tests.interop.servers import foreign_server


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server."""
    with foreign_server("uvicorn_server.py", logs=tmp_path_factory.mktemp("uvicorn")) as address:
        yield address


class Caller:
    """A client's connections to the server, and what it has heard there."""

    def __init__(self, address: str) -> None:
        self.endpoint = Endpoint.parse(address, schemes=["http"])
        self.connections = Connections()
        self.ports: set[str] = set()
        self.heard = b""

    async def ask(self, path: str = "/", body: bytes = b"question") -> bytes:
        """The body of one response; on which connection it came is kept."""
        self.heard = b""
        asking = self.connections.request(
            self.endpoint.with_path(path), call=Call(), body=body, on_refusal=self._refused
        )
        async with asking as response:
            self.ports.add(response.headers["x-port"])
            while data := await response.take():
                self.heard += data
        return self.heard

    def _refused(self, refusal: Refusal) -> ProxyLLMError:
        self.ports.add(refusal.headers["x-port"])
        return RateLimitError(refusal.body, retry_after=refusal.retry_after)


@pytest.fixture
async def caller(address: str) -> AsyncIterator[Caller]:
    """One that closes after its test."""
    made = Caller(address)
    yield made
    made.connections.close()


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
async def test_the_server_gets_all_of_a_question(caller: Caller, size: int) -> None:
    """However long it is; and one connection serves for several."""
    for _ in range(3):
        assert {"method": "POST", "size": size} == json.loads(await caller.ask(body=b"x" * size))
    assert len(caller.ports) == 1


async def test_a_body_in_chunks_comes_whole(caller: Caller) -> None:
    """And its connection serves again."""
    for _ in range(3):
        assert await caller.ask("/chunked") == b"one, " + b"two, " * 20_000 + b"three"
    assert len(caller.ports) == 1


@pytest.mark.parametrize("path", ["/cut", "/cut-chunks"])
async def test_a_body_that_is_cut_is_no_answer(caller: Caller, path: str) -> None:
    """What came of it is heard before; the next request is on another connection."""
    with pytest.raises(ConnectionLostError):
        await caller.ask(path)
    assert caller.heard == b"half of "
    await caller.ask()
    assert len(caller.ports) == 2


async def test_a_refusal_leaves_its_connection(caller: Caller) -> None:
    """It has status, words and the time to wait."""
    with pytest.raises(RateLimitError, match="slow down") as caught:
        await caller.ask("/refused")
    await caller.ask()
    assert (caught.value.retry_after, len(caller.ports)) == (7.0, 1)


async def test_a_connection_that_the_server_ends_is_left(caller: Caller) -> None:
    """Its word for that is heard."""
    await caller.ask("/last")
    await caller.ask()
    assert len(caller.ports) == 2
