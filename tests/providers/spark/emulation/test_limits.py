"""What a licence allows: each limit when it is reached, and when it is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.limits import Limits, Wish
from modelplug_spark.emulation.settings import EmulatorSettings

MIDNIGHT = 1_795_276_800.0  # Sun, 22 Nov 2026 00:00 in Beijing


def limits(**settings: Any) -> Limits:
    """A licence that nobody has used."""
    return Limits(EmulatorSettings(**settings))


def wish(now: float = MIDNIGHT, *, domain: str = "lite", user: str | None = None) -> Wish:
    """A question."""
    return Wish(domain, user, now)


def entered(state: Limits, *wishes: Wish) -> list[int]:
    """The code of each question's refusal; 0 for one that is let in."""
    codes = []
    for each in wishes:
        refused = state.refusal(each)
        codes.append(refused.code if refused else 0)
        if refused is None:
            state.enter(each)
    return codes


def test_nothing_is_limited_unasked() -> None:
    """However often somebody asks."""
    state = limits()
    state.spend("lite", 10**9)
    assert entered(state, *[wish(user="me")] * 100) == [0] * 100


def test_a_domain_needs_its_licence() -> None:
    """Without one it is 11200, by its name."""
    state = limits(granted=("lite", "max-32k"))
    codes = entered(state, wish(), wish(domain="max-32k"), wish(domain="4.0Ultra"))
    assert codes == [0, 0, 11200]
    refused = state.refusal(wish(domain="4.0Ultra"))
    assert refused is not None
    assert refused.text == "AppIdNoAuthError:(00:00:00.000) domain.4.0Ultra"


def test_tokens_are_used_up() -> None:
    """The answer that does so is whole; the next question of this domain has 11200."""
    state = limits(tokens=10)
    state.spend("lite", 9)
    assert entered(state, wish()) == [0]
    state.spend("lite", 9)
    refused = state.refusal(wish())
    assert refused is not None
    assert (refused.code, refused.text.partition(") ")[2]) == (11200, "tokens.total")
    assert entered(state, wish(domain="max-32k")) == [0]


def test_a_day_has_its_questions() -> None:
    """For each domain; it begins anew at midnight in Beijing."""
    state = limits(daily=2)
    evening = wish(MIDNIGHT - 1)
    assert entered(state, evening, evening, evening) == [0, 0, 11201]
    assert entered(state, wish(MIDNIGHT - 1, domain="max-32k")) == [0]
    assert entered(state, wish(), wish(), wish()) == [0, 0, 11201]


def test_a_second_has_its_questions() -> None:
    """Whatever they ask; the next is let in a second after the first."""
    state = limits(per_second=2)
    times = [MIDNIGHT + moment for moment in (0, 0.5, 0.9, 1.0, 1.1, 1.5)]
    assert entered(state, *map(wish, times)) == [0, 0, 11202, 0, 11202, 0]


def test_days_that_are_over_are_forgotten() -> None:
    """As a clock shows that is set back to one: what no limit asks for isn't kept."""
    state = limits(daily=1)
    later = MIDNIGHT + 86_400
    codes = entered(state, wish(), wish(), wish(later), wish(later), wish())
    assert codes == [0, 11201, 0, 11201, 0]


def test_answers_at_once_are_counted() -> None:
    """Until they end."""
    state = limits(concurrent=1)
    number = state.enter(wish())
    assert entered(state, wish(domain="max-32k")) == [11203]
    state.release(number)
    assert entered(state, wish(domain="max-32k")) == [0]


def test_a_user_may_have_one_answer_at_once() -> None:
    """10006 by the uid; without one nobody is recognized."""
    state = limits(one_per_user=True)
    number = state.enter(wish(user="me"))
    assert entered(state, wish(user="me"), wish(user="you"), wish(), wish()) == [10006, 0, 0, 0]
    state.release(number)
    assert entered(state, wish(user="me")) == [0]


def test_the_first_limit_is_told() -> None:
    """In section 5.3's order."""
    settings: dict[str, Any] = {
        "granted": ("x",),
        "tokens": 0,
        "daily": 0,
        "per_second": 0,
        "concurrent": 0,
    }
    codes = []
    for name in [*settings]:
        codes += entered(limits(**settings), wish())
        del settings[name]
    assert codes == [11200, 11200, 11201, 11202, 11203]


def test_a_refused_question_uses_nothing_up() -> None:
    """Whoever waits is let in, however often they tried."""
    state = limits(per_second=1, daily=2)
    assert entered(state, wish(), *[wish(MIDNIGHT + 0.5)] * 9, wish(MIDNIGHT + 1)).count(0) == 2


def test_the_end_of_an_answer_may_be_told_twice() -> None:
    """It frees one place."""
    state = limits()
    first, _ = state.enter(wish()), state.enter(wish())
    for _ in range(2):
        state.release(first)
    assert state.running == 1


@given(st.integers(1, 5), st.lists(st.floats(0, 0.7), max_size=60))
def test_no_second_has_more_questions_than_are_allowed(limit: int, gaps: list[float]) -> None:
    """In any window of that length, wherever it begins."""
    state, now, let_in = limits(per_second=limit), MIDNIGHT, list[float]()
    for gap in gaps:
        now += gap
        if entered(state, wish(now)) == [0]:
            let_in.append(now)
    windows = [[each for each in let_in if start <= each < start + 1] for start in let_in]
    assert all(len(window) <= limit for window in windows)


@given(st.integers(1, 3), st.lists(st.integers(0, 200_000), max_size=40))
def test_no_day_has_more_questions_than_are_allowed(limit: int, gaps: list[int]) -> None:
    """Days are Beijing's."""
    state, now, days = limits(daily=limit), MIDNIGHT, list[int]()
    for gap in gaps:
        now += gap
        if entered(state, wish(now)) == [0]:
            days.append(int(now - MIDNIGHT) // 86_400)
    assert all(days.count(day) <= limit for day in days)


@given(st.integers(1, 4), st.lists(st.none() | st.integers(0, 9), max_size=60))
def test_the_running_count_returns_to_nothing(limit: int, events: Iterable[int | None]) -> None:
    """Never above the limit, never below zero: None asks, a number ends one of the answers."""
    state, running = limits(concurrent=limit), list[int]()
    for event in events:
        if event is None and state.refusal(wish()) is None:
            running.append(state.enter(wish()))
        elif event is not None and running:
            state.release(running.pop(event % len(running)))
        assert len(running) == state.running <= limit
    for number in running:
        state.release(number)
    assert state.running == 0


def test_a_clock_that_is_set_back_shuts_nobody_out() -> None:
    """Seconds that are yet to come count for nothing."""
    state = limits(per_second=1)
    state.enter(wish(MIDNIGHT + 3600))
    assert state.refusal(wish()) is None
