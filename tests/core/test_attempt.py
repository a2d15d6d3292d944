"""One attempt at a call, from its beginning to its end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from modelplug import (
    Delta,
    Finish,
    FirstDeltaTimeoutError,
    ModelRequest,
    PluginContractError,
    ProxyLLMError,
    Secret,
    ServerError,
    Timeouts,
    TotalTimeoutError,
    TruncatedStreamError,
)
from modelplug.attempt import Attempt, Ending, is_content, under
from modelplug.call import Call
from modelplug.clock import Clock
from modelplug.delta import Pieces, ToolCallDelta
from tests.support.scripted import AsyncScripted, Step
from tests.support.virtual import run_virtually


class Played:
    """An attempt of steps, on the running loop."""

    def __init__(self, *steps: Step, timeouts: Timeouts | None = None) -> None:
        self.closed = 0
        self.clock = Clock()
        self.clock.start(timeouts or Timeouts())
        self.call = Call(on_phase=self.clock.enter)
        self.attempt = Attempt(self.call, lambda: self._source(steps), self.clock)
        self.endings: list[Ending] = []
        self.attempt.on_end(self.endings.append)

    async def _source(self, steps: tuple[Step, ...]) -> AsyncIterator[Pieces]:
        try:
            for step in steps:
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    await step()
                else:
                    yield step  # type: ignore[misc]  # tests yield what they like
        finally:
            self.closed += 1


def sleep(seconds: float) -> Callable[[], Coroutine[object, object, None]]:
    """A step that takes some time."""
    return lambda: asyncio.sleep(seconds)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (Delta(), False),
        (Delta("a"), True),
        (Delta(reasoning="a"), True),
        (Delta(tool_call=ToolCallDelta(0)), True),
        (Delta(sources=[{"a": 1}]), True),
        (Delta(extra={"a": 1}), True),
    ],
    ids=repr,
)
def test_what_an_answer_is_made_of(delta: Delta, expected: bool) -> None:
    """Whatever holds something."""
    assert is_content(delta) == expected


@pytest.mark.parametrize(
    ("steps", "first"),
    [
        ([Delta("a"), Delta("b")], (Delta("a"),)),
        ([[Delta(""), Delta("a"), Delta("b")]], [Delta(""), Delta("a"), Delta("b")]),
        ([Delta(""), [Delta("")], [], Delta("a")], (Delta("a"),)),
        ([Finish()], (Finish(),)),
        ([Delta(""), 7], (7,)),
    ],
    ids=["one", "list", "empty-first", "finish-alone", "nonsense"],
)
def test_it_begins_with_the_first_content(steps: list[Step], first: object) -> None:
    """What is empty is no beginning; what is no piece is, for its reader to refuse."""

    async def main() -> object:
        played = Played(*steps)
        await played.attempt.begin()
        begun = played.attempt.first
        assert (played.endings, played.call.aborted) == ([], False)
        await played.attempt.close()
        return begun

    assert asyncio.run(main()) == first


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([ServerError("x")], ServerError),
        ([Delta(""), ServerError("x")], ServerError),
        ([KeyError("x")], PluginContractError),
        ([], TruncatedStreamError),
        ([sleep(99)], FirstDeltaTimeoutError),
        ([asyncio.CancelledError()], PluginContractError),
    ],
    ids=["error", "after-nothing", "bug", "end", "silence", "cancelled-itself"],
)
def test_one_that_fails_at_first_is_over(steps: list[Step], error: type[ProxyLLMError]) -> None:
    """It is aborted, closed, and its end told once, before anybody hears of the error."""

    async def main() -> None:
        played = Played(*steps)
        with pytest.raises(error) as caught:
            await played.attempt.begin()
        assert played.endings == [caught.value]
        assert (played.closed, played.call.aborted) == (1, True)
        assert (caught.value.phase, caught.value.sent) == ("start", "no")

    run_virtually(main())


@pytest.mark.parametrize("times", [1, 2])
def test_one_that_is_cancelled_is_over(times: int) -> None:
    """Twice as well as once: aborted and closed, with no error to tell."""

    async def main() -> None:
        played = Played(sleep(99))
        task = asyncio.create_task(played.attempt.begin())
        await asyncio.sleep(1)
        for _ in range(times):
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert (played.endings, played.closed, played.call.aborted) == ([None], 1, True)

    run_virtually(main())


def test_its_end_is_told_once() -> None:
    """However often, and from however many threads at once."""

    async def main() -> None:
        played = Played(Finish())
        threads = [threading.Thread(target=played.attempt.over) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        played.attempt.over(Finish())
        assert played.endings == [None]
        await played.attempt.close()

    asyncio.run(main())


def test_its_end_is_told_once_its_provider_has_cleaned_up() -> None:
    """So that whoever is let in then finds the place at the service free."""
    order: list[str] = []

    async def source() -> AsyncIterator[Pieces]:
        try:
            yield Delta("")
            raise ServerError("x")
        finally:
            await asyncio.sleep(0.5)
            order.append("cleaned up")

    async def main() -> None:
        attempt = Attempt(Call(), source, Clock())
        attempt.on_end(lambda ending: order.append(type(ending).__name__))
        with pytest.raises(ServerError):
            await attempt.begin()

    run_virtually(main())
    assert order == ["cleaned up", "ServerError"]


def test_a_callback_that_raises_keeps_no_other_from_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged; Ctrl-C passes, once the others have been told."""

    def fail(_: Ending) -> None:
        raise ValueError("a bug")

    def interrupt(_: Ending) -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        for bad in (fail, interrupt):
            played = Played(Finish())
            played.attempt.on_end(bad)
            with contextlib.suppress(KeyboardInterrupt):
                played.attempt.over()
            assert played.endings == [None]

    asyncio.run(main())
    told = "what a policy does at the end of an answer failed: ValueError"
    assert [each.getMessage() for each in caplog.records] == [told]


@pytest.mark.parametrize("hint", ["5", [5], True])
def test_a_hint_that_is_no_number_is_left_out(hint: object) -> None:
    """A header as it came: whoever waits could make nothing of it."""

    async def main() -> float | None:
        played = Played(ServerError("x", retry_after=hint))  # type: ignore[arg-type]  # on purpose
        with pytest.raises(ServerError) as caught:
            await played.attempt.begin()
        return caught.value.retry_after

    assert asyncio.run(main()) is None


@pytest.mark.parametrize("first", [[], [Delta("a")]], ids=["first-delta", "idle"])
@pytest.mark.parametrize("nothing", [Delta(""), []], ids=["delta", "list"])
def test_nothing_without_end_is_cut(first: list[Step], nothing: Step) -> None:
    """A provider that never waits stands still for ever, but for the clock."""

    class Empty(AsyncScripted):
        async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
            for step in first:
                yield step  # type: ignore[misc]  # a delta
            while not call.aborted:
                yield nothing  # type: ignore[misc]  # or none

    asked = ModelRequest(messages="hi", timeout=0.05)
    with pytest.raises(TotalTimeoutError):
        Empty().sync_generate(asked)


def test_an_error_of_it_shows_no_secret() -> None:
    """The call knows its secrets, and takes them out."""

    async def main() -> ProxyLLMError:
        error = ServerError("it said canary-0123456789abcdef")
        played = Played(error)
        played.call.conceal(Secret("canary-0123456789abcdef"))
        with pytest.raises(ServerError):
            await played.attempt.begin()
        return error

    assert "canary" not in str(asyncio.run(main()))


def test_one_whose_source_can_t_be_made_is_over() -> None:
    """As one that fails at its first piece."""

    async def main() -> None:
        call = Call()
        endings: list[Ending] = []

        def source() -> AsyncIterator[Pieces]:
            raise KeyError("x")

        attempt = Attempt(call, source, Clock())
        attempt.on_end(endings.append)
        with pytest.raises(PluginContractError, match="the plugin raised KeyError") as caught:
            await attempt.begin()
        assert (endings, call.aborted) == ([caught.value], True)

    asyncio.run(main())


def test_one_that_is_over_is_not_read() -> None:
    """Its source is gone."""

    async def main() -> None:
        played = Played(Delta("a"), Delta("b"))
        await played.attempt.begin()
        await played.attempt.close()
        await played.attempt.close()
        with pytest.raises(PluginContractError, match="over was read"):
            await played.attempt.next()
        assert played.closed == 1

    asyncio.run(main())


def test_a_clean_up_has_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """One that hangs is left, one that fails is logged; the outcome stands."""

    async def main() -> float:
        class Slow:
            def __aiter__(self) -> Slow:
                return self

            async def __anext__(self) -> Pieces:
                raise ServerError("x")

            async def aclose(self) -> None:
                await asyncio.sleep(99)

        clock = Clock()
        attempt = Attempt(Call(), Slow, clock)
        with pytest.raises(ServerError):
            await attempt.begin()
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 1
    assert "a plugin's clean-up failed: TimeoutError" in caplog.text


class TestUnder:
    def test_it_gives_what_the_wait_gave(self) -> None:
        """Nothing else."""

        async def main() -> int:
            async def seven() -> int:
                return 7

            return await under(Clock(), seven)

        assert asyncio.run(main()) == 7

    @pytest.mark.parametrize("by", ["cut", "cut_by"])
    def test_a_cut_goes_before_the_wait(self, by: str) -> None:
        """What ended the call already is raised, and nothing is begun."""

        async def main() -> None:
            clock, cause = Clock(), ServerError("x")
            if by == "cut":
                clock.cut(cause)
            else:
                clock.cut_by = cause
            begun = []

            async def wait() -> None:
                begun.append(1)

            with pytest.raises(ServerError) as caught:
                await under(clock, wait)
            assert (caught.value, begun) == (cause, [])

        asyncio.run(main())

    @pytest.mark.parametrize("raised", [KeyboardInterrupt, ServerError])
    def test_some_pass_as_they_are(self, raised: type[BaseException]) -> None:
        """Our own errors, and what ends more than a call."""

        async def main() -> None:
            async def wait() -> None:
                raise raised("x")

            try:
                await under(Clock(), wait)
            except raised:
                return
            raise AssertionError("it passed")

        asyncio.run(main())

    def test_a_plugin_s_own_end_of_a_generator_is_its_bug(self) -> None:
        """Nobody has closed what waits there."""

        async def main() -> None:
            async def wait() -> None:
                raise GeneratorExit

            with pytest.raises(PluginContractError, match="the plugin raised GeneratorExit"):
                await under(Clock(), wait)

        asyncio.run(main())

    def test_a_wait_that_is_closed_just_ends(self) -> None:
        """As a task's is that the collector finds, on whatever thread, with or without a loop."""
        closed: list[str] = []

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                closed.append("closed")

        async def main() -> Coroutine[object, object, None]:
            waiting = under(Clock(), wait)
            waiting.send(None)
            return waiting

        asyncio.run(main()).close()
        assert closed == ["closed"]
