"""CAN: whoever stops waiting for an answer has the connection closed, and is told the truth."""

from __future__ import annotations

import gc
import sys
import time
import warnings

from modelplug.client import ProxyLLMClient
from modelplug.conformance.calling import calling
from modelplug.conformance.calls import Outcome, Running, leave, logged
from modelplug.conformance.check import check
from modelplug.conformance.directions import STREAMS
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable, Violation
from modelplug.delta import Finish
from modelplug.errors import ProxyLLMError
from modelplug.testing.exchange import Exchange
from modelplug.testing.steps import Drip, Gate, Hang

# The clocks of all these checks are the usual ones, far longer than any wait here: a clock that
# ran out would close the connection, and hide that cancelling didn't.

_MOST_SUSPENSIONS = 200
"""At so many waits of one short call a sweep ends."""


class _ConsumerError(Exception):
    """What the body of a loop raises."""


@check("CAN-01", "cancelling cuts", profile="streaming", directions=("async-stream",))
def cancelling_cuts(lab: Lab) -> None:
    """Cancelling the task that reads a stream closes the connection, whatever the peer does."""
    lab.play("first", Gate("never"))
    with lab.client() as client:
        reading = Running(lab.direction, client)
        reading.next()
        reading.cancel()
        lab.expect_gone(lab.exchanges.wait())
        lab.expect.equal("who ended the connection", "client", lab.exchanges[0].closed_by)


@check(
    "CAN-02", "cancelled is cancelled", profile="streaming", directions=("async-stream", "async")
)
def cancelled_is_cancelled(lab: Lab) -> None:
    """Whoever cancels a call gets a cancelled task: no error instead, and no answer."""
    lab.play("first", Gate("never"))
    with lab.client() as client:
        _expect_cancelled(lab, _cancelled_at_gate(lab, client).outcome())


@check(
    "CAN-03",
    "cancelled before an answer",
    profile="streaming",
    directions=("async-stream", "async"),
)
def cancelled_before_an_answer(lab: Lab) -> None:
    """Cancelling closes the connection in the handshake too, and while no answer has begun."""
    for number, (step,) in enumerate(lab.possible((Gate("never"),), (Hang(),))):
        lab.play(step)
        with lab.client() as client:
            asking = Running(lab.direction, client)
            exchange = lab.exchanges.wait(number, lab.direction.patience)
            _await_request(lab, exchange, asked=step != Hang())
            asking.cancel()
            lab.expect_gone(exchange)
            _expect_cancelled(lab, asking.outcome())


@check("CAN-04", "cancelled anywhere", profile="resilient", directions=("async-stream", "async"))
def cancelled_anywhere(lab: Lab) -> None:
    """Wherever a call is cancelled, nothing of it is left, and the next call works."""
    lab.play(Drip(lab.quantum / 20), "first", " second", Finish(), times=None)
    with lab.client() as client:
        for number in range(1, _MOST_SUSPENSIONS):
            asking = Running(lab.direction, client, cancel_at=number)
            outcome = asking.outcome()
            where = f"the call that was cancelled where it waited for the {number}. time"
            if outcome.error is not None:
                _expect_cancelled(lab, outcome, what=where)
            _expect_nothing_left(lab, where)
            if asking.suspensions < number:
                break
        answer = lab.ask(client)[-1]
        lab.expect.equal("the text of the call after that", "first second", answer.text)


@check(
    "CAN-05",
    "cancelled twice",
    profile="resilient",
    must=False,
    directions=("async-stream", "async"),
)
def cancelled_twice(lab: Lab) -> None:
    """A second cancel, while the first is being dealt with, doesn't keep the connection open."""
    for times in (2, 3):
        lab.play("first", Gate("never"))
        with lab.client() as client:
            asking = _cancelled_at_gate(lab, client, times=times)
            lab.expect_gone(lab.exchanges[-1])
            _expect_cancelled(lab, asking.outcome())


@check("CAN-06", "closing cuts", profile="streaming", directions=("async-stream",))
def closing_cuts(lab: Lab) -> None:
    """Closing a stream closes its connection, however much of it was read."""
    _expect_closing_cuts(lab)


@check("CAN-07", "dropping cuts", profile="streaming", must=False, directions=STREAMS)
def dropping_cuts(lab: Lab) -> None:
    """A stream that is left and dropped, not closed, lets its connection go all the same."""
    lab.play("first", Gate("never"))
    with lab.client() as client, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it may well say what it thinks of it
        reading = lab.direction.read(client, "hi")  # the lab would keep it
        reading.next()
        del reading
        exchange = lab.exchanges.wait()
        gc.collect()
        gone = exchange.wait_gone(4 * lab.quantum)
        lab.expect.that(gone, "the connection of a stream that was dropped stayed open")


@check("CAN-08", "closing cuts, in threads", profile="streaming", directions=("sync-stream",))
def closing_cuts_in_threads(lab: Lab) -> None:
    """Closing a sync stream closes its connection, from whichever thread it is done."""
    _expect_closing_cuts(lab)


@check("CAN-09", "closed under a reader", profile="resilient", directions=STREAMS)
def closed_under_a_reader(lab: Lab) -> None:
    """Closing a stream while another task or thread reads it ends that reader, and closes it."""
    lab.play("first", Gate("never"))
    with lab.client() as client:
        reading = Running(lab.direction, client)
        reading.next()
        lab.upstream.wait_reached("never", lab.direction.patience)
        try:
            reading.close()
        except Exception as error:  # noqa: BLE001  # a plugin may raise anything
            raise Violation(f"closing raised {type(error).__name__}: {error}") from None
        lab.expect_gone(lab.exchanges[-1])
        outcome = reading.outcome()
    typed = outcome.error is None or isinstance(outcome.error, ProxyLLMError)
    lab.expect.that(typed or outcome.cancelled, f"the reader ended with {outcome}")
    lab.expect.that(not any(output.final for output in outcome.outputs), "the answer seems whole")


@check("CAN-10", "closing is quiet", profile="streaming", directions=STREAMS)
def closing_is_quiet(lab: Lab) -> None:
    """Closing a stream raises nothing, wherever it is, and no clean-up fails behind the scenes."""
    for count in range(4):
        lab.play("a", "b", "c", Gate("never"))
        with lab.client() as client, logged("modelplug") as texts:
            reading = lab.read(client)
            for _ in range(count):
                reading.next()
            reading.close()
        lab.expect.equal(f"what was logged by closing after {count} outputs", [], texts)


@check("CAN-11", "the reader's own errors", profile="streaming", directions=STREAMS)
def the_readers_own_errors(lab: Lab) -> None:
    """An error of the reader's own comes out of a stream's block as it is, and closes it."""
    lab.play("first", Gate("never"))
    with lab.client() as client:
        lab.expect.raises(
            _ConsumerError,
            lambda: leave(lab.direction, client, _ConsumerError("mine")),
            what="leaving the block of a stream with an error of one's own",
        )
        lab.expect_gone(lab.exchanges.wait())


@check("CAN-12", "cancelling a whole answer", profile="streaming", directions=("async",))
def cancelling_a_whole_answer(lab: Lab) -> None:
    """Cancelling a call for a whole answer closes its connection too."""
    lab.play("first", Gate("never"))
    with lab.client() as client:
        _cancelled_at_gate(lab, client)
        lab.expect_gone(lab.exchanges[-1])


@check("CAN-13", "Ctrl-C", profile="resilient", must=False, directions=("sync-stream", "sync"))
def ctrl_c(lab: Lab) -> None:
    """Ctrl-C in a sync call is a KeyboardInterrupt, closes its connection and leaves no thread."""
    if sys.platform == "win32":
        raise NotApplicable("no process can press Ctrl-C for one other process here")
    with calling(lab, "interrupt", ["hello", Finish()], ["first", Gate("never")]) as process:
        process.next("asking")
        process.wait_reached("never")
        time.sleep(lab.quantum)  # until it waits for more
        process.interrupt()
        told = process.next("interrupted")
        lab.expect.equal("what came of Ctrl-C", "KeyboardInterrupt", told["raised"])
        if lab.upstream.wired:
            lab.expect_gone(lab.exchanges[-1])
        lab.expect.that(told["gone"], "the call that was interrupted went on in the library")
        lab.expect.equal("threads of a call that was interrupted", [], told["threads"])


def _cancelled_at_gate(lab: Lab, client: ProxyLLMClient, *, times: int = 1) -> Running:
    """A call that was cancelled while it waited for more; the answer's first piece is there."""
    before = len(lab.exchanges)
    asking = Running(lab.direction, client)
    if lab.direction.streams:
        asking.next()
    else:
        exchange = lab.exchanges.wait(before, lab.direction.patience)
        exchange.wait_asked(lab.direction.patience)
        lab.upstream.wait_reached("never", lab.direction.patience)
    asking.cancel(times=times)
    return asking


def _await_request(lab: Lab, exchange: Exchange, *, asked: bool) -> None:
    """Wait for the client's question, or for its handshake alone."""
    if asked:
        came = exchange.wait_asked(lab.direction.patience)
    else:
        came = lab.wait_until(lambda: bool(exchange.target), quanta=20)
    lab.expect.that(came, "the client sent no request")


def _expect_cancelled(lab: Lab, outcome: Outcome, *, what: str = "the call") -> None:
    lab.expect.that(outcome.cancelled, f"{what} wasn't cancelled: it ended with {outcome}")


def _expect_nothing_left(lab: Lab, where: str) -> None:
    gone = lab.wait_until(lambda: lab.upstream.open_count == 0, quanta=4)
    lab.expect.that(gone, f"{where} left a connection open")
    gone = lab.wait_until(lambda: lab.direction.loop.tasks() == 0, quanta=4)
    lab.expect.that(gone, f"{where} left a task running")


def _expect_closing_cuts(lab: Lab) -> None:
    for count in (1, 2, 3):
        lab.play("a", "b", "c", Gate("never"))
        with lab.client() as client:
            reading = lab.read(client)
            for _ in range(count):
                reading.next()
            reading.close()
            lab.expect_gone(lab.exchanges[-1])
            lab.expect.equal("who ended the connection", "client", lab.exchanges[-1].closed_by)
