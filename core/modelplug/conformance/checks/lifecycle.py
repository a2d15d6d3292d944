"""LIF: a client costs nothing before its first call, and leaves nothing after it is closed."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import time
import warnings
import weakref
from collections.abc import Callable, Sequence

from modelplug.client import ProxyLLMClient
from modelplug.conformance.calling import calling
from modelplug.conformance.calls import Outcome, Running
from modelplug.conformance.check import check
from modelplug.conformance.directions import STREAMS, Direction, Loop, within
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable, Violation
from modelplug.conformance.watching import held, one_worker, threads, watched
from modelplug.delta import Finish
from modelplug.errors import ClientClosedError, LifecycleError, ProxyLLMError
from modelplug.testing.steps import Fail, Gate, Step


class _OwnError(Exception):
    """What the block of a client raises."""


@check("LIF-01", "making a client does nothing", profile="core", directions=())
def making_a_client_does_nothing(lab: Lab) -> None:
    """Making a client opens no connection and starts no thread."""
    lab.play("hello", Finish(), times=None)
    before = threads()
    with lab.client():
        started = threads() - before
        time.sleep(2 * lab.quantum)
        lab.expect.equal("connections of a client that was only made", 0, len(lab.exchanges))
        lab.expect.equal("threads of a client that was only made", set(), started)


@check("LIF-02", "context managers", profile="core", directions=())
def context_managers(lab: Lab) -> None:
    """``with`` and ``async with`` close a client, on an error too, which comes out as it is."""
    lab.play("hello", Finish(), times=None)

    def leaves(client: ProxyLLMClient) -> None:
        with client:
            raise _OwnError

    async def leaves_async(client: ProxyLLMClient) -> None:
        async with client:
            raise _OwnError

    for way in ("with", "async with"):
        client = lab.made()

        def leave(way: str = way, client: ProxyLLMClient = client) -> None:
            if way == "with":
                leaves(client)
            else:
                lab.direction.loop.run(leaves_async(client), within=lab.direction.patience)

        lab.expect.raises(_OwnError, leave, what=f"an error in the block of '{way}'")
        _expect_closed(lab, client, f"after '{way}'")


@check("LIF-03", "closing again", profile="core")
def closing_again(lab: Lab) -> None:
    """A client may be closed before it was used, twice, and by several threads at once."""
    unused = lab.made()
    _close_often(lab, unused)
    lab.play("hello", Finish())
    client = lab.made()
    lab.ask(client)
    _close_often(lab, client)
    lab.expect.equal("connections that closing made", 1, len(lab.exchanges))


@check("LIF-04", "closed is closed", profile="core")
def closed_is_closed(lab: Lab) -> None:
    """A call of a client that was closed fails with a ClientClosedError, and sends nothing."""
    lab.play("hello", Finish(), times=None)
    client = lab.made()
    client.close()
    _expect_closed(lab, client, "after close()")
    lab.expect.equal("connections of a closed client", 0, len(lab.exchanges))


@check("LIF-05", "closing under a call", profile="resilient")
def closing_under_a_call(lab: Lab) -> None:
    """Closing a client ends its open calls with a typed error, and their connections."""
    lab.play("first", Gate("never"))
    client = lab.made()
    asking = Running(lab.direction, client)
    lab.exchanges.wait(0, lab.direction.patience).wait_asked(lab.direction.patience)
    lab.upstream.wait_reached("never", lab.direction.patience)
    client.close()
    lab.expect_gone(lab.exchanges[0])
    outcome = asking.outcome()
    typed = isinstance(outcome.error, ProxyLLMError)
    lab.expect.that(typed, f"a call whose client was closed ended with {outcome}")


@check("LIF-06", "no complaints", profile="core")
def no_complaints(lab: Lab) -> None:
    """Python has nothing to complain of, when calls have ended well, badly, and halfway.

    No ResourceWarning, no task destroyed or never awaited, no exception that nobody saw.
    """
    gc.collect()
    with watched() as complaints:
        _one_of_each(lab)
        gc.collect()
        time.sleep(lab.quantum / 4)  # the loop lets go of what it held
        gc.collect()
    lab.expect.equal("Python's complaints", [], complaints)


@check("LIF-07", "nothing is left", profile="core")
def nothing_is_left(lab: Lab) -> None:
    """Clients that were used and closed leave no thread, no task and no open file behind."""
    kept: list[ProxyLLMClient] = []  # an app may keep a closed one: closing lets go, not dropping

    def use_and_close(lab: Lab) -> None:
        kept.append(_used(lab))
        kept[-1].close()

    _expect_nothing_left(lab, use_and_close)


@check("LIF-08", "dropped clients", profile="resilient", must=False)
def dropped_clients(lab: Lab) -> None:
    """A client that is dropped and was never closed leaves nothing behind either."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it may well say what it thinks of it
        _expect_nothing_left(lab, _used)
        gc.collect()


@check("LIF-09", "closed clients go", profile="resilient")
def closed_clients_go(lab: Lab) -> None:
    """A client that was used, closed and dropped is kept alive by nothing."""
    lab.play("hello", Finish(), times=None)
    reference = _used_for_all_and_closed(lab)

    def gone() -> bool:
        gc.collect()
        return reference() is None

    kept = "a client lives on after it was closed and dropped: something keeps it"
    lab.expect.that(lab.wait_until(gone, quanta=4), kept)


@check("LIF-10", "borrowed executors", profile="resilient")
def borrowed_executors(lab: Lab) -> None:
    """An executor that was passed in still works after the client was closed."""
    lab.play("hello", Finish())
    with one_worker() as executor:
        client = lab.made(executor=executor)
        lab.ask(client)
        client.close()
        try:
            executor.submit(int).result(lab.direction.patience)
        except RuntimeError as error:
            raise Violation(f"the executor that was passed in was shut down: {error}") from None


@check("LIF-11", "one worker is enough", profile="resilient")
def one_worker_is_enough(lab: Lab) -> None:
    """With an executor of one worker, calls beside one another end, and tokens are counted.

    A call that there is no room for may fail with a typed error; none may wait for ever.
    """
    lab.play("hello", Gate("on"), Finish(), times=None)
    with one_worker() as executor, lab.client(executor=executor) as client:
        calls = [Running(lab.direction, client) for _ in range(3)]
        lab.upstream.wait_reached("on", lab.direction.patience)
        counting = client.count_token(client.default_model, "a few words")
        try:
            lab.direction.loop.run(counting, within=lab.direction.patience)
        except TimeoutError:
            raise Violation("tokens weren't counted while a call was waiting") from None
        finally:
            lab.upstream.release("on")
        for each in calls:
            _expect_ended(lab, each.outcome(), "a call beside two others")


@check("LIF-12", "no half copies", profile="complete", directions=())
def no_half_copies(lab: Lab) -> None:
    """A client that is pickled or copied becomes one that works, or says that it can't be."""
    with lab.client() as client:
        for make in (pickle.dumps, copy.copy, copy.deepcopy):
            told = ""
            try:
                make(client)
            except TypeError as error:
                told = str(error)
            except Exception as error:  # noqa: BLE001  # a plugin may raise anything
                told = f"{type(error).__name__}: {error}"
            named = not told or type(client).__name__ in told
            lab.expect.that(named, f"{make.__name__} of a client fails with {told!r}")


@check("LIF-13", "forked children", profile="complete", directions=("async", "sync"))
def forked_children(lab: Lab) -> None:
    """A forked child's call works or says why not, and a stream of its parent's goes on."""
    if not hasattr(os, "fork"):
        raise NotApplicable("this system has no fork")
    hello: Sequence[Step] = ["hello", Finish()]
    begun: Sequence[Step] = ["first", Gate("on"), " second", Finish()]
    with calling(lab, "fork", begun, hello, hello) as process:
        told = process.next("forked")
    child = told["child"]
    fine = child == "the text 'hello'" or child.startswith("an error of the contract's")
    lab.expect.that(fine, f"a call in a forked child ended with {child}")
    lab.expect.equal("a stream that its process forked under", "first second", told["stream"])
    lab.expect.equal("the parent's next call", "hello", told["again"])


@check("LIF-14", "several loops", profile="core", directions=("async-stream", "async"))
def several_loops(lab: Lab) -> None:
    """One client serves several event loops, one after the other, also after a cancelled call."""
    lab.play("hello", Finish(), times=2)
    lab.play("first", Gate("never"))
    lab.play("hello", Finish())
    with lab.client() as client:
        for number in range(4):
            with Loop.running() as loop:
                direction = Direction(lab.direction.name, loop, lab.direction.patience)
                asking = Running(direction, client)
                if number == 2:  # the third is cancelled
                    lab.upstream.wait_reached("never", direction.patience)
                    asking.cancel()
                outcome = asking.outcome()
            what = f"the call on the client's {number + 1}. event loop"
            if not outcome.cancelled:
                lab.expect.that(outcome.error is None, f"{what} ended with {outcome}")


@check("LIF-15", "sync calls in a loop", profile="core", directions=("sync-stream", "sync"))
def sync_calls_in_a_loop(lab: Lab) -> None:
    """A sync call inside a running event loop works, or says what is wrong with it."""
    lab.play("hello", Finish())
    with lab.client() as client:

        async def inside() -> str:
            if lab.direction.streams:
                return list(client.sync_generate_stream("hi"))[-1].text
            return client.sync_generate("hi").text

        try:
            text = lab.direction.loop.run(inside(), within=lab.direction.patience)
        except LifecycleError:
            return
    lab.expect.equal("the text of a sync call in a running loop", "hello", text)


@check("LIF-16", "many at once", profile="resilient")
def many_at_once(lab: Lab) -> None:
    """One client serves many threads and tasks at once, and each gets the answer to its own."""
    questions = [f"question {number}" for number in range(8)]
    for question in questions:
        lab.play("answer to ", question, Finish(), question=question)
    with lab.client() as client:
        calls = [Running(lab.direction, client, question) for question in questions]
        for question, each in zip(questions, calls, strict=True):
            outcome = each.outcome()
            lab.expect.that(outcome.error is None, f"one of many calls ended with {outcome}")
            lab.expect.equal("the answer to one of many", f"answer to {question}", each.text())


@check("LIF-17", "exit with an open stream", profile="resilient", must=False, directions=STREAMS)
def exit_with_an_open_stream(lab: Lab) -> None:
    """A program that comes to its end with a stream open ends, at once and well."""
    with calling(lab, "leave", ["first", Gate("never")]) as process:
        process.next("left")
        limit = lab.direction.patience
        status = process.ended(limit)
        said = process.said()
    lab.expect.that(status is not None, f"a program with an open stream went on for {limit:g} s")
    lab.expect.that(status in (0, None), f"a program with an open stream ended by {status}: {said}")


@check("LIF-18", "connections used again", profile="resilient", must=False)
def connections_used_again(lab: Lab) -> None:
    """Calls one after the other share a connection or two, where the transport allows it."""
    lab.require_wire("nothing is connected to")
    if lab.upstream.handshakes:
        raise NotApplicable("the kit's service ends a WebSocket after its answer")
    calls = 10
    lab.play("hello", Finish(), times=None)
    with lab.client() as client:
        for _ in range(calls):
            lab.expect.equal("the text", "hello", lab.ask(client)[-1].text)
        used = len({each.connection for each in lab.exchanges})
        told = f"{calls} calls one after the other took {used} connections"
        lab.expect.that(used <= 2, f"{told}: {_why_not_again(lab)}" if used > 2 else told)


def _why_not_again(lab: Lab) -> str:
    """What kept connections from being used again, while their client is still open."""
    if any("close" in each.headers.get("connection", "").lower() for each in lab.exchanges):
        return "the client asked the service to close them"
    if any(each.closed_by == "client" for each in lab.exchanges):
        return "the client closed them before it had read a response to its end"
    if lab.wait_until(lambda: lab.upstream.connection_count <= 2, quanta=1):
        return "the client closed them after its answer; they could have served the next call"
    return "the client left them open, and made one for each call"


def _expect_closed(lab: Lab, client: ProxyLLMClient, when: str) -> None:
    what = f"a call {when}"
    lab.expect.raises(ClientClosedError, lambda: lab.ask(client), what=what)


def _expect_ended(lab: Lab, outcome: Outcome, what: str) -> None:
    fine = outcome.error is None or isinstance(outcome.error, ProxyLLMError)
    lab.expect.that(fine, f"{what} ended with {outcome}")


def _close_often(lab: Lab, client: ProxyLLMClient) -> None:
    """Close it in all ways, each more than once."""
    patience = lab.direction.patience

    async def at_once() -> None:
        await asyncio.gather(*(asyncio.to_thread(client.close) for _ in range(3)))

    ways: dict[str, Callable[[], object]] = {
        "close()": lambda: within(client.close, patience),
        "close() again": lambda: within(client.close, patience),
        "close() by several threads": lambda: lab.direction.loop.run(at_once(), within=patience),
        "aclose()": lambda: lab.direction.loop.run(client.aclose(), within=patience),
        "aclose() again": lambda: lab.direction.loop.run(client.aclose(), within=patience),
    }
    for way, close in ways.items():
        try:
            close()
        except Exception as error:  # noqa: BLE001  # a plugin may raise anything
            raise Violation(f"{way} raised {type(error).__name__}: {error}") from None


def _expect_nothing_left(lab: Lab, use: Callable[[Lab], object]) -> None:
    """The process holds no more after ten clients than before."""
    lab.play("hello", Finish(), times=None)
    for _ in range(2):
        use(lab)  # what is made once, and shared, is made now
    before = _settled(lab)
    for _ in range(10):
        use(lab)
    after: dict[str, int] = {}

    def back() -> bool:
        after.update(_settled(lab))
        return all(after[what] <= before[what] for what in before)

    if not lab.wait_until(back, quanta=4):
        lab.expect.equal("what the process holds after ten clients more", before, after)


def _used(lab: Lab) -> ProxyLLMClient:
    """A client that has served two calls."""
    client = lab.made()
    for _ in range(2):
        lab.ask(client)
    return client


def _used_for_all_and_closed(lab: Lab) -> weakref.ref[ProxyLLMClient]:
    """One that is no more: it was also asked for its models, and for a count of tokens."""
    client = _used(lab)
    patience = lab.direction.patience
    lab.direction.loop.run(client.models(), within=patience)
    lab.direction.loop.run(client.count_token(client.default_model, "hello"), within=patience)
    client.close()
    return weakref.ref(client)


def _one_of_each(lab: Lab) -> None:
    """A call that goes well, one that fails, and one that is left halfway."""
    lab.play("hello", Finish())
    lab.play("hello", Fail("server"))
    lab.play("first", Gate("never"))
    client = lab.made()
    lab.ask(client)
    Running(lab.direction, client).outcome()
    halfway = Running(lab.direction, client)
    lab.upstream.wait_reached("never", lab.direction.patience)
    if lab.direction.is_async:
        halfway.cancel()
        halfway.outcome()
    elif lab.direction.streams:
        halfway.close()
        halfway.outcome()
    client.close()
    halfway.outcome()


def _settled(lab: Lab) -> dict[str, int]:
    """What the process holds, once the service has let go of its own part."""
    for exchange in lab.exchanges[:]:
        exchange.wait_gone(lab.quantum)
    gc.collect()
    return {**held(), "tasks": lab.direction.loop.tasks()}
