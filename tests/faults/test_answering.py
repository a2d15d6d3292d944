"""Rows 25 to 32: from the question to the first piece; then the same client is answered."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConcurrencyLimitError,
    ConnectionLostError,
    ConnectTimeoutError,
    ContentFilterError,
    ContextLengthError,
    Delta,
    Finish,
    FirstDeltaTimeoutError,
    ModelRequest,
    OverloadedError,
    QuotaError,
    RateLimitError,
    ServerError,
    Timeouts,
    TruncatedStreamError,
)
from modelplug.testing import Drip, KeepAlive, Message, Noise, Silence, Step
from modelplug.testing.websocket import WebSocketUpstream
from tests.faults.asking import (
    VIRTUAL_WAYS,
    Expected,
    Way,
    answered,
    every_way,
    failure,
    told,
)
from tests.faults.servers import Handler, Server, agreed, answer, closed, reset, saying
from tests.providers.spark.wire import error, frame
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient
from tests.support.spark import client_of


def agreed_then_reset(connection: socket.socket) -> None:
    """Agree, and reset before the question can be read."""
    agreed(connection)
    reset(connection)


class Case(NamedTuple):
    """What a service does instead of answering, and what it must be."""

    row: int
    handler: Handler
    expected: Expected


LOST = Expected(ConnectionLostError, retryable=True)

CASES = [
    # Where the agreement and the reset are read in one go, nothing was sent; else it may have been.
    Case(25, agreed_then_reset, LOST),
    Case(26, saying(then=reset), LOST._replace(sent="maybe")),
    Case(28, agreed, LOST),
    Case(29, saying(closed(1000)), Expected(TruncatedStreamError, True, sent="maybe")),
]


@every_way
@pytest.mark.parametrize(
    "case",
    [pytest.param(each, id=f"{each.row}", marks=pytest.mark.fault(each.row)) for each in CASES],
)
def test_an_end_in_place_of_an_answer(case: Case, way: Way) -> None:
    """The connection was lost, or the answer cut short: never an empty answer."""
    with Server(case.handler, answer) as server:
        client = client_of(server.url)
        assert case.expected == told(failure(client, way), case.expected)
        assert answered(client, way) == "fine"
        assert server.wait_gone()


heard = threading.Event()
"""Set once the client has given up: it is to be told from one that was read."""


def deaf(connection: socket.socket) -> None:
    """Agree, and read nothing of what follows until the client has given up."""
    agreed(connection)
    heard.wait(30)


@pytest.mark.fault(27)
@every_way
def test_a_service_that_stops_reading(way: Way) -> None:
    """The time for opening ends it, and the service may have seen a part."""
    heard.clear()
    question = ModelRequest(messages="x" * (16 << 20), timeout=Timeouts(open=1.0))
    with Server(deaf, answer) as server:
        client = client_of(server.url)
        with pytest.raises(ConnectTimeoutError) as caught:
            way(client, question)
        assert (caught.value.retryable, caught.value.sent) == (True, "maybe")
        heard.set()
        assert answered(client, way) == "fine"


CODES: dict[type[BackendError], Sequence[int]] = {
    ServerError: [10000, 10001, 10002, 10009, 10010, 10011, 10012, 10017, 10050, 10222, 10300],
    BadRequestError: [10003, 10004, 10005, 10029, 10041, 10163],
    ConcurrencyLimitError: [10006, 10007, 11203],
    OverloadedError: [10008, 10110, 10223],
    ContentFilterError: [10013, 10014, 10019, 10021, 10022],
    AuthenticationError: [10015],
    QuotaError: [10016, 11200, 11201, 11210],
    ContextLengthError: [10907],
    RateLimitError: [11202],
    BackendError: [10018, 12345, -1],
}
"""Section 5 of the protocol notes, by what a code means."""

AGAIN = (ServerError, ConcurrencyLimitError, OverloadedError, RateLimitError)


@every_way
@pytest.mark.parametrize(
    ("code", "kind"),
    [pytest.param(code, kind, id=str(code)) for kind, codes in CODES.items() for code in codes],
)
@pytest.mark.fault(30, 60)
def test_an_error_code(
    spark: WebSocketUpstream, code: int, kind: type[BackendError], way: Way
) -> None:
    """Each has its class, in the first frame and in the middle, with what had come before.

    But for the notice 10019, which takes no answer back that has begun.
    """
    client = client_of(spark)
    expected = Expected(kind, kind in AGAIN, sent="maybe")
    spark.play(Message(error(code, "told so")))
    assert expected == told(first := failure(client, way), expected)
    assert first.provider_code == code
    if code != 10019:
        spark.play("Hel", "lo", Message(error(code, "told so")))
        expected = expected._replace(partial="Hello", sent="yes")
        assert expected == told(failure(client, way), expected)
    spark.play("fine", Finish())
    assert answered(client, way) == "fine"


NOTHING: dict[int, dict[str, Sequence[Step]]] = {
    31: {"silence": [Silence()]},
    32: {
        "pings": [KeepAlive(0.02)],
        "noise": [Drip(0.02), *[Noise()] * 500],
        "empty pieces": [Drip(0.02), *[Message(frame("", seq)) for seq in range(500)]],
    },
}


@every_way
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(steps, id=what, marks=pytest.mark.fault(row))
        for row, each in NOTHING.items()
        for what, steps in each.items()
    ],
)
def test_no_answer_begins(spark: WebSocketUpstream, steps: Sequence[Step], way: Way) -> None:
    """What is no piece of an answer is no progress, however much of it comes."""
    client = client_of(spark)
    spark.play(*steps)
    expected = Expected(FirstDeltaTimeoutError, retryable=True, sent="maybe")
    timeouts = Timeouts(connect=30, open=30, first_delta=0.3, idle=30)
    assert expected == told(failure(client, way, timeouts), expected)
    assert spark.exchanges[-1].wait_gone()
    spark.play("fine", Finish())
    assert answered(client, way) == "fine"


@pytest.mark.fault(31, subject="hostile")
@pytest.mark.parametrize("way", VIRTUAL_WAYS.values(), ids=VIRTUAL_WAYS)
def test_a_minute_without_an_answer(way: Way) -> None:
    """The first piece may take its minute, and no longer."""

    async def nothing() -> None:
        await asyncio.sleep(1e6)

    client = AsyncScripted(nothing)
    expected = Expected(FirstDeltaTimeoutError, retryable=True)
    assert expected == told(caught := failure(client, way, Timeouts()), expected)
    assert isinstance(caught, FirstDeltaTimeoutError)
    assert (caught.limit, client.closed) == (60.0, 1)
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"


@every_way
@pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])
@pytest.mark.fault(31, 32, subject="hostile")
def test_a_plugin_that_says_nothing(kind: type[ScriptedClient], way: Way) -> None:
    """Empty pieces, then nothing, of a plugin in one style or the other."""
    client = kind()

    def wait() -> object:
        return asyncio.sleep(1e6) if kind is AsyncScripted else client.aborted.wait(30)

    client.steps = (Delta(), Delta(), wait)
    expected = Expected(FirstDeltaTimeoutError, retryable=True)
    assert expected == told(failure(client, way, Timeouts(first_delta=0.1)), expected)
    assert client.aborted.wait(10)
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"
    client.close()
