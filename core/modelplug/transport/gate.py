"""How many connections to one place are opened at once: the others wait for their turn.

A thousand calls that begin together would all connect together: a server's queue for those that
it hasn't accepted yet overflows then, and the system tries again after a second, and after two
more; and an event loop that is busy with thousands of handshakes lets each of them look slow.
What waits here is no service's slowness, so a call's clock for connecting begins behind the gate.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from modelplug.transport.endpoint import Endpoint

__all__ = ["AT_ONCE", "HELD_SECONDS", "Turn", "gate_to"]

AT_ONCE = 256
"""Half of what the queue of a server of the usual kind holds (nginx and Node.js: 511). With fewer,
a thousand calls take longer to begin: each has to wait for many turns of the event loop."""

HELD_SECONDS = 0.25
"""How long one that is being opened keeps another out: where a place answers slowly, or not at all,
a thousand calls a second get in, and fail by the clocks of their own."""

_Gates: TypeAlias = WeakValueDictionary[tuple[str, int], asyncio.Semaphore]

_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, _Gates] = WeakKeyDictionary()
"""Those that somebody is in, or waits at, by their loop, and none of which is kept by this."""


def gate_to(endpoint: Endpoint) -> asyncio.Semaphore:
    """The gate of the running loop to a host's port; see ``Turn``.

    Whoever waits gets in by the order of coming.
    """
    gates = _gates.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    place = endpoint.host, endpoint.port
    gate = gates.get(place)
    if gate is None:
        gate = gates[place] = asyncio.Semaphore(AT_ONCE)
    return gate


class Turn:
    """A block in which a connection is opened; it begins when there is room.

    Args:
        endpoint: where to.
    """

    __slots__ = ("_gate", "_timer")

    def __init__(self, endpoint: Endpoint) -> None:
        self._gate = gate_to(endpoint)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._gate.acquire()
        self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._leave)

    async def __aexit__(self, *exc_info: object) -> None:
        self._leave()

    def _leave(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self._gate.release()
