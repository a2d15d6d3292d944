"""Streams: the terminal rule, partial, failures, cancelling, closing."""

from __future__ import annotations

import asyncio
import gc
import threading
import traceback
import warnings
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    AttemptFailed,
    Call,
    CallAbandoned,
    CallFailed,
    CallFinished,
    CallStarted,
    ClientClosedError,
    ConnectionLostError,
    Delta,
    Event,
    FailedAttempt,
    Finish,
    FirstDelta,
    LifecycleError,
    ModelOutput,
    ModelRequest,
    ModelRequestContext,
    ModelStream,
    PluginContractError,
    ProxyLLMClient,
    ProxyLLMError,
    ServerError,
    ToolCallDelta,
    TruncatedStreamError,
    Usage,
    WrongUseError,
)
from modelplug.errors import Sent
from modelplug.policies import ConcurrencyLimit, Fallback, Slots
from tests.support.scripted import (
    DIRECTIONS,
    Ask,
    AsyncScripted,
    BlockingScripted,
    ScriptedClient,
)
from tests.support.virtual import run_virtually

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
kinds = pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])


def comparable(output: ModelOutput) -> dict[str, object]:
    """An output without what differs between two calls: times."""
    values = output.to_dict()
    del values["metrics"]
    return values


@directions
@kinds
def test_every_direction_gives_the_same_final_output(ask: Ask, kind: type[ScriptedClient]) -> None:
    """The final output has text, reason and usage, whichever way it is asked for."""
    usage = Usage(prompt_tokens=1, completion_tokens=2)
    client = kind(
        Delta("a"), [Delta("b", reasoning="r"), Delta("c")], Finish("length", usage=usage)
    )
    final = ask(client, "hi")[-1]
    assert ("abc", "r", "length", usage, True, "") == (
        final.text,
        final.reasoning,
        final.finish_reason,
        final.usage,
        final.final,
        final.delta,
    )


@given(pieces=st.lists(st.lists(st.text(max_size=3), max_size=4), max_size=8), data=st.data())
def test_text_is_the_sum_of_deltas(pieces: list[list[str]], data: st.DataObject) -> None:
    """However a provider groups its deltas, text is their sum at every output."""
    steps = [[Delta(text) for text in group] for group in pieces]
    stream, blocking = (
        DIRECTIONS[name](AsyncScripted(*steps, Finish()), "hi")
        for name in ("async stream", "sync stream")
    )
    so_far = ""
    for output in stream:
        so_far += output.delta
        assert so_far == output.text
    assert [*map(comparable, stream)] == [*map(comparable, blocking)]
    assert [output.final for output in stream] == [False] * (len(stream) - 1) + [True]


@given(pieces=st.lists(st.lists(st.text(max_size=3), max_size=4), max_size=8))
def test_what_is_taken_in_lists_is_what_is_read_one_by_one(pieces: list[list[str]]) -> None:
    """A list for what comes together, none of them empty before the end; the same outputs."""
    steps = [[Delta(text) for text in group] for group in pieces]

    async def taken() -> list[list[ModelOutput]]:
        async with AsyncScripted(*steps, Finish()).generate_stream("hi") as stream:
            return [await stream.take() for _ in range(len(pieces) + 2)]

    read = DIRECTIONS["async stream"](AsyncScripted(*steps, Finish()), "hi")
    lists = [outputs for outputs in asyncio.run(taken()) if outputs]
    groups = [[text for text in group if text] for group in pieces]
    assert [*filter(None, groups), [""]] == [[each.delta for each in group] for group in lists]
    assert [*map(comparable, read)] == [comparable(each) for group in lists for each in group]


@directions
@kinds
def test_an_end_without_finish_is_an_error(ask: Ask, kind: type[ScriptedClient]) -> None:
    """An answer that just stops is no answer; what came is kept."""
    with pytest.raises(TruncatedStreamError) as caught:
        ask(kind(Delta("half")), "hi")
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.partial.final) == ("half", False)


@directions
@kinds
def test_a_failure_is_raised_with_its_partial(ask: Ask, kind: type[ScriptedClient]) -> None:
    """A typed error passes as it is, completed by what the core knows, after all deltas."""
    error = ServerError("broken", provider_code=7)
    client = kind([Delta("a"), Delta("b")], error)
    with pytest.raises(ServerError) as caught:
        ask(client, "hi")
    assert caught.value is error
    assert (
        error.partial and error.partial.text,
        error.model,
        error.phase,
        error.sent,
        error.provider_code,
    ) == ("ab", "scripted", "streaming", "yes", 7)


@directions
@kinds
@pytest.mark.parametrize("bug", [KeyError("payload"), RuntimeError("oops")], ids=repr)
def test_a_bug_in_a_plugin_is_named_so(
    ask: Ask, kind: type[ScriptedClient], bug: Exception
) -> None:
    """Whatever else a plugin raises becomes a contract error, its cause kept."""
    with pytest.raises(PluginContractError) as caught:
        ask(kind(Delta("a"), bug), "hi")
    assert caught.value.__cause__ is bug
    assert caught.value.partial is not None


@directions
@pytest.mark.parametrize("before", [[], [Delta("a")]], ids=["first", "later"])
@pytest.mark.parametrize(
    "nonsense",
    ["text", None, 7, Delta(5), Delta(None, reasoning="x"), [Delta("a"), "b"]],  # type: ignore[arg-type]  # nonsense
    ids=repr,
)
def test_what_is_no_piece_is_refused(ask: Ask, nonsense: object, before: list[Delta]) -> None:
    """A provider that yields anything but deltas and a finish breaks the contract."""
    with pytest.raises(PluginContractError, match="where a Delta or Finish belongs") as caught:
        ask(AsyncScripted(*before, nonsense, Finish()), "hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text in ("", "a", "aa")


@directions
def test_an_error_that_was_never_made_whole_is_completed(ask: Ask) -> None:
    """A plugin's own kind, whose author has forgotten what it is a kind of."""

    class ForgetfulError(ServerError):
        def __init__(self) -> None:
            pass

    with pytest.raises(ForgetfulError) as caught:
        ask(AsyncScripted(Delta("a"), ForgetfulError()), "hi")
    error = caught.value
    assert error.partial is not None
    assert (error.partial.text, error.model, error.hint, str(error)) == (
        "a",
        "scripted",
        None,
        " [model scripted]",
    )


@directions
@pytest.mark.parametrize("count", ["7", 1.5, float("nan")])
@pytest.mark.parametrize("name", ["prompt_tokens", "total_tokens", "cached_tokens"])
def test_a_count_that_is_no_number_is_refused(ask: Ask, name: str, count: object) -> None:
    """Whoever adds it up would fail, and where nobody could tell why."""
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, name: count}
    bill = Usage(**counts)  # type: ignore[arg-type]  # nonsense
    with pytest.raises(PluginContractError, match=f"as {name}, where an int belongs"):
        ask(AsyncScripted(Delta("a"), Finish(usage=bill)), "hi")


@pytest.mark.parametrize("count", [-5, 2**60])
def test_a_count_that_can_t_be_costs_nothing(count: int) -> None:
    """It is the service's word: the answer stands, without a speed."""
    bill = Usage(prompt_tokens=1, completion_tokens=count)
    output = AsyncScripted(Delta("a"), Finish(usage=bill)).sync_generate("hi")
    assert output.metrics is not None
    assert (output.text, output.metrics.speed_per_second) == ("a", None)


@pytest.mark.parametrize("how", ["finished", "closed", "failed", "cancelled"])
def test_a_place_is_given_back_once_the_provider_has_cleaned_up(how: str) -> None:
    """Nobody is let in while the service still counts the call that was before."""

    async def main() -> list[tuple[str, int]]:
        order: list[tuple[str, int]] = []

        class Slow(AsyncScripted):
            async def stream_deltas(
                self, request: ModelRequest, call: Call
            ) -> AsyncIterator[Delta]:
                try:
                    yield Delta("a")
                    if how == "failed":
                        raise ServerError("x")
                    if how == "cancelled":
                        await asyncio.sleep(99)
                    yield Finish()  # type: ignore[misc]  # the end
                finally:
                    await asyncio.sleep(0.5)
                    order.append(("cleaned up", limited.slots.taken))

        limited = ConcurrencyLimit(Slow(), 1)
        stream = limited.generate_stream("hi")
        await anext(stream)
        if how == "closed":
            await stream.aclose()
        else:
            task = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.1)
            if how == "cancelled":
                task.cancel()
            await asyncio.wait([task])
            if how == "failed":
                assert isinstance(task.exception(), ServerError)
        order.append(("over", limited.slots.taken))
        return order

    assert run_virtually(main()) == [("cleaned up", 1), ("over", 0)]


@directions
@kinds
def test_nothing_comes_after_the_finish(ask: Ask, kind: type[ScriptedClient]) -> None:
    """What a provider yields after its finish reaches nobody."""
    outputs = ask(kind([Delta("a"), Finish(), Delta("b")], Delta("c"), Finish("length")), "hi")
    assert (
        outputs[-1].text,
        outputs[-1].finish_reason,
        sum(output.final for output in outputs),
    ) == ("a", "stop", 1)


def test_deltas_at_hand_come_before_the_failure() -> None:
    """Deltas of a list are delivered one by one before the error that follows them."""

    async def main() -> list[str]:
        stream = AsyncScripted([Delta("a"), Delta("b")], ServerError("x")).generate_stream("hi")
        seen = []
        with suppress(ServerError):
            async for output in stream:
                seen.append(output.delta)
        return seen

    assert asyncio.run(main()) == ["a", "b"]


def test_tool_calls_are_put_together() -> None:
    """Pieces of two tool calls that come in turns become two whole calls."""
    pieces = [
        ToolCallDelta(0, id="x", name="f", arguments='{"a"'),
        ToolCallDelta(1, id="y", name="g"),
        ToolCallDelta(0, arguments=":1}"),
        ToolCallDelta(1, arguments="{}"),
    ]
    steps = [Delta(tool_call=piece) for piece in pieces]
    final = AsyncScripted(*steps, Finish("tool_calls")).sync_generate("hi")
    assert [(call.id, call.name, call.arguments) for call in final.tool_calls] == [
        ("x", "f", '{"a":1}'),
        ("y", "g", "{}"),
    ]


def test_nothing_happens_before_the_first_read() -> None:
    """Making a stream sends nothing, and dropping it leaves nothing."""
    client = AsyncScripted(Finish())
    client.generate_stream("hi")
    client.sync_generate_stream("hi")
    assert client.calls == []


def test_a_finished_stream_stays_finished() -> None:
    """After the final output, and after an error, there is nothing more."""

    async def main() -> list[object]:
        after: list[object] = []
        for client in (AsyncScripted(Finish()), AsyncScripted(ServerError("x"))):
            stream = client.generate_stream("hi")
            with suppress(ServerError):
                await anext(stream)
            after.append(await anext(stream, "over"))
        return after

    assert asyncio.run(main()) == ["over", "over"]


async def cancelled_at(client: ProxyLLMClient, waiting: asyncio.Event) -> asyncio.Task[ModelOutput]:
    """A call that is cancelled while the provider waits."""
    task = asyncio.create_task(client.generate("hi"))
    await waiting.wait()
    task.cancel()
    await asyncio.wait([task])
    return task


def test_cancelling_reaches_the_provider_and_the_caller() -> None:
    """A cancelled call ends as cancelled, its connection aborted, its generator closed."""

    async def main() -> tuple[bool, bool, int]:
        waiting = asyncio.Event()
        client = AsyncScripted(Delta("a"), waiting.set, lambda: asyncio.sleep(60))
        task = await cancelled_at(client, waiting)
        return task.cancelled(), client.aborted.is_set(), client.closed

    assert asyncio.run(main()) == (True, True, 1)


@pytest.mark.parametrize("instead", [None, ServerError("mine")], ids=["go-on", "translate"])
def test_a_provider_cant_swallow_a_cancellation(instead: ServerError | None) -> None:
    """Whatever a provider makes of CancelledError, the caller's task ends as cancelled."""

    async def main() -> bool:
        waiting = asyncio.Event()

        async def swallow() -> None:
            waiting.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if instead is not None:
                    raise instead from None

        task = await cancelled_at(AsyncScripted(swallow, Delta("b"), Finish()), waiting)
        return task.cancelled()

    assert asyncio.run(main())


def test_the_partial_survives_a_cancellation() -> None:
    """CancelledError passes untouched; the answer so far is on the stream."""

    async def main() -> str:
        stream = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60)).generate_stream("hi")
        await anext(stream)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        return stream.partial.text

    assert asyncio.run(main()) == "a"


def test_closing_while_another_task_reads_ends_the_reader() -> None:
    """The reader gets a LifecycleError, not 'already running', and the provider is closed."""

    async def main() -> tuple[type, int, bool]:
        client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
        stream = client.generate_stream("hi")
        await anext(stream)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        await stream.aclose()
        (error,) = await asyncio.gather(reader, return_exceptions=True)
        return type(error), client.closed, client.aborted.is_set()

    assert asyncio.run(main()) == (LifecycleError, 1, True)


def test_two_readers_are_refused_and_the_stream_is_unharmed() -> None:
    """The second task to read one stream gets a WrongUseError; the first goes on."""

    async def main() -> tuple[type, str]:
        gate = asyncio.Event()
        stream = AsyncScripted(gate.wait, Delta("a"), Finish()).generate_stream("hi")
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(WrongUseError) as caught:
            await anext(stream)
        gate.set()
        text = (await first).text
        await stream.aclose()
        return type(caught.value), text

    assert asyncio.run(main()) == (WrongUseError, "a")


@pytest.mark.parametrize("after", range(4))
def test_closing_early_closes_the_provider(after: int) -> None:
    """Whenever a reader leaves, the connection is aborted and the generator closed."""

    async def main() -> tuple[bool, int]:
        client = AsyncScripted(*[Delta("x")] * 5, Finish())
        async with client.generate_stream("hi") as stream:
            for _ in range(after):
                await anext(stream)
        return client.aborted.is_set(), client.closed

    assert asyncio.run(main()) == ((True, 1) if after else (False, 0))


def test_a_finished_call_is_not_aborted() -> None:
    """A complete answer leaves its connection to the provider, which may want to keep it."""
    client = AsyncScripted(Delta("a"), Finish())
    client.sync_generate("hi")
    assert (client.aborted.is_set(), client.closed) == (False, 1)


@pytest.mark.parametrize("how", ["async", "sync"])
def test_an_abandoned_stream_warns_and_lets_go(how: str) -> None:
    """A stream that is dropped half-read aborts its connection and warns of it."""
    client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))

    async def drop() -> None:
        await anext(client.generate_stream("hi"))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if how == "async":
            asyncio.run(drop())
        else:
            next(client.sync_generate_stream("hi"))
        gc.collect()
        assert client.aborted.wait(5)
    assert [str(each.message)[:26] for each in caught] == ["a model stream was dropped"]


def test_a_blocking_provider_is_let_go_when_it_is_cut() -> None:
    """Closing aborts through on_abort, and the thread behind a blocking stream ends."""
    cut = threading.Event()
    client = BlockingScripted(Delta("a"), lambda: cut.wait(30) and None)
    with client.sync_generate_stream("hi") as stream:
        next(stream)
        client.calls[0].on_abort(cut.set)
    assert client.aborted.is_set()
    assert cut.wait(5)


def test_observers_are_told_in_order() -> None:
    """Start, first delta and end of a call are told, and how a call failed or was left."""
    events: list[Event] = []

    def told(client: ScriptedClient, act: Callable[[ScriptedClient], object]) -> list[type]:
        events.clear()
        client.observers = (events.append,)
        act(client)
        return [type(event) for event in events]

    def ask(client: ScriptedClient) -> None:
        client.sync_generate("hi")

    def fail(client: ScriptedClient) -> None:
        with pytest.raises(ServerError):
            client.sync_generate("hi")

    def leave(client: ScriptedClient) -> None:
        with client.sync_generate_stream("hi") as stream:
            next(stream)

    finished = AsyncScripted(Delta("a"), Delta("b"), Finish())
    assert told(finished, ask) == [CallStarted, FirstDelta, CallFinished]
    assert told(AsyncScripted(ServerError("x")), fail) == [CallStarted, CallFailed]
    left = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
    assert told(left, leave) == [CallStarted, FirstDelta, CallAbandoned]


@directions
@pytest.mark.parametrize("fails_at", [CallStarted, FirstDelta, CallFinished])
def test_an_observer_that_raises_costs_the_call_nothing(
    ask: Ask, fails_at: type[CallStarted], caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is whole, the others are told of everything; the log names its class alone."""
    events: list[type] = []

    def observer(event: Event) -> None:
        if type(event) is fails_at:
            raise ValueError("disk full")

    client = AsyncScripted(Delta("a"), Finish())
    client.observers = (observer, lambda event: events.append(type(event)))
    limited = ConcurrencyLimit(client, 1)
    assert ask(limited, "hi")[-1].text == "a"
    assert ([CallStarted, FirstDelta, CallFinished], 0) == (events, limited.slots.taken)
    assert caplog.messages == ["an observer raised ValueError"]


def test_an_observer_that_raises_keeps_no_call_from_its_fallback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even when it is told of the attempt that failed."""

    def observer(event: Event) -> None:
        if isinstance(event, AttemptFailed):
            raise ZeroDivisionError

    first, second = AsyncScripted(ServerError("x")), AsyncScripted(Delta("b"), Finish())
    first.observers = (observer,)
    assert Fallback(first, second).sync_generate("hi").text == "b"
    assert caplog.messages == ["an observer raised ZeroDivisionError"]


async def test_of_a_stream_that_is_dropped_observers_are_told() -> None:
    """On its loop, a moment later; what they raise then is nobody's but the log's."""
    events: list[Event] = []

    def observer(event: Event) -> None:
        events.append(event)
        if isinstance(event, CallAbandoned):
            raise ZeroDivisionError

    client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
    client.observers = (observer,)
    stream = client.generate_stream("hi")
    await anext(stream)
    with pytest.warns(ResourceWarning, match="dropped"):
        del stream
    await asyncio.sleep(0)
    assert [CallStarted, FirstDelta, CallAbandoned] == [type(event) for event in events]


@pytest.mark.parametrize("refused", ["a limit", "a closed client", "no messages", "an option"])
def test_a_call_that_is_refused_at_once_has_begun_too(refused: str) -> None:
    """Observers are told of its start and of its end, by the name that its caller gave it."""
    events: list[Event] = []
    slots = Slots(1, queue=0)
    slots.take()
    inner = AsyncScripted(Delta("a"), Finish())
    inner.observers = (events.append,)
    client: ProxyLLMClient = ConcurrencyLimit(inner, slots) if refused == "a limit" else inner
    if refused == "a closed client":
        client.close()
    request = ModelRequest(
        messages=() if refused == "no messages" else "hi",
        seed=1 if refused == "an option" else None,
        context=ModelRequestContext(request_id="mine"),
    )
    with pytest.raises(ProxyLLMError):
        client.sync_generate(request)
    assert [(CallStarted, "mine"), (CallFailed, "mine")] == [
        (type(event), event.request_id) for event in events
    ]


def test_metrics_tell_when_what_happened() -> None:
    """The final output has the time to the first delta, the total and the rate."""
    usage = Usage(prompt_tokens=3, completion_tokens=4)
    metrics = AsyncScripted(Delta("a"), Finish(usage=usage)).sync_generate("hi").metrics
    assert metrics is not None
    assert metrics.time_to_first_delta is not None
    assert metrics.total_time is not None
    assert 0 <= metrics.time_to_first_delta <= metrics.total_time
    assert (metrics.prompt_tokens, metrics.completion_tokens, metrics.total_tokens) == (3, 4, 7)
    assert metrics.speed_per_second == pytest.approx(4 / metrics.total_time)


def test_a_failure_leaves_no_cycle_behind() -> None:
    """An error that was handled goes at once, and the stream with it, without the collector."""

    def lose() -> None:
        raise ConnectionLostError("x")

    client = AsyncScripted(Delta("a"), lose)

    async def main() -> ModelStream | None:
        stream = client.generate_stream("hi")
        gone = weakref.ref(stream)
        with suppress(ConnectionLostError):
            await stream.final()
        del stream
        return gone()

    gc.disable()
    try:
        assert asyncio.run(main()) is None
    finally:
        gc.enable()


def test_a_clean_up_that_hangs_is_not_waited_for_for_ever() -> None:
    """A provider whose clean-up never ends costs a second, then the caller goes on."""

    class Hanging(AsyncScripted):
        async def stream_deltas(self, request, call):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            """One delta, then a clean-up without end."""
            try:
                yield Delta("a")
            finally:
                await asyncio.Event().wait()

    async def main() -> str:
        async with Hanging().generate_stream("hi") as stream:
            return (await anext(stream)).text

    from tests.support.virtual import run_virtually

    assert run_virtually(main()) == "a"


def test_an_error_of_the_wire_has_no_context() -> None:
    """A typed error that a provider raised carries no other exception along."""
    with pytest.raises(ConnectionLostError) as caught:
        AsyncScripted(ConnectionLostError("x")).sync_generate("hi")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "During handling" not in "".join(traceback.format_exception(caught.value))


def sweep(client: ProxyLLMClient, at: int) -> bool:
    """Cancel a call at its ``at``-th suspension; False when it ended before."""

    async def main() -> bool:
        task = asyncio.create_task(client.generate("hi"))
        for _ in range(at):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    return asyncio.run(main())


def test_cancelling_at_every_suspension_leaves_nothing() -> None:
    """Wherever a call is cancelled, the provider's generator is closed and the next call works."""
    pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)  # noqa: E731  # a step
    ended = 0
    for at in range(1, 12):
        client = AsyncScripted(pause, Delta("a"), pause, Delta("b"), pause, Finish())
        ended += not sweep(client, at)
        assert (len(client.calls), "ab") == (client.closed, client.sync_generate("hi").text)
    assert 0 < ended < 11


@directions
def test_a_plugin_cant_end_the_process(ask: Ask) -> None:
    """SystemExit of a provider is a bug of the plugin, and later calls work."""
    for _ in range(2):
        with pytest.raises(PluginContractError, match="SystemExit"):
            ask(AsyncScripted(SystemExit(3)), "hi")
    assert ask(AsyncScripted(Delta("a"), Finish()), "hi")[-1].text == "a"


@directions
def test_a_cancellation_that_nobody_asked_for_is_the_plugins(ask: Ask) -> None:
    """A CancelledError of the provider's own making doesn't pass for the caller's."""
    with pytest.raises(PluginContractError, match="CancelledError"):
        ask(AsyncScripted(Delta("a"), asyncio.CancelledError()), "hi")


@pytest.mark.parametrize("closers", [1, 2, 3])
def test_any_number_may_close_at_once(closers: int) -> None:
    """Several tasks that close a stream under its reader all return."""

    async def main() -> type:
        stream = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60)).generate_stream("hi")
        await anext(stream)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        await asyncio.gather(*(stream.aclose() for _ in range(closers)))
        (error,) = await asyncio.gather(reader, return_exceptions=True)
        return type(error)

    assert asyncio.run(main()) is LifecycleError


def test_a_close_that_is_cancelled_leaves_the_reader_its_error() -> None:
    """Cancelling whoever closes doesn't disturb the reader that is being let go."""

    async def main() -> type:
        stream = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60)).generate_stream("hi")
        await anext(stream)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        closer = asyncio.create_task(stream.aclose())
        await asyncio.sleep(0)
        closer.cancel()
        (error,) = await asyncio.gather(reader, return_exceptions=True)
        return type(error)

    assert asyncio.run(main()) is LifecycleError


@pytest.mark.parametrize("ends", ["stream", "client"])
def test_an_end_sticks_whatever_a_policy_makes_of_it(ends: str) -> None:
    """A policy that goes on after any error asks nobody else, and observers hear of none."""
    events: list[Event] = []

    async def main() -> None:
        waiting = asyncio.Event()
        first = AsyncScripted(waiting.set, lambda: asyncio.sleep(60))
        first.observers = (events.append,)
        second = AsyncScripted(Delta("b"), Finish())
        client = Fallback(first, second, on=(ProxyLLMError,))
        stream = client.generate_stream("hi")
        reader = asyncio.create_task(anext(stream))
        await waiting.wait()
        await (stream if ends == "stream" else client).aclose()
        (error,) = await asyncio.gather(reader, return_exceptions=True)
        assert type(error) is (LifecycleError if ends == "stream" else ClientClosedError)
        assert (error.attempts, second.calls) == ((), [])

    asyncio.run(main())
    assert [CallStarted, CallFailed] == [type(event) for event in events]


@pytest.mark.parametrize("from_a_thread", [False, True], ids=["loop", "thread"])
def test_what_a_stream_holds_is_given_back_when_its_client_is_closed(from_a_thread: bool) -> None:
    """Also while nobody reads it; who reads on gets what was at hand, and the error."""

    async def main() -> tuple[str, str]:
        client = AsyncScripted([Delta("a"), Delta("b")], lambda: asyncio.sleep(60))
        limited = ConcurrencyLimit(client, Slots(1))
        stream = limited.generate_stream("hi")
        await anext(stream)
        assert limited.slots.taken == 1
        if from_a_thread:
            await asyncio.to_thread(limited.close)
        await limited.aclose()
        assert (limited.slots.taken, client.aborted.is_set()) == (0, True)
        second = await anext(stream)
        with pytest.raises(ClientClosedError) as caught:
            await anext(stream)
        assert client.closed == 1
        assert caught.value.partial is not None
        return second.text, caught.value.partial.text

    assert asyncio.run(main()) == ("ab", "ab")


@directions
@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("no", "no", "no"),
        ("maybe", "no", "maybe"),
        ("no", "maybe", "maybe"),
        ("yes", "no", "yes"),
        ("maybe", "yes", "yes"),
    ],
)
def test_an_error_tells_whether_any_attempt_may_be_billed(
    ask: Ask, first: Sent, last: Sent, expected: Sent
) -> None:
    """Not the last one alone; what each of them knows of itself is in ``attempts``."""
    client = Fallback(
        AsyncScripted(ServerError("x", sent=first)), AsyncScripted(ServerError("y", sent=last))
    )
    with pytest.raises(ServerError, match="y") as caught:
        ask(client, "hi")
    failed = [each.error.sent for each in caught.value.attempts if isinstance(each, FailedAttempt)]
    assert ([first], expected) == (failed, caught.value.sent)


@directions
def test_a_failure_amid_the_answer_tells_of_the_attempts_before(ask: Ask) -> None:
    """As one does before it, and as its partial does."""
    failure = ServerError("x")
    client = Fallback(AsyncScripted(failure), AsyncScripted(Delta("b"), ConnectionLostError("y")))
    with pytest.raises(ConnectionLostError) as caught:
        ask(client, "hi")
    assert caught.value.partial is not None
    for attempts in (caught.value.attempts, caught.value.partial.attempts):
        assert [failure] == [each.error for each in attempts if isinstance(each, FailedAttempt)]


def test_a_stream_belongs_to_the_loop_where_it_began() -> None:
    """Reading on in another asyncio.run is refused, and the stream can still be closed."""
    client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
    stream = client.generate_stream("hi")

    async def read() -> ModelOutput:
        return await anext(stream)

    asyncio.run(read())
    with pytest.raises((WrongUseError, LifecycleError)):
        asyncio.run(read())
    stream.cut(LifecycleError("over"))
    assert client.aborted.is_set()


@pytest.mark.parametrize("finish", [Finish("eos"), Finish(usage={"total_tokens": 3})], ids=str)  # type: ignore[arg-type]
def test_a_finish_that_is_none_is_the_plugins_fault(finish: Finish) -> None:
    """A reason that isn't one of the five, or a usage that is none, breaks the contract."""
    with pytest.raises(PluginContractError, match="the plugin gave"):
        AsyncScripted(Delta("a"), finish).sync_generate("hi")


def test_what_an_observer_raises_at_a_failure_replaces_nothing() -> None:
    """The error that ended a call is what the caller sees, whatever an observer makes of it."""

    def observer(event: Event) -> None:
        if isinstance(event, CallFailed | CallAbandoned):
            raise ZeroDivisionError

    client = AsyncScripted(Delta("a"), ServerError("x"))
    client.observers = (observer,)
    with pytest.raises(ServerError):
        client.sync_generate("hi")


class SelfCancelling(AsyncScripted):
    """A provider that cancels something of its own when it cleans up."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """An answer, then a clean-up that ends in CancelledError."""
        try:
            yield Delta("a")
            yield Finish()  # type: ignore[misc]  # deltas and a finish
        finally:
            raise asyncio.CancelledError


@directions
def test_a_clean_up_that_cancels_itself_costs_no_answer(ask: Ask) -> None:
    """A CancelledError of the provider's own, after its finish, is nobody's cancellation."""
    assert ask(SelfCancelling(), "hi")[-1].text == "a"


@directions
def test_a_later_delta_may_lack_its_reasoning(ask: Ask) -> None:
    """A None where text belongs, further on, doesn't tell sync and async apart."""
    client = AsyncScripted(Delta("a"), Delta("b", reasoning=None), Finish())  # type: ignore[arg-type]
    assert ask(client, "hi")[-1].text == "ab"
