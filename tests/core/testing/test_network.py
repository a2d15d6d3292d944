"""Nothing goes out to the network unnoticed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from modelplug import WrongUseError, new_client
from modelplug.testing.network import no_network

NOWHERE = ("192.0.2.1", 9)
"""An address for documentation, which nobody has (RFC 5737)."""


def send_message(probe: socket.socket) -> None:
    """By the call that takes most arguments."""
    probe.sendmsg([b"x"], [], 0, NOWHERE)


@pytest.mark.parametrize(
    "use",
    [
        lambda probe: probe.connect(NOWHERE),
        lambda probe: probe.connect_ex(NOWHERE),
        lambda probe: probe.sendto(b"x", NOWHERE),
        send_message,
        lambda _: socket.create_connection(("example.invalid", 80)),
        lambda _: socket.getaddrinfo(b"example.invalid", 80),
        lambda _: socket.gethostbyname("example.invalid"),
        lambda _: socket.gethostbyaddr("192.0.2.1"),
    ],
    ids=[
        "connect",
        "connect_ex",
        "sendto",
        "sendmsg",
        "create_connection",
        "getaddrinfo",
        "gethostbyname",
        "gethostbyaddr",
    ],
)
def test_whatever_goes_out_is_refused(use: Callable[[socket.socket], object]) -> None:
    """And told what it was."""
    refused = pytest.raises(WrongUseError, match=r"192\.0\.2\.1|example\.invalid")
    with socket.socket(type=socket.SOCK_DGRAM) as probe, no_network(), refused:
        use(probe)


def test_this_machine_may_be_talked_to() -> None:
    """Unless that is refused as well; a pair of sockets is no network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with no_network():
            socket.create_connection(server.getsockname()).close()
            socket.create_connection(("localhost", server.getsockname()[1])).close()
        with no_network(loopback=False):
            with pytest.raises(WrongUseError):
                socket.create_connection(server.getsockname())
            asyncio.run(asyncio.sleep(0))


def test_afterwards_all_is_as_before() -> None:
    """Whatever the block ended with."""
    before = socket.getaddrinfo, socket.socket.connect
    with pytest.raises(KeyError), no_network():
        raise KeyError
    assert (socket.getaddrinfo, socket.socket.connect) == before


@pytest.mark.parametrize("base", ["wss://192.0.2.1", "wss://example.invalid"])
def test_a_real_backend_is_refused(base: str) -> None:
    """Loudly: it is no failure of the backend's, which an app might well survive."""
    client = new_client(
        {"backend": "spark", "api_base": base, "api_app_id": "1", "api_key": "k", "api_secret": "s"}
    )
    with no_network(), pytest.raises(WrongUseError, match="the test would use the network"):
        client.sync_generate("hi")


@pytest.mark.parametrize("host", ["::ffff:127.0.0.1", "LOCALHOST", b"127.0.0.1", "127.9.9.9"])
def test_this_machine_has_many_names(host: str | bytes) -> None:
    """However it is spelled."""
    with no_network():
        assert socket.getaddrinfo(host, 80)


def test_who_listens_has_no_address() -> None:
    """All addresses of this machine's are for listening; nothing can be sent there."""
    with no_network():
        for host in ("0.0.0.0", "::"):
            assert socket.getaddrinfo(host, 0, flags=socket.AI_PASSIVE)
        with socket.socket() as probe, pytest.raises(WrongUseError):
            probe.connect(("0.0.0.0", 9))


def test_what_is_sent_on_a_connection_has_no_address() -> None:
    """However it is spelled: a pair of pieces isn't one."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
        no_network(loopback=False),
    ):
        assert connection.sendmsg((b"a", b"b")) == 2


def test_blocks_may_overlap() -> None:
    """The strictest counts while they do, and the last one takes the guard away."""
    before = socket.getaddrinfo
    strict, lenient = no_network(loopback=False), no_network()
    strict.__enter__()
    lenient.__enter__()
    with pytest.raises(WrongUseError):
        socket.getaddrinfo("localhost", 80)
    strict.__exit__(None, None, None)
    assert socket.getaddrinfo("localhost", 80)
    lenient.__exit__(None, None, None)
    assert socket.getaddrinfo is before
