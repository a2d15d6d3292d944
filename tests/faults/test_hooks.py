"""Rows 93 to 95: what the app brings along raises, or is out of order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from modelplug import (
    Delta,
    Finish,
    ModelRequest,
    RateGateError,
    ServerError,
    new_client,
)
from modelplug.observers import CallFailed, CallFinished, CallStarted, FirstDelta
from modelplug.policies.rate import RateLimit
from modelplug.policies.sharedrate import SharedGate
from modelplug.testing import Fail
from modelplug.testing.upstream import Upstream
from tests.faults.asking import PATIENT, Expected, Way, answered, asked, every_way, failure, told
from tests.faults.carriers import ALL, REMOTE, Carrier, over
from tests.faults.cases import is_answered
from tests.faults.servers import Server, gone
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient


class Mine(Exception):  # noqa: N818  # an app's, which has its own ideas of names
    """What an app raises."""


@pytest.mark.fault(93)
@every_way
@over(*ALL)
@pytest.mark.parametrize("event", [CallStarted, FirstDelta, CallFinished])
def test_an_observer_that_raises(
    event: type, carrier: Carrier, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs the call nothing; the log names its class, without its text."""

    def observer(seen: object) -> None:
        if type(seen) is event:
            raise Mine("a disk is full")

    with carrier.wire(carrier.codec) as service:
        service.play("fine", Finish())
        client = carrier.client(service)
        client.observers = (observer,)
        assert answered(client, way) == "fine"
        assert all(each.wait_gone() for each in service.exchanges)
    assert "an observer raised Mine" in caplog.messages
    assert "a disk is full" not in caplog.text


@pytest.mark.fault(93, subject="echo")
@every_way
def test_a_converter_that_raises(way: Way) -> None:
    """The app gets its own error, as it is; the next call works."""
    client = new_client("echo")

    class Converter:
        def convert(self, *_: object) -> Sequence[object]:
            """Refuse."""
            raise Mine("mine")

    converter = Converter()

    class Converting:
        """The client, with the converter in each call."""

        def __getattr__(self, name: str) -> Callable[[object], object]:
            method = getattr(client, name)
            return lambda asked: method(asked, converter)

    with pytest.raises(Mine, match="mine"):
        way(Converting(), asked())  # type: ignore[arg-type]  # as far as it is used
    assert answered(client, way) == "hi"


class Broken(logging.Handler):
    """A handler that raises whatever it is given."""

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        raise Mine("a disk is full")


@pytest.mark.fault(94, subject="hostile")
@every_way
@pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])
def test_a_log_handler_that_raises(kind: type[ScriptedClient], way: Way) -> None:
    """What can't be logged costs no answer, and hides no failure."""

    class Untidy(kind):  # type: ignore[misc, valid-type]  # one or the other
        def _begin(self, request: ModelRequest, call: object) -> object:
            steps = super()._begin(request, call)
            call.on_abort(partial(divmod, 1, 0))  # type: ignore[attr-defined]  # a Call
            return steps

    client = Untidy(Delta("Hel"), ServerError("sorry"))
    logger, handler = logging.getLogger("modelplug"), Broken()
    logger.addHandler(handler)
    try:
        expected = Expected(ServerError, retryable=True, partial="Hel")
        assert expected == told(failure(client, way), expected)
        client.steps = (Delta("fine"), Finish())
        assert answered(client, way) == "fine"
    finally:
        logger.removeHandler(handler)
    client.close()


class Heard(Broken):
    """One that counts what it was given."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        self.count += 1
        super().emit(record)


@pytest.mark.fault(94)
@every_way
@over(*ALL)
def test_a_failure_that_cant_be_logged(carrier: Carrier, service: Upstream, way: Way) -> None:
    """An observer fails at a call's failure, the log at telling that: the failure is told."""

    def observer(seen: object) -> None:
        if type(seen) is CallFailed:
            raise Mine("mine")

    client = carrier.client(service)
    client.observers = (observer,)
    service.play("Hel", "lo", Fail("server"))
    logger, handler = logging.getLogger("modelplug"), Heard()
    logger.addHandler(handler)
    try:
        expected = Expected(ServerError, retryable=True, partial="Hello", sent="yes")
        assert expected == told(failure(client, way), expected)
    finally:
        logger.removeHandler(handler)
    assert handler.count == 1
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, way)


@pytest.mark.fault(95)
@every_way
@over(*REMOTE)
@pytest.mark.parametrize("down", [True, False], ids=["down", "hangs"])
def test_redis_is_out_of_order(
    carrier: Carrier,
    service: Upstream,
    way: Way,
    down: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Calls pass, or are refused, as the app has it; neither waits for Redis."""
    asking = carrier.client(service)
    with Server(gone) as server:
        port = 1 if down else server.port
        url = f"redis://:secret-word@127.0.0.1:{port}/0"
        passing, refusing = SharedGate.at(url, "a", 60), SharedGate.at(url, "a", 60)
        refusing._when_down = "refuse"
        is_answered(RateLimit(asking, requests=passing), service, way)
        client = RateLimit(asking, requests=refusing)
        expected = Expected(RateGateError, retryable=True, sent="no")
        assert expected == told(error := failure(client, way, PATIENT), expected)
    assert "secret-word" not in f"{caplog.text} {error!r} {vars(error)}"
