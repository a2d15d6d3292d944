"""One TLS context per process.

Making one reads all of the machine's certificates: about 17 ms, many times what the rest of a
request costs. So it is made once, when it is first needed, and shared by all connections.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["tls_context", "warm_tls_context"]


class _Shared:
    def __init__(self) -> None:
        self.context: SSLContext | None = None
        self._lock = threading.Lock()

    def get(self) -> SSLContext:
        with self._lock:
            if self.context is None:
                self.context = _new_context()
            return self.context


def _new_context() -> SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


_shared = _Shared()


def tls_context() -> SSLContext:
    """The context that all connections of this process share: TLS 1.2 or later, verified.

    The first call makes it and takes about 17 ms; from any thread. Don't change it: everybody
    else's connections would change too.
    """
    return _shared.get()


async def warm_tls_context() -> SSLContext:
    """The same context; where it must still be made, that is done off the event loop."""
    if _shared.context is not None:
        return _shared.context
    import asyncio

    return await asyncio.to_thread(tls_context)
