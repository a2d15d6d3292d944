"""From an endpoint to a transport: look-up, the race of addresses, TLS, and being cancelled."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, cast

import pytest

from modelplug.errors import ConnectError, ResolveError
from modelplug.transport import Endpoint, dial
from tests.core.transport.peers import GUARD, Peer, open_descriptors, silence, turns, until


class Recording(asyncio.Protocol):
    """Keeps its transport."""

    transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        self.transport = cast(asyncio.Transport, transport)

    def abort(self) -> None:
        """Cut, if there is anything to cut."""
        if self.transport is not None:
            self.transport.abort()


Resolve = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Has every name resolve to the given addresses, in their order."""

    def to(*addresses: tuple[str, int]) -> None:
        def getaddrinfo(*_: object, flags: int = 0, **__: object) -> list[tuple[Any, ...]]:
            if flags:
                raise socket.gaierror(socket.EAI_NONAME, "not a number")
            return [
                (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)
                for address in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return to


@pytest.fixture
def refusing() -> tuple[str, int]:
    """An address that nobody listens on."""
    with socket.socket() as vacant:
        vacant.bind(("127.0.0.1", 0))
        address: tuple[str, int] = vacant.getsockname()
    return address


@asynccontextmanager
async def black_hole() -> AsyncIterator[tuple[str, int]]:
    """An address that neither takes nor refuses: the queue of its listener is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address: tuple[str, int] = listener.getsockname()
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(address)
        yield address
        for filler in fillers:
            filler.close()


def raising(error: BaseException, *_: object, **__: object) -> NoReturn:
    """A function that fails."""
    raise error


async def dialled(endpoint: Endpoint) -> tuple[str, int]:
    """The address that ``dial`` connected to."""
    protocol = Recording()
    await dial.dial(endpoint, protocol)
    assert protocol.transport is not None
    address: tuple[str, int] = protocol.transport.get_extra_info("peername")
    protocol.abort()
    await turns(2)
    return address


async def test_an_address_needs_no_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IP address takes no thread of the resolver's pool."""
    monkeypatch.setattr(dial, "_resolvers", partial(raising, AssertionError()))
    async with Peer(silence) as peer:
        assert await dialled(peer.endpoint) == ("127.0.0.1", peer.endpoint.port)


async def test_a_name_is_looked_up() -> None:
    """The name of this machine connects, whichever families the machine gives it."""
    async with Peer(silence) as peer:
        assert (await dialled(replace(peer.endpoint, host="localhost")))[1] == peer.endpoint.port


@pytest.mark.parametrize(
    ("number", "retryable"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)]
)
async def test_a_name_without_address_says_so(
    monkeypatch: pytest.MonkeyPatch, number: int, retryable: bool
) -> None:
    """Only a look-up that may succeed later is worth another try."""
    monkeypatch.setattr(socket, "getaddrinfo", partial(raising, socket.gaierror(number, "none")))
    with pytest.raises(ResolveError, match=r"a\.example.*gaierror: none") as caught:
        await dial.dial(Endpoint.parse("wss://a.example/"), Recording(), tls=None)
    assert (caught.value.retryable, caught.value.__context__) == (retryable, None)


async def test_look_ups_that_hang_starve_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """More hung look-ups than there are threads anywhere leave to_thread alone."""
    gate, hanging_now = threading.Event(), []
    lookup = socket.getaddrinfo

    def hanging(host: str, port: int, *, type: int, flags: int = 0) -> object:  # noqa: A002
        if flags == 0:
            hanging_now.append(host)
            gate.wait()
            host = "127.0.0.1"
        return lookup(host, port, type=type, flags=flags)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    endpoint = Endpoint.parse("ws://localhost:1/")
    waiting = [asyncio.ensure_future(dial.dial(endpoint, Recording())) for _ in range(64)]
    try:
        await until(lambda: len(hanging_now) >= 4)
        await turns(10)
        async with asyncio.timeout(GUARD):
            assert await asyncio.to_thread(lambda: "free") == "free"
        assert not any(each.done() for each in waiting)
    finally:
        gate.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {ConnectError}


async def test_the_next_address_is_tried_when_one_refuses(
    resolve: Resolve, refusing: tuple[str, int]
) -> None:
    """A dead address before a live one costs nothing."""
    async with Peer(silence) as peer:
        alive = ("127.0.0.1", peer.endpoint.port)
        resolve(refusing, refusing, alive)
        assert await dialled(replace(peer.endpoint, host="a.example")) == alive


async def test_the_next_address_is_tried_when_one_is_silent(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that swallows everything holds up the next for a moment only."""
    monkeypatch.setattr(dial, "_STAGGER", 0.001)
    async with Peer(silence) as peer, black_hole() as silent:
        alive = ("127.0.0.1", peer.endpoint.port)
        resolve(silent, alive)
        before = open_descriptors()
        assert await dialled(replace(peer.endpoint, host="a.example")) == alive
        await peer.gone()
        assert open_descriptors() == before


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_all_addresses_refuse(
    resolve: Resolve, refusing: tuple[str, int], count: int
) -> None:
    """The error is that of the address that the system prefers."""
    resolve(*[refusing] * count)
    with pytest.raises(ConnectError, match="ConnectionRefusedError: Connection refused") as caught:
        await dial.dial(Endpoint.parse("ws://a.example:1/", allow_insecure=True), Recording())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_an_error_is_freed_at_once(refusing: tuple[str, int]) -> None:
    """Its traceback holds our frames, but no frame of ours holds it."""
    endpoint = Endpoint(scheme="ws", host=refusing[0], port=refusing[1])

    async def failed() -> weakref.ref[ConnectError]:
        try:
            await dial.dial(endpoint, Recording())
        except ConnectError as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        assert (await failed())() is None
    finally:
        gc.enable()


async def test_families_take_turns() -> None:
    """Where IPv6 is broken the second attempt is IPv4 already (RFC 8305, section 4)."""
    six, four = socket.AF_INET6, socket.AF_INET
    families = [six, six, six, four]
    addresses = [(family, 0, 0, str(number), ()) for number, family in enumerate(families)]
    order = [address[3] for address in dial._interleaved(addresses)]
    assert order == ["0", "3", "1", "2"]


async def test_no_descriptor_left_is_a_connect_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process at its limit gets a typed error that is worth another try."""
    exhausted = OSError(errno.EMFILE, "Too many open files")
    monkeypatch.setattr(socket, "socket", partial(raising, exhausted))
    with pytest.raises(ConnectError, match="Too many open files") as caught:
        await dial.dial(Endpoint.parse("ws://127.0.0.1:1/"), Recording())
    assert caught.value.retryable


async def test_a_loop_that_isnt_asyncios_connects_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It gets host and port, and no socket of ours."""
    monkeypatch.setattr(asyncio, "BaseEventLoop", type("Other", (), {}))
    monkeypatch.setattr(dial, "_connected", partial(raising, AssertionError()))
    async with Peer(silence) as peer:
        assert await dialled(peer.endpoint) == ("127.0.0.1", peer.endpoint.port)


@pytest.mark.parametrize("addresses", [1, 2])
async def test_cancelled_at_any_turn_of_the_loop(resolve: Resolve, addresses: int) -> None:
    """Wherever the race stands when it is cancelled, no socket is left."""
    async with Peer(silence) as peer:
        endpoint = replace(peer.endpoint, host="a.example")
        resolve(*[("127.0.0.1", peer.endpoint.port)] * addresses)
        before = open_descriptors()
        for count in range(30):
            protocol = Recording()
            task = asyncio.ensure_future(dial.dial(endpoint, protocol))
            await turns(count)
            task.cancel()
            await asyncio.wait([task])
            protocol.abort()
            await turns(3)
        await until(lambda: open_descriptors() == before)
        await peer.gone()
