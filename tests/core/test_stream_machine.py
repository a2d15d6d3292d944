"""Streams in any order of reading, closing, cancelling and dropping: one end, nothing open."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import warnings
from collections.abc import AsyncIterator, Iterator

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelplug import (
    Call,
    CallAbandoned,
    CallFailed,
    CallFinished,
    CallStarted,
    Delta,
    Event,
    Finish,
    FirstDelta,
    ModelOutput,
    ModelRequest,
    ModelStream,
    ProxyLLMError,
    ServerError,
    SyncModelStream,
    WrongUseError,
)
from tests.support.scripted import AsyncScripted, BlockingScripted
from tests.support.virtual import VirtualLoop

Said = Delta | Finish | ProxyLLMError

pieces = st.sampled_from(["a", "b", "", "cd"]).map(Delta)
ends = st.builds(Finish) | st.builds(ServerError, st.just("sorry"))

ENDS = (CallFinished, CallFailed, CallAbandoned)

QUICK = settings(
    deadline=None, derandomize=True, database=None, max_examples=100, stateful_step_count=25
)
"""The same runs each time; seconds altogether."""

_PATIENCE = 30.0
"""Seconds after which a thread that hangs fails its test; nothing is measured by it."""


class AsyncFed(AsyncScripted):
    """Yields what it is fed, when it comes."""

    fed: asyncio.Queue[Said]
    serving = 0

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """What comes, up to an end."""
        self.serving += 1
        try:
            while True:
                said = await self.fed.get()
                if isinstance(said, ProxyLLMError):
                    raise said
                yield said  # type: ignore[misc]  # a Finish, too
                if isinstance(said, Finish):
                    return
        finally:
            self.serving -= 1


class BlockingFed(BlockingScripted):
    """The same of a plugin that blocks a thread."""

    fed: queue.SimpleQueue[Said | None]

    def __init__(self) -> None:
        super().__init__()
        self.fed = queue.SimpleQueue()
        self.gone = threading.Event()
        self.gone.set()

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Delta]:
        """What comes, up to an end or until nobody waits any more."""
        self.gone.clear()
        call.on_abort(lambda: self.fed.put(None))
        try:
            while (said := self.fed.get()) is not None:
                if isinstance(said, ProxyLLMError):
                    raise said
                yield said  # type: ignore[misc]  # a Finish, too
                if isinstance(said, Finish):
                    return
        finally:
            self.gone.set()


class Warned:
    """How often streams have warned that they were dropped.

    A record of warnings would keep each stream that warns, and so its connection.
    """

    def __init__(self) -> None:
        self.times = 0
        self._filters = warnings.catch_warnings()
        self._filters.__enter__()
        warnings.simplefilter("always")
        warnings.showwarning = self._count

    def close(self) -> None:
        """Have warnings go where they went before."""
        self._filters.__exit__(None, None, None)

    def _count(self, message: Warning | str, *_: object, **__: object) -> None:
        self.times += "dropped before its end" in str(message)


class Answer:
    """What a stream has told so far, held against what was said to it."""

    def __init__(self) -> None:
        self.text = ""
        self.pieces = 0
        self.finals: list[ModelOutput] = []
        self.errors: list[ProxyLLMError] = []
        self.events: list[Event] = []

    @property
    def is_over(self) -> bool:
        """Whether its reader was told an end."""
        return bool(self.finals or self.errors)

    def take(self, output: ModelOutput, said: list[Said]) -> None:
        """A piece more, or the whole of it."""
        assert not self.is_over, "something came after the end"
        given = [each for each in said if isinstance(each, Delta) and each.text]
        self.pieces += not output.final
        self.text = "".join(each.text for each in given[: self.pieces])
        assert output.text == self.text
        if output.final:
            assert self.pieces == len(given)
            self.finals.append(output)

    def fail(self, error: ProxyLLMError) -> None:
        """An error instead, which has what came before."""
        assert not self.finals, "an error came after the end"
        assert error.partial is None or error.partial.text == self.text
        self.errors.append(error)

    def check_events(self, *, over: bool) -> None:
        """The observers are told one beginning and one end, and nothing after that."""
        kinds = [type(event) for event in self.events]
        told = [kind for kind in kinds if kind in ENDS]
        assert kinds.count(CallStarted) == bool(kinds)
        assert kinds.count(FirstDelta) <= 1
        assert len(told) <= 1, "two ends were told"
        assert not told or kinds[-1] is told[0], "something was told after the end"
        assert not over or not kinds or told, "no end was told"


class AsyncStreams(RuleBasedStateMachine):
    """One stream after another, by a task that reads and others that end it, on one loop."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.warned = Warned()
        self.begin()

    def begin(self) -> None:
        """A stream of a new client; nothing is sent yet."""
        self.answer = Answer()
        self.said: list[Said] = []
        self.client = AsyncFed()
        self.client.fed = asyncio.Queue()
        self.client.observers = (self.answer.events.append,)
        self.stream: ModelStream | None = self.client.generate_stream("hi")
        self.reader: asyncio.Task[ModelOutput] | None = None
        self.is_left = self.is_closed = False

    def settle(self) -> None:
        """Have all done that can be without more being said, and without time passing."""

        async def idle() -> None:
            for _ in range(30):
                await asyncio.sleep(0)

        self.loop.run_until_complete(idle())
        reader = self.reader
        if reader is None or not reader.done():
            return
        self.reader = None
        if reader.cancelled():
            self.is_left = True
            return
        failure = reader.exception()
        if failure is None:
            self.answer.take(reader.result(), self.said)
        elif isinstance(failure, ProxyLLMError):
            self.answer.fail(failure)
        else:
            # asyncio turns StopAsyncIteration of a task's coroutine into this.
            assert isinstance(failure, StopAsyncIteration | RuntimeError)
            assert self.answer.is_over or self.is_left

    def live(self) -> ModelStream:
        """The stream, which wasn't dropped."""
        assert self.stream is not None
        return self.stream

    @rule(said=pieces | ends)
    def say(self, said: Said) -> None:
        """The service says something more, unless it has come to an end."""
        if not self.said or isinstance(self.said[-1], Delta):
            self.said.append(said)
            self.client.fed.put_nowait(said)
        self.settle()

    @precondition(lambda self: self.stream is not None and self.reader is None)
    @rule()
    def read(self) -> None:
        """A task asks for the next output."""

        async def following(stream: ModelStream) -> ModelOutput:
            return await anext(stream)

        self.reader = self.loop.create_task(following(self.live()))
        self.settle()

    @precondition(lambda self: self.reader is not None)
    @rule()
    def read_twice(self) -> None:
        """Another task reads, too: it is refused, and the first reads on."""

        async def second() -> None:
            try:
                await anext(self.live())
            except WrongUseError:
                return
            raise AssertionError("two read one stream")

        self.loop.run_until_complete(second())

    @precondition(lambda self: self.reader is not None)
    @rule()
    def cancel(self) -> None:
        """The reader is cancelled, and nobody else is asked."""
        assert self.reader is not None
        reader = self.reader
        reader.cancel()
        self.settle()
        assert reader.cancelled()

    @precondition(lambda self: self.stream is not None)
    @rule()
    def close(self) -> None:
        """The stream is closed: a reader gets an error, and nothing comes any more."""
        is_read = self.reader is not None
        self.loop.run_until_complete(self.live().aclose())
        self.settle()
        assert self.reader is None
        assert not is_read or self.answer.errors
        self.is_left = True

    @rule()
    def close_client(self) -> None:
        """The client is closed under it."""
        is_read = self.reader is not None
        self.loop.run_until_complete(self.client.aclose())
        self.settle()
        self.is_closed = True
        assert not is_read or (self.reader is None and self.answer.errors)

    @rule()
    def wait(self) -> None:
        """Minutes pass: who waits for a piece hears that none came, who doesn't is not blamed."""
        is_read = self.reader is not None
        self.loop.run_until_complete(asyncio.sleep(1000))
        self.settle()
        assert self.reader is None
        assert not is_read or self.answer.errors

    @precondition(lambda self: self.stream is not None and self.reader is None)
    @rule()
    def drop(self) -> None:
        """Nobody has it any more: it warns if it was in the midst of an answer."""
        before = self.warned.times
        is_amid = bool(self.answer.events) and not (self.answer.is_over or self.is_left)
        self.stream = None
        gc.collect(0)
        self.settle()
        assert self.warned.times - before == (is_amid and not self.is_closed)
        self.is_left = True

    @precondition(lambda self: self.answer.is_over or self.is_left)
    @rule()
    def again(self) -> None:
        """On to the next one."""
        self.begin()

    @invariant()
    def one_end(self) -> None:
        """Whatever was done, there is one end, and then nothing is open."""
        assert len(self.answer.finals) <= 1
        over = self.reader is None and (self.answer.is_over or self.is_left)
        self.answer.check_events(over=over)
        if self.stream is not None:
            assert self.stream.partial.text == self.answer.text
        if over:
            assert self.client.serving == 0, "the connection is still there"
        tasks = asyncio.all_tasks(self.loop)
        assert tasks == ({self.reader} if self.reader else set())

    def teardown(self) -> None:
        """Nothing is left that an end would have to wait for."""
        if self.reader is not None:
            self.cancel()
        self.stream = None
        self.settle()
        assert self.client.serving == 0
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self.warned.close()


class SyncStreams(RuleBasedStateMachine):
    """The same for threads: read where something is to be had, for a reader would block."""

    def __init__(self) -> None:
        super().__init__()
        self.warned = Warned()
        self.begin()

    def begin(self) -> None:
        """A stream of a new client; nothing is sent yet."""
        self.answer = Answer()
        self.said: list[Said] = []
        self.client = BlockingFed()
        self.client.observers = (self.answer.events.append,)
        self.stream: SyncModelStream | None = self.client.sync_generate_stream("hi")
        self.is_left = False

    def has_more(self) -> bool:
        """Whether a reader wouldn't wait for ever."""
        content = [each for each in self.said if not isinstance(each, Delta) or each.text]
        return len(content) > self.answer.pieces or self.is_left or self.answer.is_over

    @rule(said=pieces | ends)
    def say(self, said: Said) -> None:
        """The service says something more, unless it has come to an end."""
        if not self.said or isinstance(self.said[-1], Delta):
            self.said.append(said)
            self.client.fed.put(said)

    @precondition(lambda self: self.stream is not None and self.has_more())
    @rule()
    def read(self) -> None:
        """The next output."""
        assert self.stream is not None
        try:
            output = next(self.stream)
        except StopIteration:
            assert self.answer.is_over or self.is_left
        except ProxyLLMError as error:
            self.answer.fail(error)
        else:
            self.answer.take(output, self.said)

    @precondition(lambda self: self.stream is not None)
    @rule()
    def close(self) -> None:
        """Nothing comes any more."""
        assert self.stream is not None
        self.stream.close()
        self.is_left = True

    @rule()
    def close_client(self) -> None:
        """The client is closed under it."""
        self.client.close()
        self.is_left = True

    @precondition(lambda self: self.stream is not None)
    @rule()
    def drop(self) -> None:
        """Nobody has it any more."""
        self.stream = None
        gc.collect(0)
        self.is_left = True

    @precondition(lambda self: self.answer.is_over or self.is_left)
    @rule()
    def again(self) -> None:
        """On to the next one."""
        self.let_go()
        self.begin()

    @invariant()
    def one_end(self) -> None:
        """Whatever was done, there is at most one."""
        assert len(self.answer.finals) <= 1
        if self.answer.is_over or self.is_left:
            assert self.client.gone.wait(_PATIENCE), "the plugin's thread still waits"

    def let_go(self) -> None:
        """Leave the stream and its client, which leaves nothing."""
        self.stream = None
        gc.collect(0)
        self.client.close()
        assert self.client.gone.wait(_PATIENCE)

    def teardown(self) -> None:
        """Nothing is left that an end would have to wait for."""
        self.let_go()
        self.warned.close()


TestAsyncStreams = AsyncStreams.TestCase
TestAsyncStreams.settings = QUICK

TestSyncStreams = SyncStreams.TestCase
TestSyncStreams.settings = QUICK
