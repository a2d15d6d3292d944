"""TMO: the clocks of a call run out when they should, on whom they should, and free all it held."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from socket import AF_INET, SOCK_STREAM, socket
from typing import Any, TypeVar

from modelplug.conformance.calls import Running
from modelplug.conformance.check import check
from modelplug.conformance.directions import STREAMS
from modelplug.conformance.lab import Lab
from modelplug.conformance.mute import origin
from modelplug.conformance.verdict import Violation
from modelplug.delta import Finish
from modelplug.errors import (
    ConnectTimeoutError,
    DeadlineError,
    FirstDeltaTimeoutError,
    IdleTimeoutError,
    TotalTimeoutError,
)
from modelplug.request import ModelRequest, RequestLike
from modelplug.testing.steps import Drip, Hang, KeepAlive, Noise, Silence, Step
from modelplug.timeouts import Timeouts

LateT = TypeVar("LateT", bound=DeadlineError)


def _clocks(lab: Lab, **quanta: float) -> Timeouts:
    """These clocks, in quanta, and none but them."""
    none = dict.fromkeys(("connect", "open", "first_delta", "idle", "total"))
    return Timeouts(**{**none, **{name: count * lab.quantum for name, count in quanta.items()}})


@check("TMO-01", "the clock for connecting", profile="resilient")
def the_clock_for_connecting(lab: Lab) -> None:
    """A service that never lets the client in is given up with a ConnectTimeoutError.

    Whether it takes no connection, or doesn't answer the handshake.
    """
    lab.play(Hang())
    if lab.upstream.handshakes:
        signs = "a handshake that nobody answers"
        _expect_late(lab, ConnectTimeoutError, _clocks(lab, open=2), signs=signs)
    else:  # what isn't answered is the question
        signs = "a question that nobody answers"
        _expect_late(lab, FirstDeltaTimeoutError, _clocks(lab, first_delta=2), signs=signs)
    if sys.platform != "linux":
        return  # elsewhere a full queue refuses
    lab.script.append("at another address, takes no connection: its queue is full")
    with _full_queue() as address:
        account = lab.harness.params(origin(lab.upstream, address), lab.account)
        clocks, signs = _clocks(lab, connect=2), "a connection that nobody takes"
        _expect_late(lab, ConnectTimeoutError, clocks, signs=signs, account=account)


@check("TMO-02", "the clock for the first delta", profile="resilient")
def the_clock_for_the_first_delta(lab: Lab) -> None:
    """A service that never begins to answer is given up with a FirstDeltaTimeoutError."""
    lab.play(Silence())
    _expect_late(lab, FirstDeltaTimeoutError, _clocks(lab, first_delta=2))


@check("TMO-03", "the clock between deltas", profile="resilient")
def the_clock_between_deltas(lab: Lab) -> None:
    """A service that falls silent in its answer is given up with an IdleTimeoutError.

    The error has what came in ``partial``.
    """
    lab.play("Hel", "lo", Silence())
    error = _expect_late(lab, IdleTimeoutError, _clocks(lab, idle=2))
    lab.expect.that(error.partial is not None, "the IdleTimeoutError has no partial")
    partial = error.partial.text if error.partial else None
    lab.expect.equal("the text of the error's partial", "Hello", partial)


@check("TMO-04", "keep-alives are no progress", profile="resilient")
def keep_alives_are_no_progress(lab: Lab) -> None:
    """Pings, and messages that mean nothing, put off no clock."""
    ping = KeepAlive(lab.quantum / 2)
    hum: list[Step] = [Drip(lab.quantum / 2), *[Noise()] * 16, "late", Finish()]
    for signs, steps in (("pings", [ping]), ("empty messages", hum)):
        if lab.leaves_out(*steps):
            continue
        lab.play(*steps)
        clocks = _clocks(lab, first_delta=2)
        _expect_late(lab, FirstDeltaTimeoutError, clocks, signs=f"nothing but {signs}")
        lab.play("Hello", *steps)
        clocks = _clocks(lab, idle=2)
        _expect_late(lab, IdleTimeoutError, clocks, signs=f"an answer's beginning and {signs}")


@check("TMO-05", "the clock for all of it", profile="resilient")
def the_clock_for_all_of_it(lab: Lab) -> None:
    """An answer that goes on and on ends with a TotalTimeoutError, and with what came."""
    lab.play("so", Drip(lab.quantum / 2), *[" and so"] * 16, Finish())
    error = _expect_late(lab, TotalTimeoutError, _clocks(lab, total=3))
    lab.expect.that(error.partial and error.partial.text, "the TotalTimeoutError has no partial")


@check("TMO-06", "the request's own clocks", profile="resilient")
def the_requests_own_clocks(lab: Lab) -> None:
    """A request's own time-out holds in place of the client's, whether shorter or longer."""
    lab.play(Silence())
    short = ModelRequest(messages="hi", timeout=2 * lab.quantum)
    _expect_late(lab, TotalTimeoutError, _clocks(lab, total=100), request=short)
    lab.play(Drip(3 * lab.quantum), "late", Finish())
    patient = ModelRequest(messages="hi", timeout=_clocks(lab, first_delta=12, idle=12))
    with lab.client(timeouts=_clocks(lab, first_delta=1, idle=1)) as client:
        _expect_text(lab, "late", Running(lab.direction, client, patient), "a more patient request")


@check("TMO-07", "late calls leave nothing", profile="resilient")
def late_calls_leave_nothing(lab: Lab) -> None:
    """When a clock has run out, the connection is closed, and no task goes on."""
    lab.play("first", Silence())
    with lab.client(timeouts=_clocks(lab, idle=2)) as client:
        asking = Running(lab.direction, client)
        outcome = asking.outcome()
        late = isinstance(outcome.error, DeadlineError)
        lab.expect.that(late, f"the call should have been given up, but ended with {outcome}")
        lab.expect_gone(lab.exchanges[-1])
        no_tasks = lab.wait_until(lambda: lab.direction.loop.tasks() == 0, quanta=4)
        lab.expect.that(no_tasks, "a task of the call went on")


@check("TMO-08", "slow is not late", profile="resilient")
def slow_is_not_late(lab: Lab) -> None:
    """A slow answer that goes on comes to its end: each piece has the whole time of the clock."""
    words = [str(number) for number in range(10)]
    lab.play(Drip(lab.quantum), *words, Finish())
    with lab.client(timeouts=_clocks(lab, first_delta=4, idle=4)) as client:
        _expect_text(lab, "".join(words), Running(lab.direction, client), "a slow answer")


@check("TMO-09", "slow readers", profile="resilient", directions=STREAMS)
def slow_readers(lab: Lab) -> None:
    """Nobody is blamed while the reader does something else: clocks run while it waits."""
    lab.play("a", "b", "c", Finish())
    with lab.client(timeouts=_clocks(lab, first_delta=2, idle=2)) as client:
        reading = lab.read(client)
        try:
            for _ in range(2):
                reading.next()
                time.sleep(3 * lab.quantum)
            text = reading.rest()[-1].text
        except DeadlineError as error:
            late = f"{type(error).__name__}: {error}"
            raise Violation(f"a reader that took its time was given {late}") from None
    lab.expect.equal("the text for a slow reader", "abc", text)


def _expect_text(lab: Lab, expected: str, asking: Running, what: str) -> None:
    outcome = asking.outcome()
    lab.expect.that(outcome.error is None, f"{what} ended with {outcome}")
    lab.expect.equal(f"the text of {what}", expected, asking.text())


def _expect_late(
    lab: Lab,
    kind: type[LateT],
    clocks: Timeouts,
    *,
    request: RequestLike = "hi",
    signs: str = "",
    account: Mapping[str, Any] | None = None,
) -> LateT:
    """A call is given up with this error."""
    what = f"a call with {signs}" if signs else "a call that lasts too long"
    with lab.client(timeouts=clocks, **(account or {})) as client:
        return lab.expect.raises(kind, Running(lab.direction, client, request).text, what=what)


@contextmanager
def _full_queue() -> Iterator[str]:
    """An address where connections wait for ever: nobody takes them, and its queue is full."""
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket(AF_INET, SOCK_STREAM) for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(listener.getsockname())
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for each in waiting:
                each.close()
