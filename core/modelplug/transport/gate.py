"""How many connections to one place are opened at once: the others wait for their turn.

A thousand calls that begin together would all connect together: a server's queue for those that
it hasn't accepted yet overflows then, and the system tries again after a second, and after two
more; and an event loop that is busy with thousands of handshakes lets each of them look slow.
What waits here is no service's slowness, so a call's clock for connecting begins behind the gate.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from modelplug.transport.endpoint import Endpoint

__all__ = ["AT_ONCE", "gate_to"]

AT_ONCE = 256
"""Half of what the queue of a server of the usual kind holds (nginx and Node.js: 511). With fewer,
a thousand calls take longer to begin: each has to wait for many turns of the event loop."""

_gates: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str, int], asyncio.Semaphore] = (
    WeakValueDictionary()
)
"""Those that somebody is in, or waits at. Only the loop's own thread asks for one of its keys."""


def gate_to(endpoint: Endpoint) -> asyncio.Semaphore:
    """The gate of the running loop to a host's port, to be held while a connection is opened.

    Whoever waits gets in by the order of coming; a place that doesn't answer keeps nobody from
    another one.
    """
    place = asyncio.get_running_loop(), endpoint.host, endpoint.port
    gate = _gates.get(place)
    if gate is None:
        gate = _gates[place] = asyncio.Semaphore(AT_ONCE)
    return gate
