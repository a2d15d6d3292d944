"""One attempt at a call: a provider's pieces under the clock, from its beginning to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import NoReturn, TypeAlias, TypeVar, cast

from modelplug.call import Call, warn
from modelplug.causes import scrub_causes
from modelplug.clock import CLEANUP_SECONDS, Clock
from modelplug.delta import Delta, DeltaStream, Finish, Pieces
from modelplug.errors import PluginContractError, ProxyLLMError, TruncatedStreamError
from modelplug.output import ModelOutput
from modelplug.patience import patiently

__all__ = ["Attempt", "Ending", "guarded", "is_content", "several", "under"]

T = TypeVar("T")

PLUGIN = "the plugin"
"""Whose fault it is what goes wrong in a provider."""

Ending: TypeAlias = ProxyLLMError | Finish | None
"""How an attempt ended: it failed, it finished, or it was abandoned by its caller."""


class Attempt:
    """A provider that serves one call; what policies get when its answer has begun.

    Args:
        call: what the provider is given.
        source: makes its pieces; called once, by ``begin``.
        clock: what its waits are under.

    Attributes:
        call: what the provider was given.
        first: the pieces with which the answer begins, once it has, until the stream takes them.
        ending: how it has ended, until policies are told; a failure's is set by ``fail``.
    """

    __slots__ = ("_clock", "_endings", "_make", "_source", "call", "ending", "first")

    def __init__(self, call: Call, source: Callable[[], DeltaStream], clock: Clock) -> None:
        self.call = call
        self.first: Sequence[object] = ()
        self.ending: Ending = None
        self._clock = clock
        self._make = source
        self._source: DeltaStream | None = None
        self._endings: list[Callable[[Ending], None]] = []

    async def begin(self) -> None:
        """Wait until the answer begins, or ends without a word.

        Raises:
            BaseException: whatever ended the attempt instead, which is over then.
        """
        try:
            pieces = await under(self._clock, self._made)
            while not any(map(_counts, several(pieces))):
                pieces = await self.next(after_nothing=True)
            self.first = several(pieces)
        except BaseException as error:  # noqa: BLE001  # raised by what ends the attempt
            await self._end_with(error)
        finally:
            self._clock.resume()

    async def _end_with(self, cause: BaseException) -> NoReturn:
        """End it with what a wait has raised, and raise that."""
        try:
            try:
                if isinstance(cause, ProxyLLMError):
                    self.fail(cause)
                else:
                    self.call.abort()
            finally:
                await self.close()
            raise cause
        finally:
            del cause  # its traceback holds this frame: no cycle

    def _made(self) -> Awaitable[Pieces]:
        make = self._make
        del self._make  # it holds the question, also where it raises
        self._source = make()
        return self._source.__anext__()

    def next(self, *, after_nothing: bool = False) -> Coroutine[object, object, Pieces]:
        """The provider's next pieces, to be awaited.

        Args:
            after_nothing: whether those before were empty. Then others have their turn first,
                the clock among them: a provider may go on like that without ever waiting.

        Raises:
            BaseException: what the call ends with, as the caller is to see it.
        """
        if self._source is None:
            raise PluginContractError("an attempt that is over was read")
        return under(self._clock, self._in_turn if after_nothing else self._source.__anext__)

    async def _in_turn(self) -> Pieces:
        await asyncio.sleep(0)
        return await cast(DeltaStream, self._source).__anext__()

    def fail(self, error: ProxyLLMError) -> None:
        """End it with an error, which is completed and holds no secret of the call any more.

        It is to be closed then.
        """
        self.ending = error
        self.call.abort()
        _complete(error, self.call)
        error.complete(partial=ModelOutput.so_far(self.call.answer))

    def on_end(self, callback: Callable[[Ending], None]) -> None:
        """Have ``callback`` called once, when the attempt is over; from any thread.

        It is over when the provider has cleaned up, so that whoever is let in then finds the
        service's place free. The callback must not block; what it raises is logged.
        """
        self._endings.append(callback)

    def over(self, ending: Ending = None) -> None:
        """Note the end; a second time is harmless. From any thread, finalisers included."""
        while self._endings:
            try:
                callback = self._endings.pop()
            except IndexError:  # another thread was faster
                return
            try:
                callback(ending)
            except Exception as error:  # noqa: BLE001  # the others must run, and the call's outcome stands
                warn("what a policy does at the end of an answer failed: %s", type(error).__name__)
            except BaseException:
                self.over(ending)  # the others all the same
                raise

    async def close(self) -> None:
        """Let the provider clean up; it is over then.

        What goes wrong there is logged, the outcome stands.
        """
        source, self._source = self._source, None
        try:
            await self._clean_up(getattr(source, "aclose", None))
        finally:
            ending, self.ending = self.ending, None
            self.over(ending)
            del ending  # an error's traceback holds this frame: no cycle

    async def _clean_up(self, close: Callable[[], Awaitable[object]] | None) -> None:
        if close is None:
            return
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                await patiently(close(), leaving=_warn_of_it)
        except asyncio.CancelledError:
            if _is_being_cancelled(self._clock):
                raise
            warn("a plugin's clean-up was cancelled by itself")
        except Exception as error:  # noqa: BLE001  # nobody is left to be told, the outcome stands
            warn("a plugin's clean-up failed: %s", type(error).__name__)


async def once(call: Call, clock: Clock, ask: Callable[[], Awaitable[T]]) -> T:
    """What a question that has no stream for an answer gets, with an attempt's care.

    Raises:
        BaseException: what ``ask`` failed with, as the caller is to see it.
    """
    clock.abort = call.abort
    try:
        return await under(clock, ask)
    except ProxyLLMError as error:
        _complete(error, call)
        raise
    finally:
        call.abort()  # whatever it has left open
        clock.stop()


async def under(clock: Clock, wait: Callable[[], Awaitable[T]], *, whose: str = PLUGIN) -> T:
    """What ``wait`` gives, under a clock; its failure, with whose fault it was.

    Args:
        clock: ends the wait.
        wait: begins it.
        whose: the wait is, and so are the bugs in it.

    Raises:
        BaseException: what cut the wait; else what ``wait`` raised, as the caller is to see it.
    """
    failure: BaseException | None = clock.take_cause() or clock.cut_by
    given: T | None = None
    task = clock.begin_wait()
    try:
        if failure is None:
            awaited = wait()
            del wait  # so much less to keep for each stream that is open
            given = await patiently(awaited, leaving=_warn_of_it)
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
            if isinstance(failure, GeneratorExit) and _task(clock) is not task:
                raise failure  # nobody runs this any more: it is closed where it waits
            is_cancelled = is_cancelled or _is_being_cancelled(clock)
            raise _outcome(failure, whose, is_cancelled=is_cancelled)
        return given  # type: ignore[return-value]  # it gave one; a cast is a call for each delta
    finally:
        del failure  # its traceback holds this frame: no cycle


def _complete(error: ProxyLLMError, call: Call) -> None:
    """Add what the call knows, and take out what of its secrets the error holds."""
    if type(error.retry_after) not in (float, int):
        error.retry_after = None  # a header as it came, say: nobody could wait for that
    error.rewrite(call.scrub)
    scrub_causes(error, call.scrub)
    answer = call.answer
    error.complete(
        phase=call.phase,
        sent=call.sent,
        backend=answer.backend,
        model=answer.model,
        request_id=answer.request_id,
    )


async def guarded(clock: Clock, opens: Callable[[], Awaitable[T]]) -> T:
    """What ``opens`` gives, the deadline and a cut ending all that it does, its waits or not.

    One that is part of another is guarded with that.

    Raises:
        BaseException: what cut it; else whatever it raised, as it is.
    """
    if not clock.guard():
        return await opens()
    failure: BaseException | None = None
    given: T | None = None
    try:
        given = await opens()
    except BaseException as error:  # noqa: BLE001  # told apart below, outside this block
        failure = error
    is_cancelled = clock.unguard()
    if not is_cancelled:
        failure = clock.take_cause() or (failure and clock.cut_by) or failure
    elif not _is_cancel(failure):
        failure = asyncio.CancelledError()
    try:
        if failure is not None:
            raise failure
        return cast(T, given)
    finally:
        del failure  # as above


def is_content(delta: Delta) -> bool:
    """Whether a delta holds anything; an empty one is no progress and isn't passed on."""
    return bool(delta.text or delta.reasoning or delta.tool_call or delta.sources or delta.extra)


def several(pieces: object) -> Sequence[object]:
    """What a provider has yielded, as a list, whether it is one piece or several."""
    return pieces if isinstance(pieces, (list, tuple)) else (pieces,)


def _counts(piece: object) -> bool:
    """Whether an answer begins with a piece; what is no piece is its reader's to refuse."""
    return is_content(piece) if isinstance(piece, Delta) else True


def _warn_of_it() -> None:
    warn("a plugin didn't end when it was cancelled, and is left")


def _is_cancel(failure: BaseException | None) -> bool:
    return isinstance(failure, asyncio.CancelledError)


def _task(clock: Clock) -> asyncio.Task[object] | None:
    """Which one runs on the call's loop just now; there may be none, nor a loop any more."""
    return asyncio.current_task(clock.loop)


def _is_being_cancelled(clock: Clock) -> bool:
    task = _task(clock)
    return task is not None and task.cancelling() > 0


def _outcome(failure: BaseException, whose: str, *, is_cancelled: bool) -> BaseException:
    """What a failure is to the caller: itself, or the fault of whoever waited."""
    if isinstance(failure, StopAsyncIteration) and whose == PLUGIN:
        return TruncatedStreamError(
            "the answer ended without its terminal sign",
            hint="the service cut the answer short, or the plugin yields no Finish",
        )
    passes = (ProxyLLMError, KeyboardInterrupt)
    # A CancelledError that nobody asked for is something of the plugin's own that was cancelled.
    if isinstance(failure, passes) or (_is_cancel(failure) and is_cancelled):
        return failure
    return PluginContractError.blame(failure, whose=whose)
