"""How many connections to one place are opened at once: the others wait for their turn.

A thousand calls that begin together would all connect together: a server's queue for those that
it hasn't accepted yet overflows then, and the system tries again after a second, and after two
more; and an event loop that is busy with thousands of handshakes lets each of them look slow.
What waits here is no service's slowness, so a call's clock for connecting begins behind the gate.

Where nobody has to wait, as nearly always, this is a note of the time; only waiting needs a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from modelplug.transport.endpoint import Endpoint

__all__ = ["AT_ONCE", "HELD_SECONDS", "Gate", "Turn", "gate_to"]

AT_ONCE = 384
"""Three quarters of what the queue of a server of the usual kind holds (nginx and Node.js: 511).
With fewer, a thousand calls take longer to begin: each has to wait for many turns of the event
loop, in which the answers of those that were earlier are read."""

HELD_SECONDS = 0.25
"""How long one that is being opened keeps another out: where a place answers slowly, or not at all,
a thousand calls a second get in, and fail by the clocks of their own."""


class Gate:
    """Who is being opened to one place, and who waits for that; for one event loop.

    It has somebody waiting only while it is full, and then always a timer.

    Args:
        loop: whose it is.
    """

    __slots__ = ("__weakref__", "_inside", "_loop", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._inside: dict[Turn, float] = {}  # and since when, the oldest first
        self._waiting: dict[Turn, asyncio.Future[None]] = {}  # by the order of coming
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        """Whether the next has to wait."""
        return len(self._inside) >= AT_ONCE

    async def enter(self, turn: Turn) -> None:
        """Wait until there is room, or until ``leave``, which ends a wait as well."""
        if not self.is_full:
            self._inside[turn] = self._loop.time()
            return
        admitted = self._waiting[turn] = self._loop.create_future()
        self._admit()
        try:
            await admitted
        except BaseException:
            self._waiting.pop(turn, None)
            self.leave(turn)  # it may just have been let in
            raise

    def leave(self, turn: Turn) -> None:
        """Make room for the next; a second time is harmless."""
        admitted = self._waiting.pop(turn, None)
        if admitted is not None and not admitted.done():
            admitted.set_result(None)
        if self._inside.pop(turn, None) is not None and self._waiting:
            self._admit()

    def _admit(self) -> None:
        """Let in who has room, in the place of those, too, who are being opened for too long."""
        now = self._loop.time()
        while self._waiting and self._has_room(now):
            turn = next(iter(self._waiting))
            admitted = self._waiting.pop(turn)
            if not admitted.done():  # or it was cancelled, and comes to leave
                self._inside[turn] = now
                admitted.set_result(None)
        if self._waiting and self._timer is None:
            since = next(iter(self._inside.values()))
            self._timer = self._loop.call_later(since + HELD_SECONDS - now, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._admit()

    def _has_room(self, now: float) -> bool:
        if self.is_full:
            oldest, since = next(iter(self._inside.items()))
            if now - since >= HELD_SECONDS:
                del self._inside[oldest]
        return not self.is_full


class Turn:
    """The time in which a connection is opened: it begins when there is room; also a block.

    Args:
        endpoint: where to.
    """

    __slots__ = ("_gate",)

    def __init__(self, endpoint: Endpoint) -> None:
        self._gate = gate_to(endpoint)

    def begin(self) -> Awaitable[None]:
        """What waits for room, or for ``end``."""
        return self._gate.enter(self)

    def end(self) -> None:
        """Make room for the next, however often."""
        self._gate.leave(self)

    async def __aenter__(self) -> None:
        await self.begin()

    async def __aexit__(self, *exc_info: object) -> None:
        self.end()


_Gates: TypeAlias = WeakValueDictionary[tuple[str, int], Gate]

_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, _Gates] = WeakKeyDictionary()
"""Those that somebody is in, or waits at, by their loop, and none of which is kept by this."""


def gate_to(endpoint: Endpoint) -> Gate:
    """The gate of the running loop to a host's port."""
    loop = asyncio.get_running_loop()
    gates = _gates.get(loop)
    if gates is None:
        gates = _gates[loop] = WeakValueDictionary()
    place = endpoint.host, endpoint.port
    gate = gates.get(place)
    if gate is None:
        gate = gates[place] = Gate(loop)
    return gate
