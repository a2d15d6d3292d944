"""What every connection here is: a protocol of its event loop, and something of its call's.

asyncio calls a protocol's methods on the loop; a call's abort, a client's ``close`` and the
garbage collector come from any thread. ``Home`` is the way from there to here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from ssl import SSLContext
from types import MethodType, TracebackType
from typing import Generic, Self, TypeVar, TypeVarTuple, cast

from modelplug.call import Call
from modelplug.transport.dial import dial
from modelplug.transport.endpoint import Endpoint

__all__ = ["Connection", "Home", "Opened", "Weakly"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_BUFFER = 16_384
"""Bytes that one read takes at most."""

_TLS_BUFFER = 1 << 19
"""The same over TLS. At the end of a connection asyncio makes one read of all that it has
decrypted, which can be this much, and drops the rest."""

_ANSWERED = frozenset({"streaming", "ended"})


class _Shared(threading.local):
    """What the connections of one thread read into. Pages that are never used cost nothing."""

    def __init__(self) -> None:
        # Views: asyncio's TLS fills them in slices, and those of a bytearray are copies.
        self.tls_buffer = memoryview(bytearray(_TLS_BUFFER))
        self.buffer = self.tls_buffer[:_BUFFER]


_shared = _Shared()


class Home:
    """The event loop, thread and process that something was made in and belongs to.

    Attributes:
        loop: the running one when this was made.
    """

    __slots__ = ("_process", "_thread", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._process = os.getpid()

    def run(self, callback: Callable[[], None]) -> None:
        """Run ``callback`` at home, soon or at once; from any thread, and from finalisers.

        Once the loop is closed nobody is at home any more, and it is run here; what it then
        wants of the loop ends it. In a forked child it isn't run.
        """
        if os.getpid() != self._process:
            return  # a forked child shares the socket with its parent, and even the selector
        with suppress(RuntimeError):  # the loop is closed
            if threading.get_ident() == self._thread or self.loop.is_closed():
                callback()
            else:
                self.loop.call_soon_threadsafe(callback)


class Connection(asyncio.BufferedProtocol):
    """A protocol that reads into the buffer of its thread, with one future for each wait.

    Args:
        endpoint: what it is to be connected to.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_endpoint",
        "_home",
        "_is_backed_up",
        "_is_cut",
        "_is_paused",
        "_socket",
        "_transport",
        "_unreported",
        "_waiter",
    )

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._home = Home()
        self._socket: socket.socket | None = None  # below the transport, if it is one of ours
        self._transport: asyncio.Transport | None = None
        self._is_cut = False
        self._unreported: Call | None = None
        self._buffer = receive_buffer(self._home.loop, secure=endpoint.secure)
        self._is_paused = False
        self._is_backed_up = False
        self._waiter: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._endpoint}>"

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what is read: bytes that ``buffer_updated`` uses up at once."""
        return self._buffer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, unless nobody wants it any more."""
        self._transport = cast(asyncio.Transport, transport)
        if self._is_cut:
            self._drop()

    def pause_writing(self) -> None:
        """The server doesn't read as fast as we write."""
        self._is_backed_up = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_backed_up = False
        self._report()

    async def _dial(self, call: Call, *, tls: SSLContext | None) -> None:
        """Connect, unless that is done or not wanted any more; the call learns of it."""
        if self._is_cut:
            return
        call.reached("connecting")
        if self._transport is None:
            timeout = call.timeouts.connect
            self._socket = await dial(self._endpoint, self, tls=tls, timeout=timeout)

    def _wrote(self, call: Call) -> None:
        """Report ``sent`` to ``call`` as soon as all that was written is on its way.

        Of what is too long for the system's buffers that is when the server has read so much
        of it that the rest fits: until then the clock for opening runs on.
        """
        self._unreported = call
        self._report()

    def _report(self) -> None:
        call = self._unreported
        if call is not None and self._is_backed_up and call.phase not in _ANSWERED:
            call.reached(call.phase, sent="maybe")
            return
        self._unreported = None
        if call is not None and call.phase not in _ANSWERED:
            call.reached("sent")

    def _drop(self) -> None:
        """Cut it at once: the transport that there is, or the one that is still to come."""
        self._is_cut = True
        transport, self._transport = self._transport, None
        if transport is None:
            return
        if not self._home.loop.is_closed():
            transport.abort()
            return
        with suppress(RuntimeError):  # the loop was to do the closing
            transport.abort()
        if self._socket is not None:
            self._socket.close()

    def _hold_back(self) -> None:
        """Have the server wait until ``_go_on``."""
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        if self._transport is not None and self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    @property
    def _is_awaited(self) -> bool:
        """Whether a task waits for news; one that has just been woken doesn't."""
        return self._waiter is not None and not self._waiter.done()

    def _news(self) -> asyncio.Future[None]:
        """What is there when ``_wake`` is called next; for one task at a time."""
        # No coroutine: among hundreds of streams each object in the way of a piece costs a look
        # into memory that no cache holds.
        waiter = self._waiter = self._home.loop.create_future()
        return waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Opened(AbstractAsyncContextManager[T], Generic[T]):
    """A block that begins once something is open, and lets go of it however it ends.

    Not an asynccontextmanager: that is a generator, which the event loop would finalise on its
    own, beside the provider's, when a stream is dropped.

    Args:
        opened: what the block gets.
        opening: gets it ready; called once, and forgotten: it may hold a question.
        leave: lets go of it, also where ``opening`` fails; a function of its class.
    """

    __slots__ = ("_leave", "_opened", "_opening")

    def __init__(
        self, opened: T, opening: Callable[[], Awaitable[None]], leave: Callable[[T], None]
    ) -> None:
        self._opened = opened
        self._opening = opening
        self._leave = leave

    async def __aenter__(self) -> T:
        opening = self._opening()
        del self._opening
        try:
            await opening
        except BaseException:
            self._leave(self._opened)
            raise
        return self._opened

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(self._opened)


class Weakly(weakref.ref[object]):
    """A call of a method without a hold on whose it is: a connection holds its call, say.

    Args:
        method: bound to something that may be gone when it is called.
        args: for it.
    """

    # No WeakMethod: each has closures of its own, half a KiB for each stream that is open.

    __slots__ = ("_args", "_function")

    def __new__(cls, method: Callable[[*Ts], None], *args: *Ts) -> Self:
        """A reference to whose the method is."""
        return super().__new__(cls, cast(MethodType, method).__self__)

    def __init__(self, method: Callable[[*Ts], None], *args: *Ts) -> None:
        self._function = cast(MethodType, method).__func__
        self._args = args

    # References to one owner are equal; calls of its methods needn't be.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __call__(self) -> None:
        """Call it, unless nobody is left whose it is."""
        if (owner := super().__call__()) is not None:
            self._function(owner, *self._args)


def receive_buffer(loop: asyncio.AbstractEventLoop, *, secure: bool) -> memoryview:
    """Shared where a loop fills it and calls us in one go; Windows' Proactor does not."""
    if isinstance(loop, asyncio.SelectorEventLoop) or "uvloop" in type(loop).__module__:
        return _shared.tls_buffer if secure else _shared.buffer
    return memoryview(bytearray(_TLS_BUFFER if secure else _BUFFER))
