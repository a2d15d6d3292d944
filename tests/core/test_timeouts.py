"""The clocks of a call, as a value."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, fields

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from modelplug import Timeouts

UNTIMED = run_with(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CLOCKS = [field.name for field in fields(Timeouts)]

seconds = st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False)


def test_the_defaults_are_those_of_the_contract() -> None:
    """Without a word of config every clock runs, with the limit that the contract names."""
    expected = {
        "connect": 5,
        "open": 10,
        "first_delta": 60,
        "idle": 30,
        "total": 600,
        "queue": 10,
    }
    assert expected == asdict(Timeouts())


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_is_set_alone(clock: str) -> None:
    """Setting one clock leaves the others as they are by default."""
    expected = asdict(Timeouts()) | {clock: 1.5}
    assert expected == asdict(Timeouts(**{clock: 1.5}))


@pytest.mark.parametrize("clock", CLOCKS)
def test_none_switches_a_clock_off(clock: str) -> None:
    """None is a limit that never comes."""
    assert getattr(Timeouts(**{clock: None}), clock) is None


@pytest.mark.parametrize(
    "limit",
    [0, 0.0, -1, -0.001, float("inf"), float("-inf"), float("nan"), 10**400, "5", True, [5]],
    ids=lambda limit: str(limit)[:9],
)
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_limit_that_can_t_be_is_refused(clock: str, limit: float) -> None:
    """Zero, negative, endless and undefined limits are refused, and the error names the clock."""
    with pytest.raises(ValueError, match=rf"Timeouts\.{clock}: seconds above 0, or None"):
        Timeouts(**{clock: limit})


@pytest.mark.parametrize("clock", CLOCKS)
def test_timeouts_are_frozen(clock: str) -> None:
    """No clock changes once the value is made."""
    with pytest.raises(FrozenInstanceError):
        setattr(Timeouts(), clock, 1.0)


def test_all_are_given_by_keyword() -> None:
    """Numbers whose order nobody remembers can't be given by position."""
    with pytest.raises(TypeError):
        Timeouts(5, 10)  # type: ignore[call-arg]  # the point of the test


@UNTIMED
@given(limits=st.fixed_dictionaries(dict.fromkeys(CLOCKS, seconds)))
def test_timeouts_are_values(limits: dict[str, float | None]) -> None:
    """They compare, hash, copy and pickle by their limits."""
    timeouts = Timeouts(**limits)
    copies = [Timeouts(**limits), copy.copy(timeouts), copy.deepcopy(timeouts)]
    copies.append(pickle.loads(pickle.dumps(timeouts)))  # noqa: S301  # our own
    assert {timeouts} == {*copies}


def test_nothing_for_a_request_leaves_the_client_s() -> None:
    """A request without time-outs of its own has the client's."""
    timeouts = Timeouts(connect=1, total=None)
    assert timeouts.over(None) is timeouts


@pytest.mark.parametrize("timeout", [2, 2.0])
def test_a_number_for_a_request_is_its_total(timeout: float) -> None:
    """A number limits the whole call and leaves the other clocks alone."""
    assert Timeouts(connect=1, total=2.0) == Timeouts(connect=1, total=9).over(timeout)


def test_timeouts_for_a_request_replace_all_clocks() -> None:
    """A whole value wins as a whole: no clock of the client's shines through."""
    assert Timeouts(idle=3) == Timeouts(connect=1, total=9).over(Timeouts(idle=3))


@pytest.mark.parametrize("limit", [0, -1, float("nan"), 10**400], ids=lambda it: str(it)[:9])
def test_a_request_s_number_is_checked_like_any_limit(limit: float) -> None:
    """A request can't ask for a call that is over before it begins, or for one beyond all time."""
    with pytest.raises(ValueError, match=r"Timeouts\.total"):
        Timeouts().over(limit)


@pytest.mark.parametrize("timeout", ["5", True, [5]])
def test_what_is_no_number_limits_no_request(timeout: object) -> None:
    """It is told what it is; true isn't one second."""
    with pytest.raises(ValueError, match="a timeout is seconds or Timeouts, not a"):
        Timeouts().over(timeout)  # type: ignore[arg-type]  # on purpose
