"""From an endpoint to a connected transport: look-up, TCP, TLS.

Not asyncio's own ``create_connection(host, port)``: with ``happy_eyeballs_delay``, cancelling
it while the race is being decided loses a connected socket (seen in Python 3.11 to 3.13); and
its look-ups share a pool with everything else. Other loops get one address after the other, in
figures, and no race: an early abort makes uvloop close the descriptor below a socket that it
was given, and leave the socket itself, which closes the same number again when somebody else
may have it.

There is one look-up, and what it gave is what is connected to: a name that leads elsewhere the
next time, once it was looked at, leads nowhere. TLS and the Host header keep the name.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from itertools import zip_longest
from ssl import SSLContext, SSLError
from typing import Any, TypeAlias

from modelplug.blocking import DaemonThreads
from modelplug.errors import UnsafeEndpointError
from modelplug.transport.addresses import is_public
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.faults import connecting_failed
from modelplug.transport.tls import warm_tls_context
from modelplug.transport.tlsprotocol import TLS_SHUTDOWN, secured

__all__ = ["dial"]

_STAGGER = 0.25
"""Seconds that an address has to itself before the next is tried beside it (RFC 8305)."""

_CONNECTED = (0, errno.EISCONN)
"""What ``connect`` says of a socket that is connected; Linux says 0."""

_Address: TypeAlias = tuple[int, int, int, str, Any]
"""As getaddrinfo gives it: family, type, protocol, canonical name, the socket's address."""

_Connect: TypeAlias = Callable[..., Awaitable[object]]
"""The loop's ``create_connection``, but for where to."""

_Attempt: TypeAlias = asyncio.Task[socket.socket]


async def dial(
    endpoint: Endpoint,
    protocol: asyncio.BaseProtocol,
    *,
    tls: SSLContext | None = None,
    timeout: float | None = None,  # noqa: ASYNC109  # asyncio's TLS has a clock of its own
) -> socket.socket | None:
    """Connect ``protocol`` to ``endpoint``.

    When this fails or is cancelled, ``protocol`` may have got its transport already: whoever
    calls must abort it then. No other socket is left.

    Args:
        endpoint: where to; ``endpoint.secure`` decides about TLS.
        protocol: gets the transport.
        tls: instead of the shared context.
        timeout: seconds for the TLS handshake; None for asyncio's 60.

    Returns:
        The socket below the transport, where the loop didn't make one of its own.

    Raises:
        ResolveError: the host's name has no address.
        UnsafeEndpointError: an address isn't public, for an endpoint that must be.
        ConnectError: no address answers.
        TlsError: the server's certificate or its TLS was refused.
    """
    fault = None
    loop = asyncio.get_running_loop()
    try:
        context = (tls or await warm_tls_context()) if endpoint.secure else None
        addresses = await _addresses(endpoint.host, endpoint.port)
        if endpoint.public_only:
            _check(addresses, endpoint)
        if isinstance(loop, asyncio.BaseEventLoop):
            connection = await _connected(addresses)
            if context is None:
                await loop.create_connection(lambda: protocol, sock=connection)
            else:
                await secured(connection, protocol, context, host=endpoint.host, timeout=timeout)
            return connection
        connect: _Connect = partial(
            loop.create_connection,
            lambda: protocol,
            ssl=context,
            server_hostname=endpoint.host if context else None,
            ssl_handshake_timeout=timeout if context else None,
            ssl_shutdown_timeout=TLS_SHUTDOWN if context else None,
        )
        await _in_turn(addresses, connect)
    except OSError as error:
        fault = connecting_failed(error, endpoint)
    if fault is not None:
        try:
            raise fault
        finally:
            del fault  # the error's traceback holds this frame: no cycle
    return None


def _check(addresses: Sequence[_Address], endpoint: Endpoint) -> None:
    """All of them: which one would be connected to is a matter of luck."""
    for *_, target in addresses:
        if not is_public(target[0]):
            raise UnsafeEndpointError(
                f"{endpoint} is a public service, but its host has the address {target[0]} here",
                hint="if that is meant, as with a proxy that answers look-ups, configure api_base",
                sent="no",
            )


async def _in_turn(addresses: Sequence[_Address], connect: _Connect) -> None:
    """Have the loop connect to the first address that answers; raises the first's failure."""
    failures: list[OSError] = []
    try:
        for *_, target in addresses:
            try:
                await connect(host=target[0], port=target[1])
                return
            except SSLError:
                raise  # it did answer
            except OSError as error:
                failures.append(error)
        raise failures[0]
    finally:
        failures.clear()  # their tracebacks hold this frame: no cycle


async def _connected(addresses: Sequence[_Address]) -> socket.socket:
    if len(addresses) == 1:
        return await _attempt(addresses[0])
    return await _race(_interleaved(addresses))


async def _addresses(host: str, port: int) -> Sequence[_Address]:
    try:
        return _literal(host, port)
    except socket.gaierror:
        pass
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return await asyncio.get_running_loop().run_in_executor(_resolvers(os.getpid()), look_up)


@lru_cache(maxsize=64)  # of a name nothing is kept: an exception isn't
def _literal(host: str, port: int) -> Sequence[_Address]:
    """What an address in figures stands for: that needs no look-up, and so no thread."""
    flags = socket.AI_NUMERICHOST
    return tuple(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))


@cache
def _resolvers(process: int) -> DaemonThreads:  # noqa: ARG001  # a forked child has no threads
    """Threads of their own: look-ups that hang must not starve the app's ``to_thread``."""
    return DaemonThreads(8, name="modelplug-resolver")


def _interleaved(addresses: Sequence[_Address]) -> Iterable[_Address]:
    """The two families in turn, beginning with the one that the system prefers."""
    preferred = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [each for pair in zip_longest(preferred, others) for each in pair if each is not None]


async def _race(addresses: Iterable[_Address]) -> socket.socket:
    """A socket to the address that answers first; the next starts when one fails or is slow."""
    queue = iter(addresses)
    attempts: list[_Attempt] = []
    winner: _Attempt | None = None
    try:
        while winner is None:
            address = next(queue, None)
            if address is not None:
                attempts.append(asyncio.ensure_future(_attempt(address)))
            await _progress(attempts, seconds=None if address is None else _STAGGER)
            winner = next((each for each in attempts if _has_connected(each)), None)
        return winner.result()
    finally:
        for attempt in attempts:
            if attempt is not winner:
                _drop(attempt)


async def _progress(attempts: Sequence[_Attempt], *, seconds: float | None) -> None:
    """Wait until an attempt ends, or for so long; raises the first's failure if all have failed."""
    running = [attempt for attempt in attempts if not attempt.done()]
    if running:
        await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    elif seconds is None:
        attempts[0].result()


def _has_connected(attempt: _Attempt) -> bool:
    return attempt.done() and not attempt.cancelled() and attempt.exception() is None


def _drop(attempt: _Attempt) -> None:
    # One that still runs closes its own socket when it is cancelled.
    if not attempt.cancel() and _has_connected(attempt):
        attempt.result().close()


def _connects_at_once(connection: socket.socket, target: Any) -> bool:
    """Whether a socket is connected without having to wait, as to a server on this machine.

    Linux has that server's answer before the first call is back, and tells with the second: that
    spares the event loop's selector, and one of its turns, a tenth of a request. What hasn't
    come by then, or isn't a yes, is for ``sock_connect``, which goes on from there or begins anew.
    """
    if sys.platform != "linux":
        return False
    # No failure is told here: calls that are refused again and again would leave the loop no turn.
    return any(connection.connect_ex(target) in _CONNECTED for _ in range(2))


async def _attempt(address: _Address) -> socket.socket:
    family, kind, protocol, _, target = address
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        if not _connects_at_once(connection, target):
            await asyncio.get_running_loop().sock_connect(connection, target)
    except BaseException:
        connection.close()
        raise
    return connection
