"""One attempt at a call: a provider's pieces under the clock, from its beginning to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TypeAlias, TypeVar, cast

from modelplug.call import Call, warn
from modelplug.clock import CLEANUP_SECONDS, Clock
from modelplug.delta import Delta, Finish
from modelplug.errors import PluginContractError, ProxyLLMError, TruncatedStreamError
from modelplug.output import ModelOutput

__all__ = ["Attempt", "DeltaStream", "Ending", "Pieces", "is_content", "under"]

T = TypeVar("T")

Pieces: TypeAlias = Delta | Finish | Sequence[Delta | Finish]
"""What a provider may yield: one piece, or a list of those that are at hand."""

DeltaStream: TypeAlias = AsyncIterator[Pieces]
"""What ``stream_deltas`` is: an async generator of pieces."""

Ending: TypeAlias = ProxyLLMError | Finish | None
"""How an attempt ended: it failed, it finished, or it was abandoned by its caller."""


class Attempt:
    """A provider that serves one call; what policies get when its answer has begun.

    Attributes:
        call: what the provider was given.
        first: the pieces with which the answer begins, once it has.
    """

    __slots__ = ("_clock", "_endings", "_source", "call", "first")

    def __init__(self, call: Call, source: DeltaStream, clock: Clock) -> None:
        self.call = call
        self.first: Sequence[object] = ()
        self._clock = clock
        self._source: DeltaStream | None = source
        self._endings: list[Callable[[Ending], None]] = []

    async def begin(self) -> None:
        """Wait until the answer begins, or ends without a word.

        Raises:
            BaseException: whatever ended the attempt instead, which is over then.
        """
        try:
            while not any(map(_counts, self.first)):
                pieces = await self.next()
                self.first = pieces if isinstance(pieces, (list, tuple)) else (pieces,)
        except ProxyLLMError as error:
            failure = error
        except BaseException:
            self.call.abort()
            self.over()
            await self.close()
            raise
        else:
            return
        try:
            self.fail(failure)
            await self.close()
            raise failure
        finally:
            del failure  # the error's traceback holds this frame: no cycle

    def next(self) -> Coroutine[object, object, Pieces]:
        """The provider's next pieces, to be awaited.

        Raises:
            BaseException: what the call ends with, as the caller is to see it.
        """
        if self._source is None:
            raise PluginContractError("an attempt that is over was read")
        return under(self._clock, self._source.__anext__)

    def fail(self, error: ProxyLLMError) -> None:
        """End it with an error, which is completed and holds no secret of the call any more."""
        call = self.call
        call.abort()
        error.rewrite(call.scrub)
        _rewrite_causes(error, call.scrub)
        answer = call.answer
        error.complete(
            phase=call.phase,
            sent=call.sent,
            backend=answer.backend,
            model=answer.model,
            request_id=answer.request_id,
            partial=ModelOutput.so_far(answer),
        )
        self.over(error)

    def on_end(self, callback: Callable[[Ending], None]) -> None:
        """Have ``callback`` called once, when the attempt is over; from any thread.

        It must not block, nor raise.
        """
        self._endings.append(callback)

    def over(self, ending: Ending = None) -> None:
        """Note the end; a second time is harmless. From any thread, finalisers included."""
        while self._endings:
            try:
                callback = self._endings.pop()
            except IndexError:  # another thread was faster
                return
            callback(ending)

    async def close(self) -> None:
        """Let the provider clean up; what goes wrong there is logged, the outcome stands."""
        source, self._source = self._source, None
        close = getattr(source, "aclose", None)
        if close is None:
            return
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                await close()
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            warn("a plugin's clean-up was cancelled by itself")
        except Exception as error:  # noqa: BLE001  # nobody is left to be told, the outcome stands
            warn("a plugin's clean-up failed: %s", type(error).__name__)


async def under(clock: Clock, wait: Callable[[], Awaitable[T]]) -> T:
    """What ``wait`` gives, under a clock; its failure, with whose fault it was.

    Raises:
        BaseException: what cut the wait; else what ``wait`` raised, as the caller is to see it.
    """
    failure: BaseException | None = clock.take_cause() or clock.cut_by
    given: T | None = None
    clock.begin_wait()
    try:
        if failure is None:
            given = await wait()
    except BaseException as error:  # noqa: BLE001  # told apart below, outside this block
        failure = error
    # Whatever a provider made of being cancelled or cut, that is what happened.
    is_cancelled = clock.end_wait()
    if is_cancelled:
        failure = failure if _is_cancel(failure) else asyncio.CancelledError()
    else:
        failure = clock.take_cause() or clock.cut_by or failure
    try:
        if failure is not None:
            raise _outcome(failure, is_cancelled=is_cancelled or _is_being_cancelled())
        return cast(T, given)
    finally:
        del failure  # its traceback holds this frame: no cycle


def _rewrite_causes(error: BaseException, change: Callable[[str], str]) -> None:
    """Put what a plugin's own errors say through ``change``; they stay, for who looks for a bug.

    A traceback prints them below ours, and a plugin may well quote what it was refused with.
    """
    seen: set[int] = set()
    cause = error.__cause__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        with suppress(Exception):  # whatever class a plugin has made up
            cause.args = tuple(change(it) if isinstance(it, str) else it for it in cause.args)
        cause = cause.__cause__ or cause.__context__


def is_content(delta: Delta) -> bool:
    """Whether a delta holds anything; an empty one is no progress and isn't passed on."""
    return bool(delta.text or delta.reasoning or delta.tool_call or delta.sources or delta.extra)


def _counts(piece: object) -> bool:
    """Whether an answer begins with a piece; what is no piece is its reader's to refuse."""
    return is_content(piece) if isinstance(piece, Delta) else True


def _is_cancel(failure: BaseException | None) -> bool:
    return isinstance(failure, asyncio.CancelledError)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _outcome(failure: BaseException, *, is_cancelled: bool) -> BaseException:
    """What a provider's failure is to the caller: itself, or the fault of the plugin."""
    if isinstance(failure, StopAsyncIteration):
        return TruncatedStreamError(
            "the answer ended without its terminal sign",
            hint="the service cut the answer short, or the plugin yields no Finish",
        )
    passes = (ProxyLLMError, KeyboardInterrupt, GeneratorExit)
    # A CancelledError that nobody asked for is something of the plugin's own that was cancelled.
    if isinstance(failure, passes) or (_is_cancel(failure) and is_cancelled):
        return failure
    return PluginContractError.blame(failure)
