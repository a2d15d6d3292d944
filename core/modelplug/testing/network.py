"""A guard for tests: nothing goes out to the network unnoticed."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from unittest.mock import patch

from modelplug.errors import WrongUseError

__all__ = ["no_network"]

_CALLS = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}
"""What sends something to an address, and the address's place among its arguments."""

_LOOK_UPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")
"""What asks for a name, given first."""


class _Guard:
    """One for the process, as the sockets are: blocks may overlap, and the strictest counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: list[bool] = []
        self._patches = ExitStack()

    def enter(self, *, loopback: bool) -> None:
        """Guard for one block more."""
        with self._lock:
            if not self._blocks:
                self._patch()
            self._blocks.append(loopback)

    def leave(self, *, loopback: bool) -> None:
        """One block has come to its end; with the last one the guard goes."""
        with self._lock:
            self._blocks.remove(loopback)
            if not self._blocks:
                self._patches.close()

    def permit(self, host: object, doing: str) -> None:
        """Refuse what isn't allowed.

        Raises:
            WrongUseError: it isn't.
        """
        if all(self._blocks) and _is_loopback(host):
            return
        raise WrongUseError(
            f"the test would use the network: {doing}",
            hint="let modelplug.testing answer instead, or an emulator with loopback=True",
        )

    def _patch(self) -> None:
        for name in _LOOK_UPS:
            call = self._guarded_look_up(getattr(socket, name), name)
            self._patches.enter_context(patch.object(socket, name, call))
        for name, place in _CALLS.items():
            call = self._guarded(getattr(socket.socket, name), name, place)
            self._patches.enter_context(patch.object(socket.socket, name, call))

    def _guarded(self, call: Callable[..., object], name: str, place: int) -> Callable[..., object]:
        @wraps(call)
        def guarded(sock: socket.socket, *arguments: object) -> object:
            address = next(iter(arguments[place:]), None)
            if sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
                self.permit(address[0], f"{name} to {address[0]} port {address[1]}")
            return call(sock, *arguments)

        return guarded

    def _guarded_look_up(self, call: Callable[..., object], name: str) -> Callable[..., object]:
        @wraps(call)
        def guarded(host: object, *arguments: object, **options: object) -> object:
            to_listen = name == "getaddrinfo" and _is_unspecified(host)
            if host is not None and not to_listen:
                self.permit(host, f"look-up of {_text(host)}")
            return call(host, *arguments, **options)

        return guarded


_guard = _Guard()


@contextmanager
def no_network(*, loopback: bool = True) -> Iterator[None]:
    """Refuse whatever this process would connect to, from any thread, while the block runs.

    It stands in front of Python's sockets, so libraries that bring their own, in C, pass it by.

    Args:
        loopback: whether this machine itself may still be connected to, as for an emulator.

    Raises:
        WrongUseError: where something is connected to, or a name is looked up; it says what.
    """
    _guard.enter(loopback=loopback)
    try:
        yield
    finally:
        _guard.leave(loopback=loopback)


def _text(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


def _is_unspecified(host: object) -> bool:
    """Whether it is no address of anybody's, but every one of this machine's, to listen on."""
    return _text(host) in ("0.0.0.0", "::")  # noqa: S104  # nothing is bound here


def _is_loopback(host: object) -> bool:
    name = _text(host).partition("%")[0].lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
