"""A guard for tests: nothing goes out to the network unnoticed."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from unittest.mock import patch

from modelplug.errors import WrongUseError

__all__ = ["no_network"]

_CALLS = ("connect", "connect_ex", "sendto", "sendmsg")
"""What sends something to an address that is given with it; the last argument, or the second."""


@contextmanager
def no_network(*, loopback: bool = True) -> Iterator[None]:
    """Refuse whatever this process would connect to, from any thread, while the block runs.

    It stands in front of Python's sockets, so libraries that bring their own, in C, pass it by.

    Args:
        loopback: whether this machine itself may still be connected to, as for an emulator.

    Raises:
        WrongUseError: where something is connected to, or a name is looked up; it says what.
    """
    lookup = _guarded_lookup(socket.getaddrinfo, loopback)
    with ExitStack() as guards:
        guards.enter_context(patch.object(socket, "getaddrinfo", lookup))
        for name in _CALLS:
            call = _guarded(getattr(socket.socket, name), name, loopback)
            guards.enter_context(patch.object(socket.socket, name, call))
        yield


def _guarded(call: Callable[..., object], name: str, loopback: bool) -> Callable[..., object]:
    @wraps(call)
    def guarded(sock: socket.socket, *arguments: object) -> object:
        address = arguments[-1] if arguments else None
        if sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            _permit(str(address[0]), f"{name} to {address[0]} port {address[1]}", loopback)
        return call(sock, *arguments)

    return guarded


def _guarded_lookup(call: Callable[..., object], loopback: bool) -> Callable[..., object]:
    @wraps(call)
    def guarded(host: object, *arguments: object, **options: object) -> object:
        if host is not None:
            name = host.decode() if isinstance(host, bytes) else str(host)
            _permit(name, f"look-up of {name}", loopback)
        return call(host, *arguments, **options)

    return guarded


def _permit(host: str, doing: str, loopback: bool) -> None:
    if loopback and _is_loopback(host):
        return
    raise WrongUseError(
        f"the test would use the network: {doing}",
        hint="let modelplug.testing answer instead, or an emulator with loopback=True",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
