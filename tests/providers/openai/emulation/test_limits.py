"""What is counted: each limit when it is reached, and when it is not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelplug_openai.emulation.limits import Limits
from modelplug_openai.emulation.settings import EmulatorSettings

NOW = 1_795_255_200.0


def limits(**settings: Any) -> Limits:
    """Those of a service that nobody has asked."""
    return Limits(EmulatorSettings(**settings))


def entered(state: Limits, *times: float) -> list[float | None]:
    """How long each request has to wait; one that needn't is let in."""
    waits = []
    for now in times:
        waits.append(state.wait(now))
        if waits[-1] is None:
            state.enter(now)
    return waits


def test_nothing_is_limited_unasked() -> None:
    """However often somebody asks."""
    assert entered(limits(), *[NOW] * 100) == [None] * 100


def test_a_minute_has_so_many_requests() -> None:
    """The next may come when the first is a minute old; whoever was refused isn't counted."""
    state = limits(per_minute=2)
    waits = entered(state, NOW, NOW + 10, NOW + 20, NOW + 59, NOW + 60, NOW + 60)
    assert waits == [None, None, 40, 1, None, 10]


def test_a_service_may_take_nobody() -> None:
    """0 is a limit."""
    assert entered(limits(per_minute=0), NOW) == [60.0]
    assert entered(limits(concurrent=0), NOW) == [1.0]


def test_answers_under_way_are_counted() -> None:
    """One that is over makes room."""
    state = limits(concurrent=1)
    assert entered(state, NOW, NOW) == [None, 1.0]
    state.leave()
    assert (entered(state, NOW), state.running) == ([None], 1)


def test_a_clock_that_is_set_back_shuts_nobody_out() -> None:
    """Requests that are yet to come count for nothing."""
    state = limits(per_minute=1)
    assert entered(state, NOW + 3600, NOW) == [None, None]


@given(st.integers(1, 4), st.lists(st.floats(0, 40), max_size=40))
def test_no_minute_has_more_than_are_allowed(limit: int, gaps: list[float]) -> None:
    """Whenever it begins."""
    state, now, let_in = limits(per_minute=limit), NOW, list[float]()
    for gap in gaps:
        now += gap
        if entered(state, now) == [None]:
            let_in.append(now)
    windows = [[each for each in let_in if start <= each < start + 60] for start in let_in]
    assert all(len(window) <= limit for window in windows)


@given(st.floats(0, 200))
def test_a_wait_is_long_enough(later: float) -> None:
    """Whoever waits for as long as was told is let in."""
    state = limits(per_minute=1)
    entered(state, NOW)
    (wait,) = entered(state, NOW + later)
    assert wait is None or state.wait(NOW + later + wait) is None
