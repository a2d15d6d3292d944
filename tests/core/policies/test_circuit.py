"""What a breaker decides, by a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.policies import Circuit, Limits


class Time:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def opened(time: Time, *, chance: Callable[[], float] = lambda: 0.5) -> Circuit:
    """A circuit that five failures have just opened, for five seconds."""
    circuit = Circuit(now=time, chance=chance)
    for _ in range(5):
        call = object()
        assert circuit.admit(call)
        circuit.failed(call)
    return circuit


def test_failures_in_a_row_open_it() -> None:
    """Four don't, and a success among them begins the row anew; five do."""
    circuit = Circuit(now=Time())
    for _ in range(3):
        for _ in range(4):
            circuit.failed(object())
        assert circuit.state == "closed"
        circuit.succeeded()
    for _ in range(5):
        circuit.failed(object())
    assert (circuit.state, circuit.admit(object())) == ("open", False)


def test_a_share_of_failures_opens_it() -> None:
    """Every other call fails: open at the twentieth."""
    circuit = Circuit(now=Time())
    for _ in range(9):
        circuit.succeeded()
        circuit.failed(object())
    circuit.succeeded()
    states = [circuit.state]
    circuit.failed(object())
    assert [*states, circuit.state] == ["closed", "open"]


def test_failures_of_long_ago_are_forgotten() -> None:
    """What is older than the window has no share."""
    time = Time()
    circuit = Circuit(now=time)
    for _ in range(18):
        circuit.succeeded()
        circuit.failed(object())
        time.now += 10
    assert circuit.state == "closed"


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 4), (0.5, 5), (1.0, 6)])
def test_it_stays_open_for_a_while(chance: float, seconds: float) -> None:
    """A fifth more or less, so that clients don't come back together."""
    circuit = opened(Time(), chance=lambda: chance)
    assert circuit.wait() == pytest.approx(seconds)


def test_each_failed_probe_doubles_the_while() -> None:
    """Up to the longest; and a success begins anew."""
    time = Time()
    circuit, waits = opened(time), []
    for _ in range(6):
        waits.append(circuit.wait())
        time.now += circuit.wait()
        probe = object()
        assert circuit.admit(probe)
        circuit.failed(probe)
    assert waits == pytest.approx([5, 10, 20, 40, 60, 60])
    time.now += circuit.wait()
    circuit.admit(object())
    circuit.succeeded()
    assert circuit.state == "closed"
    assert opened(time).wait() == pytest.approx(5)


def test_one_probe_passes_whoever_asks() -> None:
    """Eight threads ask 1,000 times for one circuit that is half open: one may."""
    time = Time()
    circuit = opened(time)
    admitted: list[bool] = []
    time.now = 6
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        admitted.extend(circuit.admit(object()) for _ in range(125))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(admitted), sum(admitted)) == (1000, 1)


def test_a_probe_that_says_nothing_makes_room_for_another() -> None:
    """A cancelled probe neither opens nor closes it."""
    time = Time()
    circuit, probe = opened(time), object()
    time.now = 6
    assert circuit.admit(probe)
    circuit.ended(probe)
    assert circuit.state == "half-open"
    assert circuit.admit(object())


@pytest.mark.parametrize("how", ["ended", "failed", "cool_down"])
def test_the_end_of_another_call_is_not_the_probe_s(how: str) -> None:
    """One that had begun before it opened lets no second probe through."""
    time = Time()
    circuit = opened(time)
    time.now = 6
    assert circuit.admit(object())
    old = object()
    acts = {"ended": circuit.ended, "failed": circuit.failed}
    if how == "cool_down":
        circuit.cool_down(old, 0)
    else:
        acts[how](old)
    assert (circuit.admit(object()), circuit.wait()) == (False, 0)


@given(st.lists(st.floats(0, 100)))
def test_a_cooldown_only_moves_later(hints: list[float]) -> None:
    """A shorter hint after a longer one changes nothing, and none of them is a failure."""
    circuit = Circuit(now=Time())
    longest = 0.0
    for seconds in hints:
        circuit.cool_down(object(), seconds)
        longest = max(longest, seconds)
        assert circuit.wait() == longest
    assert circuit.state == ("open" if longest else "closed")


def test_after_a_cooldown_all_may_pass() -> None:
    """Nothing has to be proved by a probe."""
    time = Time()
    circuit = Circuit(now=time)
    circuit.cool_down(object(), 3)
    assert not circuit.admit(object())
    time.now = 3
    assert all(circuit.admit(object()) for _ in range(10))


def test_an_answer_that_breaks_off_takes_its_success_back() -> None:
    """Nine of ten answers break off: that opens it, though each call had succeeded first."""
    circuit = Circuit(Limits(failures=100), now=Time())
    for i in range(20):
        circuit.succeeded()
        if i % 10:
            circuit.broke_off()
    assert circuit.state == "open"


def test_a_pause_that_is_asked_for_has_its_limit() -> None:
    """A target that asks for a year, or for ever, is asked again all the same."""
    circuit = Circuit(Limits(pause=600), now=Time())
    circuit.cool_down(object(), float("inf"))
    assert circuit.wait() == 600
