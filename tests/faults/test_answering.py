"""Rows 25 to 32: from the question to the first piece; then the same client is answered."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
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
    ModelNotFoundError,
    ModelRequest,
    OverloadedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
    Timeouts,
    TruncatedStreamError,
)
from modelplug.testing import Drip, Fail, FailKind, Gate, KeepAlive, Message, Noise, Silence, Step
from modelplug.testing.upstream import Upstream
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
from tests.faults.carriers import ALL, REMOTE, Carrier, over
from tests.faults.cases import is_answered, over_carriers
from tests.faults.leaps import leaping
from tests.faults.lines import WEBSOCKET
from tests.faults.servers import Handler, Server, agreed, gone, reset
from tests.providers.spark.wire import error
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient
from tests.support.spark import client_of


def reset_at_once(connection: socket.socket) -> None:
    """Agree to a WebSocket, and reset before the question can be read."""
    agreed(connection)
    reset(connection)


def reset_unread(connection: socket.socket) -> None:
    """Reset when a question begins to come, with nothing of it read."""
    connection.recv(1, socket.MSG_PEEK)
    reset(connection)


def leave(connection: socket.socket) -> None:
    """End it."""


def end_politely(carrier: Carrier) -> Handler:
    """Take leave in the place of an answer."""

    def then(connection: socket.socket) -> None:
        connection.sendall(carrier.end)
        gone(connection)

    return carrier.saying(then=then)


class Ending(NamedTuple):
    """What a service does instead of answering, and what it must be."""

    row: int
    what: str
    on: tuple[str, ...]
    handler: Callable[[Carrier], Handler]
    expected: Expected


LOST = Expected(ConnectionLostError, retryable=True)

ENDINGS = [
    # Where the agreement and the reset are read in one go, nothing was sent; else it may have been.
    Ending(25, "unread", ("spark",), lambda _: reset_at_once, LOST),
    Ending(25, "unread", ("http",), lambda _: reset_unread, LOST._replace(sent="maybe")),
    Ending(26, "read", REMOTE, lambda on: on.saying(then=reset), LOST._replace(sent="maybe")),
    Ending(28, "unread", ("spark",), lambda _: agreed, LOST),
    Ending(28, "read", REMOTE, lambda on: on.saying(then=leave), LOST._replace(sent="maybe")),
    Ending(
        29, "politely", REMOTE, end_politely, Expected(TruncatedStreamError, True, sent="maybe")
    ),
]


@every_way
@over_carriers(ENDINGS)
def test_an_end_in_place_of_an_answer(case: Ending, carrier: Carrier, way: Way) -> None:
    """The connection was lost, or the answer cut short: never an empty answer."""
    with Server(case.handler(carrier), carrier.answer) as server:
        client = carrier.client(server)
        assert case.expected == told(failure(client, way), case.expected)
        assert answered(client, way) == "fine"
        assert server.wait_gone()


def narrow() -> socket.socket:
    """A listener for whose connections neither system keeps more than some kilobytes."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


@pytest.mark.fault(27)
@every_way
@over(*REMOTE)
def test_a_service_that_stops_reading(carrier: Carrier, way: Way) -> None:
    """The time for opening ends it, and the service may have seen a part."""
    begun, left = threading.Event(), threading.Event()

    def deaf(connection: socket.socket) -> None:
        if carrier.line is WEBSOCKET:
            agreed(connection)
        connection.recv(1)
        begun.set()
        left.wait(30)

    question = ModelRequest(messages="x" * (1 << 18), timeout=Timeouts())
    with Server(deaf, carrier.answer, listener=narrow()) as server:
        client = carrier.client(server)
        with (
            leaping(11.0, phase="open", after=begun.is_set),
            pytest.raises(ConnectTimeoutError) as caught,
        ):
            way(client, question)
        assert (caught.value.retryable, caught.value.sent) == (True, "maybe")
        assert caught.value.limit == 10.0
        left.set()
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


KINDS: dict[FailKind, type[BackendError]] = {
    "permission": PermissionDeniedError,
    "quota": QuotaError,
    "rate_limit": RateLimitError,
    "concurrency": ConcurrencyLimitError,
    "context_length": ContextLengthError,
    "content_filter_input": ContentFilterError,
    "content_filter_output": ContentFilterError,
    "bad_request": BadRequestError,
    "unknown_model": ModelNotFoundError,
    "server": ServerError,
    "overloaded": OverloadedError,
    "unknown_code": BackendError,
}
"""What a service says, and a library raises."""


@every_way
@over("http", "library")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(30, 60)
def test_a_failure_by_its_kind(
    kind: FailKind, carrier: Carrier, service: Upstream, way: Way
) -> None:
    """The same of services that have other words for it."""
    client = carrier.client(service)
    error = KINDS[kind]
    expected = Expected(error, error in AGAIN)
    service.play(Fail(kind))
    assert expected == told(failure(client, way), expected)
    service.play("Hel", "lo", Fail(kind))
    expected = expected._replace(partial="Hello", sent="yes")
    assert expected == told(failure(client, way), expected)
    is_answered(client, service, way)


class Nothing(NamedTuple):
    """What comes in place of an answer, and never ends; and how it begins, before time leaps."""

    row: int
    what: str
    on: tuple[str, ...]
    steps: Sequence[Step]
    begun: Sequence[Step] = ()


NOTHING = [
    Nothing(31, "silence", ALL, [Silence()]),
    Nothing(32, "pings", REMOTE, [KeepAlive(0.02)]),
    Nothing(32, "noise", ALL, [Noise()] * 500, [Drip(0.02), *[Noise()] * 5]),
    Nothing(32, "empty pieces", ALL, [Delta()] * 500, [Drip(0.02), *[Delta()] * 5]),
]


@every_way
@over_carriers(NOTHING)
def test_no_answer_begins(case: Nothing, carrier: Carrier, service: Upstream, way: Way) -> None:
    """What is no piece of an answer is no progress, however much of it comes."""
    client = carrier.client(service)
    gate = f"{case.row} {len(service.exchanges)}"
    service.release(gate)
    service.play(*case.begun, Gate(gate), *case.steps)
    begun = partial(service.wait_reached, gate, within=0.0)
    expected = Expected(FirstDeltaTimeoutError, True, sent="maybe" if carrier.line else None)
    with leaping(61.0, phase="sent" if carrier.line else "start", after=begun):
        assert expected == told(error := failure(client, way, Timeouts()), expected)
    assert isinstance(error, FirstDeltaTimeoutError)
    assert error.limit == 60.0
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, way)


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
    with leaping(61.0, phase="start"):
        assert expected == told(failure(client, way, Timeouts()), expected)
    assert client.aborted.wait(10)
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"
    client.close()
