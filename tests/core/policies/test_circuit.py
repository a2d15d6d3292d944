"""What a breaker decides, by a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.policies import Circuit, CircuitLimits


class Time:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def opened(time: Time, *, jitter: Callable[[], float] = lambda: 0.5) -> Circuit:
    """A circuit that five failures have just opened, for five seconds."""
    circuit = Circuit(now=time, jitter=jitter)
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


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 4), (0.5, 5), (1.0, 6)])
def test_it_stays_open_for_a_while(jitter: float, seconds: float) -> None:
    """A fifth more or less, so that clients don't come back together."""
    circuit = opened(Time(), jitter=lambda: jitter)
    assert circuit.retry_after() == pytest.approx(seconds)


def test_each_failed_probe_doubles_the_while() -> None:
    """Up to the longest; and a success begins anew."""
    time = Time()
    circuit, waits = opened(time), []
    for _ in range(6):
        waits.append(circuit.retry_after())
        time.now += circuit.retry_after()
        probe = object()
        assert circuit.admit(probe)
        circuit.failed(probe)
    assert waits == pytest.approx([5, 10, 20, 40, 60, 60])
    time.now += circuit.retry_after()
    probe = object()
    assert circuit.admit(probe)
    circuit.began(probe)
    circuit.succeeded()
    assert circuit.state == "closed"
    assert opened(time).retry_after() == pytest.approx(5)


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
    assert (circuit.admit(object()), circuit.retry_after()) == (False, 0)


@given(st.lists(st.floats(0, 100)))
def test_a_cooldown_only_moves_later(hints: list[float]) -> None:
    """A shorter hint after a longer one changes nothing, and none of them is a failure."""
    circuit = Circuit(now=Time())
    longest = 0.0
    for seconds in hints:
        circuit.cool_down(object(), seconds)
        longest = max(longest, seconds)
        assert circuit.retry_after() == longest
    assert circuit.state == ("open" if longest else "closed")


def test_after_a_cooldown_all_may_pass() -> None:
    """Nothing has to be proved by a probe."""
    time = Time()
    circuit = Circuit(now=time)
    circuit.cool_down(object(), 3)
    assert not circuit.admit(object())
    time.now = 3
    assert all(circuit.admit(object()) for _ in range(10))


def test_answers_that_break_off_in_a_row_open_it() -> None:
    """That each had begun is no success; one that comes to its end begins the row anew."""
    circuit, states = Circuit(now=Time()), []
    for ends_well in (False, False, False, False, True, *[False] * 5):
        call = object()
        assert circuit.admit(call)
        circuit.began(call)
        if ends_well:
            circuit.succeeded()
        else:
            circuit.failed(call)
        states.append(circuit.state)
    assert states == ["closed"] * 9 + ["open"]


def test_answers_that_break_off_have_their_share() -> None:
    """Every other one does: that opens it, whatever the limit in a row."""
    circuit = Circuit(CircuitLimits(failures=100), now=Time())
    for i in range(20):
        assert circuit.state == "closed"
        circuit.began(object())
        if i % 2:
            circuit.failed(object())
        else:
            circuit.succeeded()
    assert circuit.state == "open"


def test_a_probe_that_breaks_off_opens_it_for_longer() -> None:
    """Its beginning lets others pass; its break is one failure more in the same row."""
    time = Time()
    circuit, probe = opened(time), object()
    time.now = 6
    assert circuit.admit(probe)
    circuit.began(probe)
    assert (circuit.state, circuit.admit(object())) == ("closed", True)
    circuit.failed(probe)
    assert (circuit.state, circuit.retry_after()) == ("open", 10)


def test_an_answer_from_before_the_outage_says_nothing() -> None:
    """It comes to its end while the circuit is open: a probe is needed all the same."""
    time = Time()
    circuit = opened(time)
    circuit.succeeded()
    time.now = 6
    assert circuit.state == "half-open"
    probe = object()
    assert circuit.admit(probe)
    circuit.failed(probe)
    assert circuit.retry_after() == 10


def test_an_answer_of_a_call_from_before_shows_nothing() -> None:
    """It begins while the circuit is open, and lets neither others pass nor the probe go."""
    time = Time()
    circuit = opened(time)
    circuit.began(object())
    assert (circuit.state, circuit.retry_after()) == ("open", 5)
    time.now = 6
    probe = object()
    assert circuit.admit(probe)
    circuit.began(object())
    assert (circuit.state, circuit.admit(object())) == ("half-open", False)
    circuit.failed(probe)
    assert circuit.retry_after() == 10


def test_a_call_that_insisted_shows_as_much_as_a_probe() -> None:
    """It passed as nobody else would have been asked: once it is answered all pass at once."""
    circuit, failing, call = opened(Time()), object(), object()
    for each in (failing, call):
        assert not circuit.admit(each)
        circuit.insist(each)
    circuit.failed(failing)
    circuit.began(failing)
    assert circuit.state == "open"
    circuit.began(call)
    assert (circuit.state, circuit.retry_after()) == ("closed", 0)


def test_a_call_that_insisted_before_the_next_outage_shows_nothing() -> None:
    """The circuit was closed and has opened once more since."""
    time = Time()
    circuit, call, other = opened(time), object(), object()
    for each in (call, other):
        circuit.insist(each)
    circuit.began(other)
    circuit.failed(other)
    assert circuit.state == "open"
    circuit.began(call)
    assert circuit.state == "open"


def test_a_target_that_is_down_for_a_day_is_probed_to_the_end() -> None:
    """However often the while is doubled, it stays the longest, and one call shows it is back."""
    time = Time()
    circuit = opened(time)
    for _ in range(1100):
        time.now += circuit.retry_after()
        probe = object()
        assert circuit.admit(probe)
        circuit.failed(probe)
    assert circuit.retry_after() == pytest.approx(60)
    time.now += circuit.retry_after()
    probe = object()
    assert circuit.admit(probe)
    circuit.began(probe)
    assert circuit.state == "closed"


def test_a_chance_that_raises_keeps_no_probe() -> None:
    """Whoever gave it gets its error; the circuit is open, and asks again."""
    time, chances = Time(), iter([0.5])
    circuit, probe = opened(time, jitter=lambda: next(chances)), object()
    time.now = 6
    assert circuit.admit(probe)
    with pytest.raises(StopIteration):
        circuit.failed(probe)
    assert circuit.admit(object())


def test_a_pause_that_makes_no_sense_keeps_no_probe() -> None:
    """A text, say: the probe said nothing, and another one may."""
    time = Time()
    circuit, probe = opened(time), object()
    time.now = 6
    assert circuit.admit(probe)
    with pytest.raises(TypeError):
        circuit.cool_down(probe, "5")  # type: ignore[arg-type]  # on purpose
    assert circuit.admit(object())


def test_a_pause_that_is_asked_for_has_its_limit() -> None:
    """A target that asks for a year, or for ever, is asked again all the same."""
    circuit = Circuit(CircuitLimits(pause=600), now=Time())
    circuit.cool_down(object(), float("inf"))
    assert circuit.retry_after() == 600


def test_an_end_may_be_told_of_amid_another_s() -> None:
    """The collector finds a stream wherever a thread just is, and its end is told of there."""
    ends: list[str] = []

    def now() -> float:
        if not ends:
            ends.append("told")
            circuit.succeeded()
        return 0.0

    circuit = Circuit(now=now)
    circuit.failed(object())
    assert (circuit.state, ends) == ("closed", ["told"])
