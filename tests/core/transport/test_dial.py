"""From an endpoint to a transport: look-up, the race of addresses, TLS, and being cancelled."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import ssl
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, cast

import pytest
import trustme

from modelplug.errors import ConnectError, ResolveError, TlsError, UnsafeEndpointError
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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell later")
async def test_a_server_on_this_machine_is_connected_to_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The event loop has nothing to wait for."""
    running = asyncio.get_running_loop()
    monkeypatch.setattr(running, "sock_connect", partial(raising, AssertionError()))
    async with Peer(silence) as peer:
        assert await dialled(peer.endpoint) == ("127.0.0.1", peer.endpoint.port)


async def test_one_that_is_refused_leaves_others_their_turn(refusing: tuple[str, int]) -> None:
    """An app that asks again and again until its server is up can be cancelled all the same."""
    endpoint = Endpoint(scheme="ws", host=refusing[0], port=refusing[1], path="/")

    async def ask_until_it_is_up() -> None:
        for _ in range(1000):  # and not for ever, in which nothing could fail
            with suppress(ConnectError):
                await dial.dial(endpoint, Recording())

    asking = asyncio.ensure_future(ask_until_it_is_up())
    await turns(5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_server_elsewhere_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the event loop, as ever: here as on a system that doesn't tell at once."""
    monkeypatch.setattr(sys, "platform", "elsewhere")
    async with Peer(silence) as peer:
        assert await dialled(peer.endpoint) == ("127.0.0.1", peer.endpoint.port)
    with pytest.raises(ConnectError):
        await dial.dial(peer.endpoint, Recording())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems aren't asked twice")
def test_one_that_has_not_connected_after_two_calls_is_waited_for() -> None:
    """More would be a loop that waits; what goes wrong is for the event loop to tell."""
    asked: list[object] = []

    class Slow(socket.socket):
        told = errno.EINPROGRESS

        def connect_ex(self, target: object) -> int:
            asked.append(target)
            return self.told

    class Cut(Slow):
        told = errno.ENETUNREACH

    with Slow() as slow, Cut() as cut:
        assert not dial._connects_at_once(slow, ("127.0.0.1", 1))
        assert not dial._connects_at_once(cut, ("127.0.0.1", 1))
    assert asked == [("127.0.0.1", 1)] * 4


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin later there")
async def test_a_race_may_be_over_as_it_begins(resolve: Resolve) -> None:
    """Where tasks run at once, one that has failed doesn't end it for the next."""
    running = asyncio.get_running_loop()
    running.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009  # new in 3.12
    try:
        async with Peer(silence) as peer:
            resolve(("127.0.0.2", peer.endpoint.port), ("127.0.0.1", peer.endpoint.port))
            endpoint = replace(peer.endpoint, host="a.example")
            assert await dialled(endpoint) == ("127.0.0.1", peer.endpoint.port)
    finally:
        running.set_task_factory(None)


def test_the_interpreter_exits_amid_a_look_up() -> None:
    """A look-up can't be ended, and nobody waits for it at exit."""
    script = """
import asyncio, socket, threading
lookup = socket.getaddrinfo

def hanging(*args, flags=0, **options):
    return lookup(*args, flags=flags, **options) if flags else threading.Event().wait(60)

socket.getaddrinfo = hanging
from modelplug.transport import dial
from modelplug.transport.endpoint import Endpoint

async def main():
    endpoint = Endpoint.parse("wss://a.example/")
    asking = asyncio.create_task(dial.dial(endpoint, asyncio.Protocol()))
    while not any(each.name == "modelplug-resolver" for each in threading.enumerate()):
        await asyncio.sleep(0)
    asking.cancel()

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=30, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


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
    """It gets an address and a port, and no socket of ours."""
    monkeypatch.setattr(asyncio, "BaseEventLoop", type("Other", (), {}))
    monkeypatch.setattr(dial, "_connected", partial(raising, AssertionError()))
    async with Peer(silence) as peer:
        assert await dialled(peer.endpoint) == ("127.0.0.1", peer.endpoint.port)


@pytest.mark.parametrize("platform", [sys.platform, "elsewhere"])
@pytest.mark.parametrize("addresses", [1, 2])
async def test_cancelled_at_any_turn_of_the_loop(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch, addresses: int, platform: str
) -> None:
    """Wherever the race stands when it is cancelled, no socket is left."""
    monkeypatch.setattr(sys, "platform", platform)
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


PUBLIC = "8.8.8.8"
"""An address that passes; what would connect to it is replaced, or must not be reached."""

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "2001:0:7f00:1::1",
    "fd00::1",
    "fe80::1",
    "ff02::1",
]


class Names:
    """The look-ups of this machine: each gives the next answer; they are counted."""

    def __init__(self, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    def getaddrinfo(
        self,
        host: str,
        port: int,
        *,
        type: int,  # noqa: A002  # its name
        flags: int = 0,
    ) -> list[tuple[Any, ...]]:
        """In the system's form; a look-up that must not ask anybody knows addresses alone."""
        if flags & socket.AI_NUMERICHOST:
            return self._known(host, port, type) if _is_address(host) else _nothing()
        self.asked.append(host)
        return [each for one in self._answers.pop(0) for each in self._known(one, port, type)]

    def _known(self, host: str, port: int, kind: int) -> list[tuple[Any, ...]]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        target = (host, port, 0, 0) if ":" in host else (host, port)
        return [(family, kind, socket.IPPROTO_TCP, "", target)]


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _nothing() -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "not a number")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Names]:
    """Has look-ups give the given answers, one after the other."""

    def answering_with(*answers: list[str]) -> Names:
        made = Names(*answers)
        monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
        return made

    return answering_with


def service(host: str = "a.example", **fields: Any) -> Endpoint:
    """The built-in address of a public service."""
    return Endpoint.parse(f"wss://{host}:4430/chat", public_only=True, **fields)


LOOPS = pytest.mark.parametrize("loop", ["asyncio", "other"])
"""The two ways to connect."""


def run_as(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the running loop pass for one that isn't asyncio's."""
    if loop == "other":
        monkeypatch.setattr(asyncio, "BaseEventLoop", type("Other", (), {}))


@LOOPS
@pytest.mark.parametrize("address", PRIVATE)
async def test_a_public_service_has_no_private_address(
    names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch, loop: str, address: str
) -> None:
    """A name that leads to this machine, its network or its cloud is refused before a connect."""
    run_as(loop, monkeypatch)
    monkeypatch.setattr(socket, "socket", partial(raising, AssertionError("a socket was made")))
    asked = names([address]).asked
    with pytest.raises(UnsafeEndpointError, match=r"a\.example.*is a public service") as caught:
        await dial.dial(service(), Recording())
    assert (caught.value.code, caught.value.sent, asked) == (104, "no", ["a.example"])
    assert not caught.value.retryable


@LOOPS
@pytest.mark.parametrize("answer", [["10.0.0.1", PUBLIC], [PUBLIC, "10.0.0.1"], [PUBLIC, "::1"]])
async def test_one_private_address_is_one_too_many(
    names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch, loop: str, answer: list[str]
) -> None:
    """Which of several answers first is luck: all of them must be public."""
    run_as(loop, monkeypatch)
    monkeypatch.setattr(socket, "socket", partial(raising, AssertionError("a socket was made")))
    names(answer)
    with pytest.raises(UnsafeEndpointError):
        await dial.dial(service(), Recording())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "localhost"])
async def test_an_address_by_itself_is_checked_too(host: str) -> None:
    """There is no way around the check by writing the address out."""
    with pytest.raises(UnsafeEndpointError):
        await dial.dial(service(host), Recording())


async def test_where_the_operator_sends_it_may_be_anywhere(names: Callable[..., Names]) -> None:
    """An endpoint that isn't said to be a public service connects to a private address."""
    async with Peer(silence) as peer:
        names(["127.0.0.1"])
        endpoint = replace(peer.endpoint, host="a.example")
        assert await dialled(endpoint) == ("127.0.0.1", peer.endpoint.port)


async def test_a_name_is_asked_for_each_time(names: Callable[..., Names]) -> None:
    """It may lead elsewhere by then; an address in figures leads where it did."""
    async with Peer(silence) as peer:
        asked = names(["127.0.0.1"], ["127.0.0.1"]).asked
        for _ in range(2):
            await dialled(replace(peer.endpoint, host="a.example"))
        assert asked == ["a.example", "a.example"]


async def test_an_address_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system says of it what it said the time before."""
    read: list[object] = []
    lookup = socket.getaddrinfo

    def counting(host: str, *where: Any, **options: Any) -> object:
        read.append(host)
        return lookup(host, *where, **options)

    async with Peer(silence) as peer:
        dial._literal.cache_clear()  # the port may have been another test's
        monkeypatch.setattr(socket, "getaddrinfo", counting)
        for _ in range(2):
            assert await dialled(peer.endpoint) == ("127.0.0.1", peer.endpoint.port)
    assert read == ["127.0.0.1"]


@LOOPS
async def test_what_was_checked_is_what_is_connected_to(
    names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """A name whose next answer is private gets no chance to give it: there is one look-up."""
    run_as(loop, monkeypatch)
    running = asyncio.get_running_loop()
    resolver = names([PUBLIC], ["127.0.0.1"], [PUBLIC])
    reached: list[object] = []

    async def sock_connect(_: socket.socket, target: object) -> None:
        reached.append(target)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")

    monkeypatch.setattr(running, "sock_connect", sock_connect)
    monkeypatch.setattr(dial, "_connects_at_once", lambda *_: False)  # nor does it try
    with pytest.raises(ConnectError):
        await dial.dial(service(), Recording())
    assert (reached, resolver.asked) == ([(PUBLIC, 4430)], ["a.example"])


@LOOPS
async def test_tls_keeps_the_name(
    names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """The connection goes to the address, but the server is asked for, and checked by, its name."""
    run_as(loop, monkeypatch)
    asked_for: list[str | None] = []
    server, client = contexts("a.example")
    server.sni_callback = lambda _, name, __: asked_for.append(name)
    async with Peer(silence, tls=server) as peer:
        names(["127.0.0.1"], ["127.0.0.1"])
        endpoint = replace(peer.endpoint, host="a.example")
        protocol = Recording()
        await dial.dial(endpoint, protocol, tls=client)
        protocol.abort()
        with pytest.raises(TlsError, match=r"b\.example"):
            await dial.dial(replace(endpoint, host="b.example"), Recording(), tls=client)
        await peer.gone()
    assert asked_for == ["a.example", "b.example"]


def contexts(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server that has a certificate for ``name`` needs, and a client that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize("alive", [0, 1, 2])
async def test_another_loop_tries_the_next_address(
    resolve: Resolve, refusing: tuple[str, int], monkeypatch: pytest.MonkeyPatch, alive: int
) -> None:
    """Without a race, but a dead address before a live one is passed over there as well."""
    monkeypatch.setattr(asyncio, "BaseEventLoop", type("Other", (), {}))
    async with Peer(silence) as peer:
        addresses = [refusing] * 3
        addresses[alive] = ("127.0.0.1", peer.endpoint.port)
        resolve(*addresses)
        endpoint = replace(peer.endpoint, host="a.example")
        assert await dialled(endpoint) == addresses[alive]
