"""A scripted library in the place of the real one."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import pytest

from modelplug import Delta, Finish, WrongUseError
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Drip,
    Fail,
    Fragment,
    Garbage,
    Gate,
    Hang,
    HangUp,
    KeepAlive,
    Message,
    Noise,
    RawBytes,
    RawRequest,
    Refuse,
    Reset,
    Silence,
    Split,
    Status,
    Step,
)
from modelplug.testing.inprocess import Answer, InProcess, InProcessUpstream

HERE = "tests.core.testing.test_inprocess"


class LibraryError(Exception):
    pass


def speak(*words: str, **wishes: object) -> Answer:
    """What a provider would call."""
    raise NotImplementedError


class Model:
    def answer(self, question: str) -> Answer:
        """The same, of a class."""
        raise NotImplementedError


class ObjectEncoder:
    def delta(self, delta: Delta) -> Sequence[object]:
        """The text, in a tuple."""
        return [("text", delta.text)]

    def finish(self, finish: Finish) -> Sequence[object]:
        """The reason, and what follows every end."""
        return [("done", finish.reason), None]

    def fail(self, fail: Fail) -> Sequence[object]:
        """What is raised."""
        return [("failing",), LibraryError(fail.kind)]

    def noise(self) -> Sequence[object]:
        """Nothing."""
        return [()]


class ObjectCodec:
    def encoder(self, request: RawRequest) -> ObjectEncoder:
        """One that knows nothing of the question, but for one that it can't bear."""
        if request.called.args == ("unbearable",):
            raise KeyError("unbearable")
        return ObjectEncoder()

    def refusal(self, fail: Fail) -> Status | None:
        """Never."""
        return None


@pytest.fixture
def upstream() -> Iterator[InProcessUpstream]:
    """A stand-in for ``speak``."""
    with InProcess(f"{HERE}:speak")(ObjectCodec()) as upstream:
        yield upstream


def test_an_iterator_gives_what_the_encoder_makes(upstream: InProcessUpstream) -> None:
    """Objects of any kind, as they are, and bytes of a message."""
    upstream.play("a", Delta("b"), Noise(), Message(b"c"), Finish(), HangUp())
    said = [("text", "a"), ("text", "b"), (), b"c", ("done", "stop"), None]
    assert list(speak()) == said


async def test_it_is_for_coroutines_as_well(upstream: InProcessUpstream) -> None:
    """The same answer."""
    upstream.play("a", Finish(), HangUp())
    assert [each async for each in speak()] == [("text", "a"), ("done", "stop"), None]


def test_what_was_asked_is_noted(upstream: InProcessUpstream) -> None:
    """The call as it was, and its repr; both are shown to ``when``."""
    upstream.play("no", when=lambda request: "hi" not in request.called.args)
    upstream.play("yes", when=lambda request: b"'hi'" in request.body)
    assert next(speak("hi", loud=True)) == ("text", "yes")
    exchange = upstream.exchanges.wait()
    assert exchange.wait_asked()
    assert exchange.messages == [b"('hi', loud=True)"]
    assert exchange.called.args == ("hi",)
    assert exchange.request.called.kwargs == {"loud": True}
    assert "hi" not in repr(exchange.called)


def test_the_callable_is_put_back() -> None:
    """Also after an error of the test's own."""
    before = speak
    with suppress(ZeroDivisionError), InProcess(f"{HERE}:speak")(ObjectCodec()):
        assert speak is not before
        raise ZeroDivisionError
    assert speak is before


def test_it_may_be_of_a_class() -> None:
    """Called on an instance, it is given all but that."""
    with InProcess(f"{HERE}:Model.answer")(ObjectCodec()) as upstream:
        upstream.play("a")
        assert next(Model().answer("hi")) == ("text", "a")
        assert upstream.exchanges[0].called.args == ("hi",)
    with pytest.raises(NotImplementedError):
        _ = Model().answer("hi")


@pytest.mark.parametrize("target", [f"{HERE}:nothing", "tests.no_such_module:speak"])
def test_what_isnt_there_cant_be_replaced(target: str) -> None:
    """Python says so."""
    with pytest.raises((AttributeError, ImportError)), InProcess(target)(ObjectCodec()):
        pass


def test_a_failure_is_raised(upstream: InProcessUpstream) -> None:
    """After what comes before it, and then the iterator is at its end."""
    upstream.play("a", Fail("server"), "b")
    answer = speak()
    assert [next(answer), next(answer)] == [("text", "a"), ("failing",)]
    with pytest.raises(LibraryError, match="server"):
        next(answer)
    assert list(answer) == []
    assert (upstream.exchanges[0].closed_by, upstream.exchanges[0].how) == ("server", "end")


async def test_a_failure_is_raised_in_coroutines(upstream: InProcessUpstream) -> None:
    """It is the same exception."""
    upstream.play(Fail("server"))
    answer = speak()
    assert await anext(answer) == ("failing",)
    with pytest.raises(LibraryError):
        await anext(answer)


def test_an_answer_is_open_until_it_is_closed(upstream: InProcessUpstream) -> None:
    """Its last word isn't its end; who closed it is told, once."""
    upstream.play("a", Finish())
    with closing(speak()) as answer:
        next(answer)
        assert upstream.open_count == 1
    answer.close()
    exchange = upstream.exchanges[0]
    assert exchange.wait_gone(0)
    assert (exchange.closed_by, exchange.how) == ("client", "generator")
    assert (exchange.bytes_accepted, exchange.first_sent is not None) == (1, True)
    assert list(answer) == []


def test_a_collected_answer_isnt_gone(upstream: InProcessUpstream) -> None:
    """Nobody closed it."""
    upstream.play("a")
    next(speak())
    gc.collect()
    exchange = upstream.exchanges[0]
    assert (exchange.closed, exchange.how) == (None, "collected")


async def test_an_answer_may_be_awaited(upstream: InProcessUpstream) -> None:
    """Some libraries' calls are coroutines: it gives the answer, and waits for nothing."""
    upstream.play(Gate("never"))
    answer = speak()
    assert await answer is answer
    assert upstream.exchanges[0].closed is None


async def test_an_answer_may_be_entered(upstream: InProcessUpstream) -> None:
    """Leaving the block closes it, for threads and for coroutines."""
    upstream.play("a", times=2)
    with speak() as blocking:
        assert next(blocking) == ("text", "a")
    async with speak() as waiting:
        assert await anext(waiting) == ("text", "a")
    told = [(exchange.closed_by, exchange.how) for exchange in upstream.exchanges]
    assert told == [("client", "generator")] * 2


def _waiters() -> int:
    """What somebody waits for, or has waited for and still keeps."""
    return sum(isinstance(each, threading.Event | asyncio.Event) for each in gc.get_objects())


async def test_waits_leave_nothing_behind(upstream: InProcessUpstream) -> None:
    """However many there were, an answer keeps what its last one waited for."""
    upstream.play(Drip(1e-6), *["a"] * 100, HangUp(), times=2)
    gc.collect()
    before = _waiters()
    blocking, waiting = speak(), speak()
    assert (len(list(blocking)), len([each async for each in waiting])) == (100, 100)
    gc.collect()
    assert _waiters() - before < 10


def test_what_runs_cannot_be_closed(upstream: InProcessUpstream) -> None:
    """No more than a generator can, nor asked by another thread; then it can."""
    upstream.play(Gate("on"), "a")
    answer, got = speak(), list[object]()
    reader = threading.Thread(target=lambda: got.append(next(answer)))
    reader.start()
    assert upstream.wait_reached("on")
    for meddles in (answer.close, answer.__next__):
        with pytest.raises(ValueError, match="generator already executing"):
            meddles()
    upstream.release("on")
    reader.join(10)
    answer.close()
    assert (got, upstream.exchanges[0].how) == ([("text", "a")], "generator")


async def test_what_runs_in_a_task_cannot_be_closed(upstream: InProcessUpstream) -> None:
    """Nor asked by another; in the words of async generators."""
    upstream.play(Gate("on"), "a")
    answer = speak()
    reading = asyncio.ensure_future(anext(answer))
    await asyncio.to_thread(upstream.wait_reached, "on")
    for meddles in (answer.aclose, answer.__anext__):
        with pytest.raises(RuntimeError, match="asynchronous generator is already running"):
            await meddles()
    upstream.release("on")
    assert await reading == ("text", "a")
    await answer.aclose()


@pytest.mark.parametrize("steps", [(Gate("never"), "a"), (Silence(),), (Drip(1000), "a")])
def test_a_library_that_is_told_to_stop_ends(steps: Sequence[Step]) -> None:
    """While it waits, and before it says the next thing; the iteration is over."""
    stop = threading.Event()
    wire = InProcess(f"{HERE}:speak", stopped=lambda called: called.kwargs["stop"].is_set())
    with wire(ObjectCodec()) as upstream:
        upstream.play(*steps)
        upstream.play("a", "b")
        answer, got = speak(stop=stop), list[object]()
        reader = threading.Thread(target=lambda: got.extend(list(answer)))
        reader.start()
        other = speak(stop=stop)
        assert next(other) == ("text", "a")
        stop.set()
        reader.join(10)
        assert (reader.is_alive(), got, list(other)) == (False, [], [])
        told = [(exchange.closed_by, exchange.how) for exchange in upstream.exchanges]
        assert told == [("client", "generator")] * 2


def test_a_library_that_can_be_told_to_stop_goes_on_otherwise() -> None:
    """Its pauses end when they should."""
    with InProcess(f"{HERE}:speak", stopped=lambda _: False)(ObjectCodec()) as upstream:
        upstream.play(Drip(0.02), "a", "b", HangUp())
        assert list(speak()) == [("text", "a"), ("text", "b")]


def test_a_fault_of_who_says_whether_to_stop_comes_out() -> None:
    """As a codec's does: the call may lack what is looked for."""

    def asks() -> None:
        wire = InProcess(f"{HERE}:speak", stopped=lambda called: bool(called.kwargs["stop"]))
        with wire(ObjectCodec()) as upstream:
            upstream.play("a")
            with suppress(KeyError):
                next(speak())

    with pytest.raises(KeyError, match="stop"):
        asks()


@pytest.mark.parametrize("copies", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_answer_has_no_copy(
    upstream: InProcessUpstream, copies: Callable[[object], object]
) -> None:
    """What was tried leaves no trace of itself."""
    upstream.play("a", Finish())
    answer = speak()
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        copies(answer)
    gc.collect()
    assert upstream.exchanges[0].how is None
    assert next(answer) == ("text", "a")


async def test_a_cancel_ends_an_answer(upstream: InProcessUpstream) -> None:
    """As it ends a generator that waits."""
    upstream.play(Gate("never"))
    reading = asyncio.ensure_future(anext(speak()))
    await asyncio.to_thread(upstream.wait_reached, "never")
    reading.cancel()
    await asyncio.wait([reading])
    assert (reading.cancelled(), upstream.exchanges[0].how) == (True, "generator")
    assert upstream.open_count == 0


async def _last(answer: AsyncIterator[Any]) -> object:
    return [each async for each in answer][-1]


async def test_a_gate_opens_for_threads_and_tasks(upstream: InProcessUpstream) -> None:
    """For all who wait there."""
    upstream.play(Gate("on"), "a", HangUp(), times=2)
    blocked = asyncio.ensure_future(asyncio.to_thread(lambda: list(speak())))
    waiting = asyncio.ensure_future(_last(speak()))
    await asyncio.to_thread(upstream.exchanges.wait, 1)
    upstream.release("on")
    assert await blocked == [("text", "a")]
    assert await waiting == ("text", "a")


def test_pauses_come_before_each_message(upstream: InProcessUpstream) -> None:
    """However short."""
    upstream.play(Drip(0.001), "a", "b", HangUp())
    assert list(speak()) == [("text", "a"), ("text", "b")]


WIRED: list[Step] = [
    Refuse(),
    Hang(),
    Status(503),
    Split(),
    Fragment(),
    KeepAlive(),
    CloseCode(1011),
    CutFrame(),
    Reset(),
    Garbage(),
    RawBytes(b""),
]


@pytest.mark.parametrize("step", WIRED, ids=lambda step: type(step).__name__)
def test_steps_of_a_wire_are_refused(upstream: InProcessUpstream, step: Step) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match="nothing goes over a wire"):
        upstream.play(step)


def test_a_call_without_a_script_is_refused(upstream: InProcessUpstream) -> None:
    """And isn't left open."""
    with pytest.raises(WrongUseError, match="nothing was queued"):
        _ = speak()
    assert upstream.open_count == 0


def test_it_has_no_address() -> None:
    """But a name, while it is entered, and no TLS."""
    upstream = InProcess(f"{HERE}:speak")(ObjectCodec())
    with pytest.raises(WrongUseError):
        upstream.play("a")
    with upstream:
        assert upstream.url == f"python:{HERE}:speak"
        with pytest.raises(WrongUseError):
            upstream.__enter__()
    assert not upstream.wired
    with pytest.raises(ValueError, match="TLS"):
        InProcess(f"{HERE}:speak")(ObjectCodec(), tls=True)


def test_a_codecs_fault_comes_out_at_the_end() -> None:
    """The client gets it, whatever that makes of it, and so does the test."""

    def asks() -> None:
        with InProcess(f"{HERE}:speak")(ObjectCodec()) as upstream:
            upstream.play("a")
            with suppress(KeyError):
                next(speak("unbearable"))

    with pytest.raises(KeyError, match="unbearable"):
        asks()


def test_a_fault_goes_behind_the_tests_own() -> None:
    """It is a note of that."""

    def fails() -> None:
        with InProcess(f"{HERE}:speak")(ObjectCodec()) as upstream:
            upstream.play("a", when=lambda request: bool(vars()["no"]))
            with suppress(KeyError):
                _ = speak()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fails()
    assert "a fault as well: KeyError('no')" in caught.value.__notes__[0]


def test_leaving_ends_all_answers() -> None:
    """Whoever waits is woken."""
    with InProcess(f"{HERE}:speak")(ObjectCodec()) as upstream:
        upstream.play("a")
        answer = speak()
    assert list(answer) == []
    assert (upstream.exchanges[0].closed_by, upstream.open_count) == ("server", 0)
