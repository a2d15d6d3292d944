"""Rows 34 to 60 of plugins without a wire: amid an answer; then the same client is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from modelplug import (
    ConnectionLostError,
    DecodeError,
    Delta,
    Finish,
    IdleTimeoutError,
    ProxyLLMError,
    ServerError,
    Timeouts,
    TotalTimeoutError,
    TruncatedStreamError,
    new_client,
)
from tests.faults.asking import (
    VIRTUAL_WAYS,
    Expected,
    Way,
    answered,
    every_way,
    failure,
    told,
)
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient

both_kinds = pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])

FAILURES = {
    34: ConnectionLostError("cut"),
    45: DecodeError("no JSON"),
    57: None,
    60: ServerError("sorry"),
}
"""What a plugin raises amid an answer; None for no Finish."""


@every_way
@both_kinds
@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(failing, id=str(row), marks=pytest.mark.fault(row, subject="hostile"))
        for row, failing in FAILURES.items()
    ],
)
def test_a_plugin_that_fails(
    failing: ProxyLLMError | None, kind: type[ScriptedClient], way: Way
) -> None:
    """The same of a plugin, in one style or the other: its own error, with what had come."""
    raised = [] if failing is None else [type(failing)(failing.message)]
    client = kind(Delta("Hel"), Delta("lo"), *raised)
    expected = Expected(type(failing or TruncatedStreamError("")), True, "Hello")
    expected = expected._replace(retryable=expected.error.retryable)
    assert expected == told(failure(client, way), expected)
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"
    client.close()


@pytest.mark.fault(60, subject="echo")
@every_way
def test_echo_that_is_told_to_fail(way: Way) -> None:
    """The reference fails as a service would."""
    client = new_client("echo?fail_after=1")
    expected = Expected(ServerError, retryable=True, partial="hi")
    assert expected == told(failure(client, way), expected)


@pytest.mark.parametrize("way", VIRTUAL_WAYS.values(), ids=VIRTUAL_WAYS)
@pytest.mark.parametrize(
    ("row", "pauses", "error", "limit"),
    [
        pytest.param(
            35,
            [29, 29, 1e6],
            IdleTimeoutError,
            30.0,
            id="35",
            marks=pytest.mark.fault(35, subject="hostile"),
        ),
        pytest.param(
            38,
            [29] * 100,
            TotalTimeoutError,
            600.0,
            id="38",
            marks=pytest.mark.fault(38, subject="hostile"),
        ),
    ],
)
def test_minutes_of_an_answer(
    row: int, pauses: Sequence[float], error: type[ProxyLLMError], limit: float, way: Way
) -> None:
    """Each piece may take its half minute, all of them together ten."""
    steps = [step for pause in pauses for step in (Delta("a"), partial(asyncio.sleep, pause))]
    client = AsyncScripted(*steps)
    caught = failure(client, way, Timeouts())
    assert (type(caught), getattr(caught, "limit", None)) == (error, limit)
    assert caught.partial is not None
    assert caught.partial.text == "a" * min(len(pauses), 21)
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"
