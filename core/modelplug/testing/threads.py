"""A server in a thread and an event loop of its own.

A client that blocks can't stop the server that should show it, and a test needs no loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager

__all__ = ["in_thread"]


@contextmanager
def in_thread(
    server: AbstractAsyncContextManager[object], *, name: str = "modelplug-upstream"
) -> Iterator[asyncio.AbstractEventLoop]:
    """Enter ``server`` on a loop of its own, which is given, and leave it with the block.

    Raises:
        Exception: whatever entering or leaving it raised, such as OSError for a taken port.
    """
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    ended: Future[None] = Future()

    async def serve() -> None:
        """Serve until told to stop."""
        stop = asyncio.Event()
        async with server:
            started.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

    def on_own_loop() -> None:
        """What the thread does."""
        try:
            # Not Windows's own loop, which can't tell when a socket is ready.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(serve())
        except Exception as error:  # noqa: BLE001  # whoever entered or left the block gets it
            (ended if started.done() else started).set_exception(error)

    thread = threading.Thread(target=on_own_loop, name=name, daemon=True)
    thread.start()
    loop, stop = started.result()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    if ended.done():
        ended.result()
