"""A call whose answer hasn't begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from modelplug import (
    ClientClosedError,
    FailedAttempt,
    PluginContractError,
    ProxyLLMError,
    QueueTimeoutError,
    ServerError,
    TotalTimeoutError,
)
from modelplug.call import Call
from modelplug.clock import Clock
from modelplug.opening import Opening
from modelplug.output import Answer, ModelOutput
from tests.support.virtual import run_virtually


class Stream:
    """What waits for the answer; notes what it is told."""

    def __init__(self) -> None:
        self.noted: list[FailedAttempt | None] = []

    def cut(self, cause: ProxyLLMError) -> None:
        """Nobody does."""

    def told(self, failed: FailedAttempt | None) -> None:
        """Note it."""
        self.noted.append(failed)


def opening(stream: Stream, total: float | None = None) -> Opening:
    """One on the running loop."""
    clock = Clock()
    clock.limit(total)
    return Opening(stream, clock=clock, answer=Answer())


def test_the_call_begins_once() -> None:
    """Its observers hear of the first attempt, and of each that fails after it."""

    async def main() -> list[FailedAttempt | None]:
        stream = Stream()
        one = opening(stream)
        for _ in range(3):
            one.begin(Call())
            await asyncio.sleep(2)
            one.failed(ServerError("x", backend="b", model="m"))
        assert [one.attempts[0], None] == [stream.noted[1], stream.noted[0]]
        assert [each.seconds for each in one.attempts] == [2, 2, 2]
        assert (one.attempts[0].backend, one.attempts[0].model) == ("b", "m")
        return stream.noted

    noted = run_virtually(main())
    assert [each is None for each in noted] == [True, False, False, False]


def test_what_failed_keeps_neither_frames_nor_the_answer() -> None:
    """The answer is to hold it: there would be a way round."""

    async def main() -> FailedAttempt:
        one = opening(Stream())
        try:
            try:
                raise KeyError
            except KeyError as cause:
                raise ServerError("x", partial=ModelOutput()) from cause
        except ServerError as error:
            one.failed(error)
        return one.attempts[0]

    error = run_virtually(main()).error
    assert error.__cause__ is not None
    assert (error.__traceback__, error.__cause__.__traceback__, error.partial) == (None,) * 3


def test_a_stream_that_is_gone_is_told_nothing() -> None:
    """It is known weakly."""

    async def main() -> None:
        one = opening(Stream())
        one.begin(Call())
        one.failed(ServerError("x"))
        assert one.stream() is None

    asyncio.run(main())


def test_abort_is_for_the_attempt_under_way() -> None:
    """Before the first there is nothing to cut."""

    async def main() -> None:
        one = opening(Stream())
        one.abort()
        call = Call()
        one.begin(call)
        one.abort()
        assert call.aborted

    asyncio.run(main())


@pytest.mark.parametrize(
    ("total", "queue", "at", "error"),
    [
        (None, 7.0, 7, QueueTimeoutError),
        (5.0, 7.0, 5, TotalTimeoutError),
        (7.0, 7.0, 7, TotalTimeoutError),
        (9.0, None, 9, TotalTimeoutError),
    ],
)
def test_a_wait_has_its_limit(
    total: float | None, queue: float | None, at: float, error: type[ProxyLLMError]
) -> None:
    """Its own, or the call's."""

    async def main() -> float:
        one = opening(Stream(), total)
        with pytest.raises(error):
            await one.wait(lambda: asyncio.sleep(99), queue=queue)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == at


def test_the_next_wait_begins_anew() -> None:
    """What cut the one before it, and the time that its clean-up had, are past."""

    async def main() -> tuple[float, float]:
        one, loop = opening(Stream()), asyncio.get_running_loop()
        ends = []
        for _ in range(2):
            with pytest.raises(QueueTimeoutError):
                await one.wait(lambda: asyncio.sleep(99), queue=3)
            ends.append(loop.time())
        return ends[0], ends[1]

    assert run_virtually(main()) == (3, 6)


def test_it_gives_what_the_wait_gave() -> None:
    """A pause gives nothing."""

    async def main() -> tuple[int, float, float | None]:
        one = opening(Stream(), 10)

        async def seven() -> int:
            return 7

        given = await one.wait(seven)
        await one.pause(4)
        return given, asyncio.get_running_loop().time(), one.remaining()

    assert run_virtually(main()) == (7, 4, 6)


@pytest.mark.parametrize("before", [True, False], ids=["before", "amid"])
def test_a_cut_ends_it(before: bool) -> None:
    """With its cause; one that came before the wait as well."""

    async def main() -> float:
        one = opening(Stream())
        loop = asyncio.get_running_loop()
        cause = ClientClosedError("x")
        cut: Callable[[], object] = lambda: one.clock.cut(cause)  # noqa: E731  # for the loop
        if before:
            cut()
        else:
            loop.call_later(2, cut)
        with pytest.raises(ClientClosedError) as caught:
            await one.pause(9)
        assert caught.value is cause
        return loop.time()

    assert run_virtually(main()) == (0 if before else 2)


def test_no_attempt_follows_a_cut() -> None:
    """Whatever a policy tries again after: nobody waits for it any more."""

    async def main() -> None:
        stream = Stream()
        one = opening(stream)
        cause = one.clock.cut_by = ClientClosedError("x")
        with pytest.raises(ClientClosedError) as caught:
            one.failed(ServerError("x"))
        assert caught.value is cause
        assert (one.attempts, stream.noted) == ((), [])

    asyncio.run(main())


@pytest.mark.parametrize("bug", [KeyError, StopAsyncIteration, asyncio.CancelledError])
def test_a_bug_in_a_wait_is_nobody_else_s(bug: type[BaseException]) -> None:
    """The plugin has no part in what a policy, or its gate, does."""

    async def main() -> None:
        async def wait() -> None:
            raise bug

        with pytest.raises(PluginContractError, match="a policy's wait raised") as caught:
            await opening(Stream()).wait(wait)
        assert isinstance(caught.value.__cause__, bug)
        assert "plugin" not in str(caught.value.hint)

    asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_a_cancel_passes_through(times: int) -> None:
    """Untouched, and twice as well as once."""

    async def main() -> bool:
        one = opening(Stream())
        wait: Awaitable[None] = one.pause(9)
        task = asyncio.ensure_future(wait)
        await asyncio.sleep(1)
        for _ in range(times):
            task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert run_virtually(main())
