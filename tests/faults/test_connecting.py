"""Rows 1 to 7, 12, 13 and 84: from the look-up to the connection; then a call is answered."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from modelplug import (
    ConnectError,
    ConnectTimeoutError,
    ProxyLLMClient,
    ResolveError,
    Timeouts,
    UnsafeEndpointError,
    UnsupportedOptionError,
    new_client,
)
from modelplug.transport import Endpoint, dial
from tests.faults.asking import Expected, Way, answered, every_way, failure, told
from tests.faults.carriers import REMOTE, Carrier, HttpClient, over
from tests.faults.leaps import leaping
from tests.faults.servers import Server, hold
from tests.support.spark import APP_ID, KEY, SECRET

NAME = "localhost"
"""A host whose address a test's own resolver tells; keys may go there in plain text."""

look_up = socket.getaddrinfo

Addresses = Callable[[], list[tuple[str, int]]]


@contextmanager
def resolver(*answers: Addresses) -> Iterator[list[str]]:
    """Look-ups of ``NAME`` get these answers in turn, the last one for ever; a list of them."""
    asked_for: list[str] = []

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        if host != NAME or options.get("flags"):
            return look_up(host, port, *arguments, **options)
        asked_for.append(host)
        addresses = answers[min(len(asked_for), len(answers)) - 1]()
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, address) for address in addresses]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield asked_for


def named(carrier: Carrier, server: Server) -> str:
    """The address of a service by its name."""
    return f"{carrier.scheme()}://{NAME}:{server.port}"


def unknown(number: int) -> NoReturn:
    """A look-up that fails."""
    raise socket.gaierror(number, "no such name")


@pytest.mark.fault(1)
@every_way
@over(*REMOTE)
@pytest.mark.parametrize(
    ("number", "retryable"),
    [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)],
    ids=["unknown", "not now"],
)
def test_a_name_without_address(number: int, retryable: bool, carrier: Carrier, way: Way) -> None:
    """A name that nobody knows won't be known at the next try; a resolver in trouble may be."""
    with (
        Server(carrier.answer) as server,
        resolver(partial(unknown, number), lambda: [("127.0.0.1", server.port)]),
    ):
        client = carrier.client(named(carrier, server))
        expected = Expected(ResolveError, retryable, sent="no")
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"


@pytest.mark.fault(2)
@every_way
@over(*REMOTE)
def test_a_look_up_that_hangs(carrier: Carrier, way: Way) -> None:
    """It is left after the time for connecting, and the next one doesn't wait for it."""
    answers = threading.Event()

    def hang() -> list[tuple[str, int]]:
        answers.wait()
        return []

    with Server(carrier.answer) as server, resolver(hang, lambda: [("127.0.0.1", server.port)]):
        client = carrier.client(named(carrier, server))
        expected = Expected(ConnectTimeoutError, retryable=True, sent="no")
        try:
            with leaping(6.0, phase="connecting"):
                assert expected == told(failure(client, way, Timeouts()), expected)
            assert answered(client, way) == "fine"
        finally:
            answers.set()


def public(carrier: Carrier) -> ProxyLLMClient:
    """A client of a service that is on the internet by its own account."""
    if carrier.name == "spark":
        return new_client("spark", api_app_id=APP_ID, api_key=KEY, api_secret=SECRET)
    client = carrier.client("https://api.reference.test")
    assert isinstance(client, HttpClient)
    client.endpoint = Endpoint(
        scheme="https", host="api.reference.test", port=443, public_only=True
    )
    return client


@pytest.mark.fault(3)
@every_way
@over(*REMOTE)
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_a_public_name_that_leads_inside(address: str, carrier: Carrier, way: Way) -> None:
    """A service's own address is on the internet: a key goes to no other, and nobody is asked.

    Where the configuration names an address inside, it is meant.
    """

    def getaddrinfo(host: Any, port: int, *_: Any, flags: int = 0, **__: Any) -> list[Any]:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    connected: list[object] = []
    client = public(carrier)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        patch.setattr("modelplug.transport.dial._attempt", connected.append)
        expected = Expected(UnsafeEndpointError, retryable=False, sent="no")
        assert expected == told(failure(client, way), expected)
    assert connected == []


@pytest.mark.fault(4)
@every_way
@over(*REMOTE)
def test_a_name_that_leads_elsewhere_afterwards(carrier: Carrier, way: Way) -> None:
    """A call makes one look-up, and connects to what that gave."""
    with Server(carrier.answer) as server, Server(carrier.answer) as elsewhere:
        here, there = [("127.0.0.1", each.port) for each in (server, elsewhere)]
        with resolver(lambda: [here], lambda: [there]) as look_ups:
            client = carrier.client(named(carrier, server))
            assert answered(client, way) == "fine"
        assert (len(look_ups), server.seen, elsewhere.seen) == (1, 1, 0)


@pytest.mark.fault(5)
@every_way
@over(*REMOTE)
def test_one_of_two_addresses_is_dead(carrier: Carrier, way: Way) -> None:
    """The other one serves."""
    with Server(carrier.answer) as server:
        with socket.create_server(("127.0.0.1", 0)) as vacant:
            dead = vacant.getsockname()
        with resolver(lambda: [dead, ("127.0.0.1", server.port)]):
            assert answered(carrier.client(named(carrier, server)), way) == "fine"


@pytest.mark.fault(6)
@every_way
@over(*REMOTE)
def test_nobody_listens(carrier: Carrier, way: Way) -> None:
    """That is told at once, and that nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as vacant:
        port = vacant.getsockname()[1]
    client = carrier.client(f"{carrier.scheme()}://127.0.0.1:{port}")
    expected = Expected(ConnectError, retryable=True, sent="no")
    assert expected == told(failure(client, way), expected)
    with Server(carrier.answer, listener=socket.create_server(("127.0.0.1", port))):
        assert answered(client, way) == "fine"


@pytest.mark.fault(7)
@every_way
@over(*REMOTE)
def test_packets_vanish(carrier: Carrier, way: Way) -> None:
    """The time for connecting ends it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(8)]
    for filler in fillers:
        filler.setblocking(False)
        with suppress(BlockingIOError):
            filler.connect(listener.getsockname())
    client = carrier.client(f"{carrier.scheme()}://127.0.0.1:{listener.getsockname()[1]}")
    expected = Expected(ConnectTimeoutError, retryable=True, sent="no")
    try:
        with leaping(6.0, phase="connecting"):
            assert expected == told(failure(client, way, Timeouts()), expected)
    finally:
        for filler in fillers:
            filler.close()
    listener.listen(128)
    with Server(carrier.answer, listener=listener):
        assert answered(client, way) == "fine"


@pytest.mark.fault(12)
@over(*REMOTE)
def test_a_proxy_that_cant_be_used(carrier: Carrier) -> None:
    """It is refused when the client is made, rather than passed by; its password isn't shown."""
    with pytest.raises(UnsupportedOptionError) as caught:
        carrier.client(
            f"{carrier.scheme()}://127.0.0.1:1", http_proxy="http://user:pass-word@proxy.test:3128"
        )
    assert "pass-word" not in f"{caught.value!r} {vars(caught.value)}"


@pytest.mark.fault(13)
@every_way
@over(*REMOTE)
def test_proxies_of_the_environment_are_not_used(
    carrier: Carrier, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that the app knows nothing of sends no key to a stranger."""
    with Server(hold) as proxy, Server(carrier.answer) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert answered(carrier.client(server), way) == "fine"
        assert proxy.seen == 0


@pytest.mark.fault(84)
@every_way
@over(*REMOTE)
def test_no_descriptor_is_left(carrier: Carrier, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error that may pass, and passes."""
    refusals = [OSError(errno.EMFILE, os.strerror(errno.EMFILE))]

    def exhausted(*arguments: Any) -> socket.socket:
        if refusals:
            raise refusals.pop()
        return socket.socket(*arguments)

    with Server(carrier.answer) as server:
        client = carrier.client(server)
        theirs = SimpleNamespace(**{**vars(socket), "socket": exhausted})
        monkeypatch.setattr(dial, "socket", theirs)
        expected = Expected(ConnectError, retryable=True, sent="no")
        assert expected == told(failure(client, way), expected)
        assert answered(client, way) == "fine"
