"""What a forked child makes of what its parent's policies know."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

import pytest

from modelplug import Delta, Finish, ModelRequest, Timeouts
from modelplug.policies import Circuit, ConcurrencyLimit, Pool, RetryBudget, Slots
from modelplug.policies.rate import LocalGate
from tests.support.scripted import AsyncScripted

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without forks"),
    pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning"),
]


def in_child(act: Callable[[], object]) -> int:
    """With what a forked child ends: 0 where ``act`` came to its end, and in time."""
    process = os.fork()
    if not process:
        signal.alarm(10)  # a child that hangs is ended by the system
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_child_has_all_the_room_there_is() -> None:
    """The calls that are under way are its parent's, and no end of them is told of in it."""
    slots = Slots(1, queue=1)
    under_way, waiting = slots.take(), slots.take()

    def act() -> None:
        assert (slots.taken, slots.waiting) == (0, 0)
        limited = ConcurrencyLimit(AsyncScripted(Delta("a"), Finish()), slots)
        asked = ModelRequest(messages="hi", timeout=Timeouts(queue=1))
        assert asyncio.run(limited.generate(asked)).text == "a"
        slots.give_back(under_way)
        slots.give_back(waiting)
        assert slots.taken == 0

    assert in_child(act) == 0
    assert (slots.taken, slots.waiting) == (1, 1)


def test_a_child_has_a_whole_budget_and_closed_circuits() -> None:
    """What its parent has seen fail is its parent's."""
    budget, circuit, gate = RetryBudget(10), Circuit(), LocalGate(60, burst=1, now=lambda: 0.0)
    assert budget.take() == 10
    assert asyncio.run(gate.acquire(1)) == 0
    for _ in range(5):
        circuit.failed(object())

    def act() -> None:
        assert (budget.left, circuit.state) == (10, "closed")
        assert asyncio.run(gate.acquire(1)) == 0

    assert in_child(act) == 0
    assert (budget.left, circuit.state, asyncio.run(gate.acquire(1))) == (0, "open", 1)


def test_no_lock_that_a_thread_of_the_parent_holds_stops_a_child() -> None:
    """A thread has each of them while the process forks; the child doesn't have the thread."""
    budget, circuit, slots = RetryBudget(), Circuit(), Slots(1)
    pool = Pool(AsyncScripted(Finish()), AsyncScripted(Finish()))
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with budget._lock, circuit._lock, slots._lock, pool._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)

    def act() -> None:
        assert budget.take() == 10
        assert circuit.admit(object())
        assert slots.take().done()
        assert len(pool.order()) == 2

    try:
        assert in_child(act) == 0
    finally:
        done.set()
        thread.join()
