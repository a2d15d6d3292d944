"""A server in a thread and an event loop of its own.

A client that blocks can't stop the server that should show it, and a test needs no loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager, suppress

__all__ = ["in_thread"]


@contextmanager
def in_thread(
    server: AbstractAsyncContextManager[object],
    *,
    name: str = "modelplug-upstream",
    patience: float | None = None,
) -> Iterator[asyncio.AbstractEventLoop]:
    """Enter ``server`` on a loop of its own, which is given, and leave it with the block.

    Args:
        server: what is entered.
        name: the thread's.
        patience: seconds that the block's end waits for the loop's; None is for ever. A loop that
            is blocked then is left to itself: it isn't closed.

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
        except (KeyboardInterrupt, SystemExit) as error:
            if not started.done():
                started.set_exception(error)
            # Else a coroutine raised it, and whoever waits for that one has got it: it ends the
            # loop all the same.

    thread = threading.Thread(target=on_own_loop, name=name, daemon=True)
    thread.start()
    loop, stop = started.result()
    try:
        yield loop
    finally:
        with suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(stop.set)
        thread.join(patience)
    if ended.done():
        ended.result()
