"""Every fault step of a scripted upstream ends in the right typed error, whichever way one asks."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple, get_args

import pytest

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConcurrencyLimitError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    ContentFilterError,
    ContextLengthError,
    DecodeError,
    Finish,
    FirstDeltaTimeoutError,
    HandshakeError,
    IdleTimeoutError,
    OverloadedError,
    PermissionDeniedError,
    ProtocolError,
    ProxyLLMClient,
    ProxyLLMError,
    QuotaError,
    RateLimitError,
    SchemaError,
    ServerError,
    Timeouts,
    TooLargeError,
    TruncatedStreamError,
    new_client,
)
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Fail,
    FailKind,
    Garbage,
    GarbageKind,
    Hang,
    HangUp,
    KeepAlive,
    RawBytes,
    Refuse,
    Reset,
    Silence,
    Split,
    Status,
    Step,
)
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.codec import SparkCodec
from tests.support.scripted import DIRECTIONS, Ask

SHORT = Timeouts(connect=0.5, open=0.5, first_delta=0.5, idle=0.2)
"""Long enough for a busy machine to open a connection, short enough to wait for."""


class Fault(NamedTuple):
    """A step, the error that it is, and whether an answer may have begun before it."""

    step: Step
    error: type[ProxyLLMError]
    retryable: bool
    begun: bool = True


def failing(kind: FailKind, error: type[ProxyLLMError], *, retryable: bool = False) -> Fault:
    """A failure that comes as a frame, at any time."""
    return Fault(Fail(kind), error, retryable)


def garbled(kind: GarbageKind, error: type[ProxyLLMError]) -> Fault:
    """Something that can't be read."""
    return Fault(Garbage(kind), error, retryable=False)


FAULTS = [
    Fault(Refuse(), ConnectError, retryable=True, begun=False),
    Fault(Hang(), ConnectTimeoutError, retryable=True, begun=False),
    Fault(Status(302), HandshakeError, retryable=False, begun=False),
    Fault(Status(401), AuthenticationError, retryable=False, begun=False),
    Fault(Status(403), AuthenticationError, retryable=False, begun=False),
    Fault(Status(429), RateLimitError, retryable=True, begun=False),
    Fault(Status(503), OverloadedError, retryable=True, begun=False),
    Fault(Fail("auth"), AuthenticationError, retryable=False, begun=False),
    Fault(Silence(), IdleTimeoutError, retryable=True),
    Fault(KeepAlive(), IdleTimeoutError, retryable=True),
    Fault(HangUp(), TruncatedStreamError, retryable=True),
    Fault(CloseCode(1001), TruncatedStreamError, retryable=True),
    Fault(CloseCode(1011, "internal"), TruncatedStreamError, retryable=True),
    Fault(CutFrame(0), ConnectionLostError, retryable=True),
    Fault(CutFrame(0.5), ConnectionLostError, retryable=True),
    Fault(Reset(), ConnectionLostError, retryable=True),
    Fault(RawBytes(b"\x8f\x00"), ProtocolError, retryable=False),
    garbled("text", DecodeError),
    garbled("shape", SchemaError),
    garbled("utf8", SchemaError),
    garbled("binary", SchemaError),
    garbled("opcode", ProtocolError),
    garbled("reserved", ProtocolError),
    garbled("masked", ProtocolError),
    garbled("length", TooLargeError),
    garbled("continuation", ProtocolError),
    failing("permission", PermissionDeniedError),
    failing("quota", QuotaError),
    failing("rate_limit", RateLimitError, retryable=True),
    failing("concurrency", ConcurrencyLimitError, retryable=True),
    failing("context_length", ContextLengthError),
    failing("content_filter_input", ContentFilterError),
    failing("content_filter_output", ContentFilterError),
    failing("bad_request", BadRequestError),
    failing("unknown_model", BadRequestError),  # Spark has one code for it and for bad formats
    failing("server", ServerError, retryable=True),
    failing("overloaded", OverloadedError, retryable=True),
    failing("unknown_code", BackendError),
]

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.step))


@pytest.fixture(scope="module")
def spark() -> Iterator[WebSocketUpstream]:
    """A scripted Spark for all tests of this module."""
    with WebSocketUpstream(SparkCodec()) as upstream:
        yield upstream


def client_of(upstream: WebSocketUpstream) -> ProxyLLMClient:
    """A client with short clocks."""
    account = {"api_app_id": "12345678", "api_key": "key", "api_secret": "secret"}
    return new_client({"backend": "spark", "api_base": upstream.url, "timeouts": SHORT, **account})


def failure(client: ProxyLLMClient, ask: Ask) -> ProxyLLMError:
    """The error that asking ends in."""
    with pytest.raises(ProxyLLMError) as caught:
        ask(client, "hi")
    return caught.value


def tried(upstream: WebSocketUpstream, fault: Fault, ask: Ask, *before: Step) -> ProxyLLMError:
    """What asking ends in after some steps and a fault; the next call is answered."""
    seen = len(upstream.exchanges)
    upstream.play(*before, fault.step)
    client = client_of(upstream)
    error = failure(client, ask)
    for exchange in upstream.exchanges[seen:]:
        assert exchange.wait_gone()
    upstream.play("fine", Finish())
    assert ask(client, "again")[-1].text == "fine"
    return error


@directions
@every_fault
def test_a_fault_in_place_of_an_answer(spark: WebSocketUpstream, fault: Fault, ask: Ask) -> None:
    """The right class and advice on trying again, nothing made up, and the socket is gone."""
    error = tried(spark, fault, ask)
    expected = fault.error if fault.error is not IdleTimeoutError else FirstDeltaTimeoutError
    assert type(error) is expected
    assert (fault.retryable, "") == (error.retryable, error.partial.text if error.partial else "")


@directions
@pytest.mark.parametrize(
    "fault", [each for each in FAULTS if each.begun], ids=lambda fault: str(fault.step)
)
def test_a_fault_in_the_middle_of_an_answer(
    spark: WebSocketUpstream, fault: Fault, ask: Ask
) -> None:
    """The same, with what had come before it."""
    error = tried(spark, fault, ask, "Hel", "lo")
    assert type(error) is fault.error
    assert error.partial is not None
    assert (error.partial.text, error.sent, error.backend) == ("Hello", "yes", "spark")


@directions
@pytest.mark.parametrize(
    "fault",
    [each for each in FAULTS if isinstance(each.step, Fail) and each.begun],
    ids=lambda fault: str(fault.step),
)
def test_a_failure_that_comes_byte_by_byte(
    spark: WebSocketUpstream, fault: Fault, ask: Ask
) -> None:
    """However its bytes arrive."""
    assert type(tried(spark, fault, ask, Split(1), "Hel")) is fault.error


def test_every_kind_of_fault_is_here() -> None:
    """A step that is added to the vocabulary has to be added to the table."""
    steps = [each.step for each in FAULTS]
    assert {step.kind for step in steps if isinstance(step, Fail)} == {*get_args(FailKind)}
    kinds = {
        kind for kind in get_args(GarbageKind) if (Garbage, kind) not in WebSocketUpstream.lacks
    }
    assert {step.kind for step in steps if isinstance(step, Garbage)} == kinds
    pace_and_content = {"str", "Delta", "Finish", "Message", "Noise", "Gate", "Drip", "Split"}
    played = {each.__name__ for each in get_args(Step) if each not in WebSocketUpstream.lacks}
    others = played - pace_and_content - {"Fragment"}
    assert {type(step).__name__ for step in steps} == others


def settled(expected: tuple[int, int] | None = None) -> tuple[int, int]:
    """Threads and descriptors, once they are as expected, or else have long stayed the same."""
    held, looks = (-1, -1), 0
    until = time.monotonic() + 10.0
    while held != expected and looks < 50 and time.monotonic() < until:
        threading.Event().wait(0.01)
        gc.collect()
        before, held = held, (threading.active_count(), len(os.listdir("/proc/self/fd")))
        looks = looks + 1 if expected is None and held == before else 0
    return held


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_faults_leave_nothing_behind() -> None:
    """Neither a descriptor nor a thread nor a task, after all of them in all ways."""

    def everything() -> None:
        with WebSocketUpstream(SparkCodec()) as upstream:
            for fault in FAULTS:
                waits = isinstance(fault.step, Hang | Silence | KeepAlive)
                for ask in [*DIRECTIONS.values()][: 1 if waits else None]:
                    tried(upstream, fault, ask)

    async def tasks() -> int:
        with WebSocketUpstream(SparkCodec()) as upstream:
            upstream.play("a", Reset(), times=None)
            for _ in range(20):
                with pytest.raises(ConnectionLostError):
                    await client_of(upstream).generate("hi")
        return len(asyncio.all_tasks())

    everything()
    before = settled()
    everything()
    assert asyncio.run(tasks()) == 1
    assert before == settled(before)
