"""Gates open from any thread, for waiters on any loop."""

from __future__ import annotations

import asyncio
import threading

from modelplug.testing.gates import Gates


async def test_a_waiter_waits_until_the_gate_is_opened() -> None:
    """Not longer, not shorter."""
    gates = Gates()
    waiting = asyncio.ensure_future(gates.wait("a"))
    await asyncio.to_thread(gates.wait_reached, "a")
    assert not waiting.done()
    gates.release("a")
    await waiting


async def test_a_gate_that_is_open_stays_open() -> None:
    """For whoever comes later, however often it is opened."""
    gates = Gates()
    gates.release("a")
    gates.release("a")
    await gates.wait("a")
    await gates.wait("a")


async def test_a_waiter_that_leaves_shuts_nobody_out() -> None:
    """The gate is not cancelled with it."""
    gates = Gates()
    first, second = (asyncio.ensure_future(gates.wait("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    gates.release("a")
    await second
    assert first.cancelled()


def test_waiters_on_two_loops_pass_one_gate() -> None:
    """Each on its own thread."""
    gates = Gates()
    passed = threading.Barrier(3, timeout=10)

    def wait() -> None:
        asyncio.run(gates.wait("a"))
        passed.wait()

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    gates.release("a")
    passed.wait()
    for thread in threads:
        thread.join()


def test_waiting_for_a_waiter_ends_in_time() -> None:
    """And says that none came."""
    assert not Gates().wait_reached("a", within=0)


def test_coming_to_a_gate_is_seen() -> None:
    """What it gives is done when the gate is open."""
    gates = Gates()
    opened = gates.reach("a")
    assert gates.wait_reached("a", 0)
    assert not opened.done()
    gates.release("a")
    assert opened.done()
