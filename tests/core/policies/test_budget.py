"""How much may be tried again."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.policies import RetryBudget


@pytest.mark.parametrize(("throttled", "retries"), [(False, 10), (True, 20)])
def test_a_full_budget_has_so_many_retries(throttled: bool, retries: int) -> None:
    """Where nothing succeeds there are ten, or twice as many where a service is only busy."""
    budget = RetryBudget()
    taken = [budget.take(throttled=throttled) for _ in range(50)]
    assert retries == sum(each is not None for each in taken)


def test_a_retry_that_succeeds_costs_nothing() -> None:
    """It gives back what it took."""
    budget = RetryBudget()
    budget.succeeded(budget.take() or 0)
    assert budget.left == 100


def test_what_no_retry_was_made_for_is_given_back() -> None:
    """As much as was taken, and never more than it holds."""
    budget = RetryBudget()
    taken = [budget.take(throttled=throttled) or 0 for throttled in (False, True)]
    for cost in (*taken, 10):
        budget.give_back(cost)
    assert (taken, budget.left) == ([10, 5], 100)


def test_successes_fill_it_slowly() -> None:
    """Ten calls that succeed at once earn one retry."""
    budget = RetryBudget(10)
    budget.take()
    for _ in range(9):
        budget.succeeded()
    assert budget.take() is None
    budget.succeeded()
    assert budget.take() == 10


@given(st.lists(st.sampled_from(["take", "take-throttled", "succeeded"])))
def test_it_stays_within_its_bounds(acts: list[str]) -> None:
    """It never goes below nothing, nor above what it holds; the share of retries is a tenth."""
    budget = RetryBudget()
    retries = 0
    for act in acts:
        if act == "succeeded":
            budget.succeeded()
        elif budget.take(throttled=act == "take-throttled") == 10:
            retries += 1
        assert 0 <= budget.left <= 100
    assert retries <= 10 + 0.1 * acts.count("succeeded")


def test_threads_share_it() -> None:
    """Eight threads get ten retries out of it together, not each."""
    budget = RetryBudget()
    taken: list[int | None] = []
    together = threading.Barrier(8)

    def take() -> None:
        together.wait()
        taken.extend(budget.take() for _ in range(50))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), sum(each is not None for each in taken)) == (400, 10)
