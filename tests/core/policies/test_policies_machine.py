"""Calls through a circuit, a retry budget, slots and a gate, in any order, by one clock."""

from __future__ import annotations

from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelplug import QueueFullError
from modelplug.policies import Circuit, CircuitLimits, RetryBudget
from modelplug.policies.concurrency import Slots
from modelplug.policies.rate import LocalGate

QUICK = settings(
    deadline=None, derandomize=True, database=None, max_examples=50, stateful_step_count=40
)
"""The same runs each time; seconds altogether."""

LIMIT, QUEUE = 3, 2

A_MINUTE, BURST = 60, 10

CAPACITY, LEAST_COST = 100, 5


class Time:
    """A clock that stands until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass(eq=False)
class Called:
    """One call: its place, whether it may go on, and what its retry had cost."""

    place: Future[None]
    is_admitted: bool = False
    is_probe: bool = False
    has_begun: bool = False
    cost: int = field(default=0)


def value(coroutine: Coroutine[object, object, float]) -> float:
    """What a coroutine gives that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return float(done.value)
    raise AssertionError("it waits")


class Policies(RuleBasedStateMachine):
    """Calls come, are answered, fail, are cancelled; and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        limits = CircuitLimits(failures=1, opening=5.0, longest=20.0)
        self.circuit = Circuit(limits, now=self.time, jitter=lambda: 0.5)
        self.budget = RetryBudget()
        self.slots = Slots(LIMIT, queue=QUEUE)
        self.gate = LocalGate(A_MINUTE, burst=BURST, now=self.time)
        self.calls: list[Called] = []
        self.passed = 0
        self.retries_in_a_row = 0

    # -------------------------------------------------------------------- calls and their ends

    @rule()
    def call(self) -> None:
        """A call asks for room, and is refused where the queue is full."""
        was_full = len(self.calls) == LIMIT + QUEUE
        try:
            self.calls.append(Called(self.slots.take()))
        except QueueFullError:
            assert was_full
        else:
            assert not was_full

    @precondition(lambda self: self.served(admitted=False))
    @rule()
    def admit(self) -> None:
        """One that has room asks the circuit."""
        called = self.served(admitted=False)[0]
        state = self.circuit.state
        probes = [each for each in self.calls if each.is_probe]
        expected = {"closed": True, "open": False, "half-open": not probes}[state]
        assert self.circuit.admit(called) == expected
        if expected:
            called.is_admitted, called.is_probe = True, state == "half-open"
        else:
            self.leave(called)

    @precondition(lambda self: self.served(admitted=True, begun=False))
    @rule(pick=st.integers(0, LIMIT))
    def begin(self, pick: int) -> None:
        """An answer begins: a probe's closes the circuit, another's shows nothing."""
        called = self.picked(self.served(admitted=True, begun=False), pick)
        state = self.circuit.state
        self.circuit.began(called)
        called.has_begun = True
        # Where the target has asked for a pause it stays open until that is over.
        assert self.circuit.state == ("closed" if called.is_probe and state != "open" else state)
        called.is_probe = False

    @precondition(lambda self: self.served(admitted=True, begun=True))
    @rule(pick=st.integers(0, LIMIT))
    def succeed(self, pick: int) -> None:
        """An answer comes to its end, and what a retry had cost is given back."""
        called = self.picked(self.served(admitted=True, begun=True), pick)
        self.circuit.succeeded()
        before = self.budget.left
        self.budget.succeeded(called.cost)
        assert self.budget.left == min(CAPACITY, before + (called.cost or 1))
        self.retries_in_a_row = 0
        self.leave(called)

    @precondition(lambda self: self.served(admitted=True))
    @rule(pick=st.integers(0, LIMIT), throttled=st.booleans())
    def fail(self, pick: int, throttled: bool) -> None:
        """The target fails, in the midst of an answer or before; and it may be tried again."""
        called = self.picked(self.served(admitted=True), pick)
        was_probe, state = called.is_probe, self.circuit.state
        self.circuit.failed(called)
        assert self.circuit.state == "open" if was_probe else self.circuit.state in (state, "open")
        self.leave(called)
        if not called.has_begun:
            self.retry(throttled=throttled)

    def retry(self, *, throttled: bool) -> None:
        """Another attempt is made, if there is something left for it."""
        before = self.budget.left
        cost = self.budget.take(throttled=throttled)
        price = LEAST_COST if throttled else 2 * LEAST_COST
        assert cost == (price if before >= price else None)
        if cost is None:
            return
        self.retries_in_a_row += 1
        try:
            self.calls.append(Called(self.slots.take(), cost=cost))
        except QueueFullError:
            return

    @precondition(lambda self: self.served(admitted=True))
    @rule(pick=st.integers(0, LIMIT))
    def cancel(self, pick: int) -> None:
        """A call is cancelled, which says nothing: the state stays, and the probe is free."""
        called = self.picked(self.served(admitted=True), pick)
        state = self.circuit.state
        self.circuit.ended(called)
        assert state == self.circuit.state
        self.leave(called)

    @precondition(lambda self: self.served(admitted=True, begun=False))
    @rule(pick=st.integers(0, LIMIT), seconds=st.sampled_from([1.0, 1e9]))
    def cool_down(self, pick: int, seconds: float) -> None:
        """The target asks for a pause: no call passes until then, however long it said."""
        called = self.picked(self.served(admitted=True, begun=False), pick)
        before = self.circuit.retry_after()
        self.circuit.cool_down(called, seconds)
        assert self.circuit.retry_after() >= before
        assert min(seconds, 600.0) - 1e-6 <= self.circuit.retry_after() <= 600.0
        self.leave(called)

    @precondition(lambda self: any(not each.place.done() for each in self.calls))
    @rule(pick=st.integers(0, QUEUE))
    def give_up(self, pick: int) -> None:
        """One that waits for room leaves the queue."""
        waiting = [each for each in self.calls if not each.place.done()]
        self.leave(self.picked(waiting, pick))

    # -------------------------------------------------------------------------- time and rates

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.time.now += seconds

    @rule(units=st.integers(1, 2 * BURST))
    def spend(self, units: int) -> None:
        """Units are to pass the gate: they do, or it says when they may, and then they do."""
        wait = value(self.gate.acquire(units))
        assert wait >= 0
        if wait == 0:
            self.passed += min(units, BURST)

    @rule(units=st.integers(1, 2 * BURST))
    def spend_in_time(self, units: int) -> None:
        """Who waits as long as the gate said passes."""
        self.time.now += value(self.gate.acquire(units)) or 60.0
        assert value(self.gate.acquire(units)) == 0
        self.passed += min(units, BURST)

    # -------------------------------------------------------------------------------- what holds

    @invariant()
    def slots_are_neither_lost_nor_made(self) -> None:
        """As many have room as hold it; nobody waits while there is some; first come, first."""
        done = [each.place.done() for each in self.calls]
        assert self.slots.taken == sum(done) <= LIMIT
        assert self.slots.waiting == len(done) - sum(done) <= QUEUE
        assert all(done) or self.slots.taken == LIMIT
        assert done == sorted(done, reverse=True), "a later one was served first"

    @invariant()
    def at_most_one_probes(self) -> None:
        """While it is half open one call is under way, of those that it let pass then."""
        assert sum(each.is_probe for each in self.calls) <= 1

    @invariant()
    def retries_are_bounded(self) -> None:
        """Never below nothing, nor above what it holds; without a success they come to an end."""
        assert 0 <= self.budget.left <= CAPACITY
        assert self.retries_in_a_row <= CAPACITY // LEAST_COST

    @invariant()
    def the_rate_is_kept(self) -> None:
        """No more passed than a burst and what the time since has brought."""
        since = self.time.now - Time.now
        assert self.passed <= BURST + since * A_MINUTE / 60 + 0.01

    def teardown(self) -> None:
        """When all have left, all room is free."""
        for called in [*self.calls]:
            self.circuit.ended(called)
            self.leave(called)
        assert (self.slots.taken, self.slots.waiting) == (0, 0)

    # ------------------------------------------------------------------------------ who is meant

    def served(self, *, admitted: bool, begun: bool | None = None) -> list[Called]:
        """Calls that have room."""
        there = [it for it in self.calls if it.place.done() and it.is_admitted == admitted]
        return [it for it in there if begun in (None, it.has_begun)]

    def picked(self, calls: list[Called], pick: int) -> Called:
        """One of them."""
        return calls[pick % len(calls)]

    def leave(self, called: Called) -> None:
        """It is over: its room is another's."""
        self.calls.remove(called)
        self.slots.give_back(called.place)


TestPolicies = Policies.TestCase
TestPolicies.settings = QUICK
