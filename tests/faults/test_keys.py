"""Rows 89 to 91: the machine's clock, and keys that are exchanged."""

from __future__ import annotations

import base64
import time
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from modelplug import AuthenticationError, Finish, new_client
from modelplug.policies import Retry
from modelplug.secrets import Secret
from modelplug.testing import Fail
from modelplug.testing.exchange import Exchange
from modelplug.testing.upstream import Upstream
from modelplug_spark import client as spark_client
from modelplug_spark.emulator import SparkEmulator
from tests.faults.asking import Way, answered, asked, every_way, failure
from tests.faults.carriers import ALL, Carrier, over
from tests.faults.cases import is_answered


@over(*ALL)
@pytest.mark.fault(89)
@every_way
def test_the_clock_of_the_machine_jumps(
    carrier: Carrier, service: Upstream, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back and forth by a day at every look: no clock of a call hangs on it."""
    real, days = time.time, [0]

    def jumping() -> float:
        days[0] = 1 - days[0]
        return real() + days[0] * 86_400

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr(time, "time_ns", lambda: int(jumping() * 1e9))
    is_answered(carrier.client(service), service, way)


@pytest.mark.fault(90)
@every_way
@pytest.mark.parametrize(("off", "direction"), [(-3600, "behind"), (3600, "ahead of")])
def test_the_clock_of_the_machine_is_wrong(
    off: float, direction: str, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that checks dates refuses; the error says by how much the clock is off."""
    with SparkEmulator(pace=0) as service, monkeypatch.context() as patch:
        place = service.describe()
        account = {"api_app_id": place["app_id"]}
        account |= {name: place[name] for name in ("api_key", "api_secret")}
        client = new_client({"backend": "spark", "api_base": service.url, **account})
        patch.setattr(spark_client, "time", SimpleNamespace(time=lambda: time.time() + off))
        error = failure(client, way)
        patch.undo()
        assert way(client, asked())[-1].text
    assert (type(error), error.retryable, error.sent) == (AuthenticationError, False, "no")
    assert error.hint is not None
    assert direction in error.hint


def shown(exchange: Exchange) -> str:
    """The credentials of a question: in a signature, a query or an argument."""
    query = parse_qs(urlsplit(exchange.target).query)
    signed = base64.b64decode(query.get("authorization", [""])[0]).decode()
    return f"{signed} {query.get('key')} {exchange.called.kwargs}"


@over(*ALL)
@pytest.mark.fault(91)
@every_way
def test_a_key_is_exchanged(carrier: Carrier, service: Upstream, way: Way) -> None:
    """Each call has the key of its moment: the one after a refusal can have the new one."""
    keys = ["old-0123456789abcdef", "new-0123456789abcdef"]
    client = carrier.client(service, **{carrier.key: Secret(lambda: keys[0])})
    service.play(Fail("auth"))
    assert type(failure(client, way)) is AuthenticationError
    del keys[0]
    service.play("fine", Finish())
    assert answered(client, way) == "fine"
    assert "new-0123456789abcdef" in shown(service.exchanges[-1])


@over(*ALL)
@pytest.mark.fault(91)
@every_way
def test_a_key_that_was_exchanged_is_tried_by_a_retry(
    carrier: Carrier, service: Upstream, way: Way
) -> None:
    """At once, where its callable gives another than was refused."""
    old, new = "old-0123456789abcdef", "new-0123456789abcdef"
    before = len(service.exchanges)
    key = Secret(lambda: new if len(service.exchanges) > before else old)
    client = Retry(carrier.client(service, **{carrier.key: key}), retries=1)
    service.play(Fail("auth"))
    service.play("fine", Finish())
    assert answered(client, way) == "fine"
    told = [[key in shown(each) for key in (old, new)] for each in service.exchanges[before:]]
    assert told == [[True, False], [False, True]]
