"""A stream of outputs over a provider's deltas: clocks, the terminal rule, partial, closing.

What the contract promises of a stream is kept here, once, for all providers:

- exactly one final output, last; an end without ``Finish`` is an error;
- a failure is raised, typed, with the answer so far in ``partial``;
- the clocks run around the wait for the next delta only, so a slow reader isn't taken for a slow
  service; what it takes counts for the deadline of the whole call alone;
- closing, cancelling or abandoning aborts the connection first and waits for nobody.

``ModelStream`` is a class and not an async generator: no ``yield`` stands inside a time-out
or a cancel scope (PEP 789), and it can be closed while another task reads.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import NoReturn, Self, TypeAlias, get_args

from modelplug.attempt import Attempt, is_content, several
from modelplug.call import Call, warn
from modelplug.clock import Clock
from modelplug.delta import Delta, Finish, FinishReason, Usage
from modelplug.errors import (
    LifecycleError,
    PluginContractError,
    ProxyLLMError,
    Sent,
    WrongUseError,
)
from modelplug.observers import (
    AttemptFailed,
    CallAbandoned,
    CallFailed,
    CallFinished,
    CallStarted,
    FirstDelta,
    Observer,
)
from modelplug.opening import FailedAttempt, Opening
from modelplug.output import Answer, ModelInferenceMetrics, ModelOutput

__all__ = ["ModelStream", "closed_early"]

Open: TypeAlias = Callable[[Opening], Awaitable[Attempt]]
"""Begins a call at the stream's first read: the attempt whose answer has begun."""


_COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "reasoning_tokens",
    "cached_tokens",
)
"""What a Usage counts."""

_REASONS = get_args(FinishReason)

_NOTHING: Iterator[object] = iter(())


class ModelStream:
    """An answer as it comes: an async iterator of outputs, and an async context manager.

    Nothing is sent before the first output is asked for. After the final output, or an error,
    the iteration ends. Leaving ``async with``, or ``aclose()``, lets the connection go.

    Args:
        open: begins the call.
        answer: where the pieces are collected.
        observers: who is told.
    """

    _ended = True
    """Until it is made whole: Ctrl-C may come before, and the finaliser after."""

    def __init__(self, open: Open, *, answer: Answer, observers: Sequence[Observer] = ()) -> None:  # noqa: A002  # what it does
        self._open = open
        self._answer = answer
        self._observers = observers
        self._clock: Clock | None = None
        self._opening: Opening | None = None
        self._attempt: Attempt | None = None
        self._batch = _NOTHING
        self._reading = False
        self._reader_gone: asyncio.Event | None = None
        self._cut_by: ProxyLLMError | None = None
        self._ended = False
        self._abandoned = False
        self._started_ms = 0
        self._first_delta: float | None = None

    @property
    def partial(self) -> ModelOutput:
        """The answer so far, whatever became of the stream."""
        answer = self._answer
        return ModelOutput.of(answer) if answer.finish else ModelOutput.so_far(answer)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ModelOutput:
        is_empty = False
        while True:
            for piece in self._batch:
                if isinstance(piece, Delta):
                    if piece.text or is_content(piece):  # mostly it is text: a call less for each
                        text: object = piece.text
                        if not isinstance(text, str):
                            await self._fail(_not_a_piece(text))
                        return self._collect(piece)
                elif isinstance(piece, Finish):
                    return await self._finish(piece)
                else:
                    await self._fail(_not_a_piece(piece))
            if self._abandoned:
                raise closed_early(self.partial)
            if self._ended:
                raise StopAsyncIteration
            self._begin_read()
            # Not in a coroutine of its own: that is one object less for each stream that waits.
            try:
                pieces = await self._next(after_nothing=is_empty)
            except BaseException as error:  # noqa: BLE001  # raised by what ends the stream
                await self._end_with(error)
            finally:
                self._end_read()
            # Mostly they are a list: a call less for each.
            self._batch = iter(pieces if type(pieces) is list else several(pieces))
            is_empty = True  # or one of them is returned above

    async def take(self) -> list[ModelOutput]:
        """The next output and those that are at hand behind it; an empty list at the end.

        What the iteration gives, for whoever passes it on in lists: an output costs half then.
        """
        try:
            return [await anext(self), *self._at_hand()]
        except StopAsyncIteration:
            return []

    def _at_hand(self) -> Iterator[ModelOutput]:
        """An output for each delta that has come with the last one."""
        answer, batch = self._answer, self._batch
        for piece in batch:
            if not (isinstance(piece, Delta) and isinstance(piece.text, str)):
                self._batch = chain((piece,), batch)  # an end, or a fault: for the next read
                return
            if piece.text or is_content(piece):
                answer.add(piece)
                yield ModelOutput.of(answer, piece)

    async def final(self) -> ModelOutput:
        """Read to the end; the final output."""
        async with self:
            async for output in self:
                if output.final:
                    return output
        raise WrongUseError("the stream was read to its end before")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let the connection go, within milliseconds; a task that reads gets a LifecycleError."""
        if self._clock is not None and self._clock.loop is not asyncio.get_running_loop():
            self.cut(closed_early())
            return
        if self._reading and self._clock is not None:
            if self._reader_gone is None:
                self._reader_gone = asyncio.Event()
            self._clock.cut(self._to_end_with(closed_early()))
            await self._reader_gone.wait()
        elif not self._ended:
            self._abandon()
        await self._close_source()

    def cut(self, cause: ProxyLLMError) -> None:
        """End the stream with ``cause``, which its reader gets; from any thread."""
        cause = self._to_end_with(cause)
        if self._ended or self._clock is None or self._opening is None:
            return
        self._opening.abort()
        with suppress(RuntimeError):  # its loop is closed, and the stream with it
            self._clock.loop.call_soon_threadsafe(self._cut_here, self._clock, cause)

    def _to_end_with(self, cause: ProxyLLMError) -> ProxyLLMError:
        """Note what the stream ends with, whatever a policy makes of it: the first that is given.

        From any thread.
        """
        self._cut_by = self._cut_by or cause  # first, as it may just be beginning elsewhere
        if self._clock is not None:
            self._clock.cut_by = self._cut_by
        return self._cut_by

    def _cut_here(self, clock: Clock, cause: ProxyLLMError) -> None:
        """End the wait of whoever reads; where nobody does, what the attempt holds is given back.

        On the loop's thread. A reader that comes later gets what is at hand, and then ``cause``.
        """
        clock.cut(cause)
        if self._attempt is not None and not self._reading:
            self._attempt.over(cause)

    def told(self, failed: FailedAttempt | None) -> None:
        """Have the observers told that the call begins, or that another attempt follows."""
        if failed is None:
            self._tell(CallStarted)
        else:
            self._tell(
                AttemptFailed,
                backend=failed.backend,
                model=failed.model,
                seconds=failed.seconds,
                error=failed.error,
            )

    def __del__(self) -> None:
        if self._ended or self._attempt is None or self._clock is None:
            return
        self._clock.stop()
        was_aborted = self._attempt.call.aborted
        # Synchronous and from any thread; the generator itself is closed by its loop's hooks.
        self._attempt.call.abort()
        self._attempt.over()
        if self._observers:
            # On its loop's thread, as ever; where that is over nobody is left to be told.
            left = self._event(CallAbandoned, **self._so_far())
            with suppress(RuntimeError):
                self._clock.loop.call_soon_threadsafe(_tell_all, self._observers, left)
        if was_aborted:
            return  # the client was closed under it
        warnings.warn(
            "a model stream was dropped before its end; use 'async with', or close it",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )

    def _collect(self, delta: Delta) -> ModelOutput:
        answer = self._answer
        answer.add(delta)
        if self._clock is not None:
            self._clock.progressed()
        if self._first_delta is None:
            self._began()
        return ModelOutput.of(answer, delta)

    def _began(self) -> None:
        _, call, clock = self._running()
        self._first_delta = clock.elapsed
        call.reached("streaming")
        self._tell(FirstDelta, seconds=self._first_delta)

    def _begin_read(self) -> None:
        """A task is going to wait for the provider's next pieces: one at a time."""
        if self._reading:
            raise WrongUseError("two tasks read one stream", hint="give each a stream of its own")
        if self._clock is not None and self._clock.loop is not asyncio.get_running_loop():
            raise WrongUseError("a stream is read on the loop where it began")
        self._reading = True

    def _next(self, *, after_nothing: bool) -> Awaitable[object]:
        """The provider's next pieces, to be awaited."""
        if self._attempt is None:
            return self._opened()
        return self._attempt.next(after_nothing=after_nothing)

    def _end_read(self) -> None:
        self._reading = False
        if self._reader_gone is not None:
            self._reader_gone.set()

    async def _end_with(self, cause: BaseException) -> NoReturn:
        """End the stream with what a wait has raised, and raise that."""
        try:
            if isinstance(cause, ProxyLLMError):
                await self._fail(cause)
            # Cancelled, or a converter of the caller's own raised.
            self._abandon()
            await self._close_source()
            raise cause
        finally:
            del cause  # its traceback holds this frame: no cycle

    async def _opened(self) -> Sequence[object]:
        """The pieces with which the answer begins, once it does."""
        clock = self._clock = Clock()
        self._started_ms = time.time_ns() // 1_000_000
        opening = self._opening = Opening(self, clock=clock, answer=self._answer)
        clock.abort = opening.abort
        if self._cut_by is not None:
            raise self._cut_by
        try:
            attempt = await self._begin(opening)
        except BaseException:
            self._attempt = opening.begun  # which a policy had, and failed to hand on
            raise
        finally:
            # The clock knows the opening: a dropped stream's provider is not to live on in there.
            opening.begun = None
        self._answer.attempts = opening.attempts
        self._attempt = attempt
        first, attempt.first = attempt.first, ()
        return first

    def _begin(self, opening: Opening) -> Awaitable[Attempt]:
        begin = self._open
        del self._open  # it holds the question
        return begin(opening)

    async def _finish(self, finish: Finish) -> ModelOutput:
        attempt, call, clock = self._running()
        if (fault := _fault_of(finish)) is not None:
            await self._fail(fault)
        answer = self._answer
        if self._first_delta is None:
            self._first_delta = clock.elapsed
        answer.finish = finish
        answer.metrics = self._metrics(clock.elapsed)
        self._end()
        call.reached("ended")
        attempt.ending = finish
        try:
            await self._close_source()
        finally:
            self._tell(
                CallFinished,
                seconds=clock.elapsed,
                deltas=len(answer.pieces),
                finish_reason=finish.reason,
                usage=finish.usage,
            )
        return ModelOutput.of(answer)

    async def _fail(self, error: ProxyLLMError) -> NoReturn:
        answer, opening = self._answer, self._opening
        self._end()
        if self._attempt is not None:
            self._attempt.fail(error)
        elif opening is not None:
            opening.abort()
        tried = opening.attempts if opening is not None else ()
        error.complete(
            attempts=tried,
            phase="start",
            sent="no",
            backend=answer.backend,
            model=answer.model,
            request_id=answer.request_id,
            partial=ModelOutput.so_far(answer),
        )
        error.sent = _most_sent(error, *(each.error for each in tried))
        await self._close_source()
        if opening is not None:
            opening.announce()  # of a call that was refused at once
            self._tell(CallFailed, **self._so_far(), error=error)
        try:
            raise error
        finally:
            del error  # the error's traceback holds this frame: no cycle

    def _abandon(self) -> None:
        self._abandoned = True
        self._end()
        if self._opening is not None:
            self._opening.abort()
            self._opening.announce()
            self._tell(CallAbandoned, **self._so_far())

    def _end(self) -> None:
        self._ended = True
        self._batch = _NOTHING
        if self._clock is not None:
            self._clock.stop()
            self._clock.abort = None  # the call knows the clock: no cycle

    async def _close_source(self) -> None:
        if self._attempt is not None:
            await self._attempt.close()

    def _metrics(self, seconds: float) -> ModelInferenceMetrics:
        usage = self._answer.finish.usage if self._answer.finish else None
        completion = usage.completion_tokens if usage else None
        ended_ms = self._started_ms + round(seconds * 1000)
        began_ms = self._started_ms + round((self._first_delta or 0.0) * 1000)
        return ModelInferenceMetrics(
            collect_index=len(self._answer.pieces),
            start_time_ms=self._started_ms,
            end_time_ms=ended_ms,
            current_time_ms=ended_ms,
            first_token_time_ms=began_ms,
            first_completion_time_ms=began_ms,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=completion,
            total_tokens=usage.total_tokens if usage else None,
            speed_per_second=_rate(completion, seconds),
            time_to_first_delta=self._first_delta,
            total_time=seconds,
        )

    def _running(self) -> tuple[Attempt, Call, Clock]:
        if self._attempt is None or self._clock is None:
            raise WrongUseError("the stream has not begun, or is over")
        return self._attempt, self._attempt.call, self._clock

    def _so_far(self) -> dict[str, object]:
        """What the end of a call tells of it."""
        seconds = self._clock.elapsed if self._clock else 0.0
        return {"seconds": seconds, "deltas": len(self._answer.pieces)}

    def _event(self, event: type[CallStarted], **details: object) -> CallStarted:
        who = {"backend": self._answer.backend, "model": self._answer.model}
        request_id = self._opening.request_id if self._opening else None
        return event(**{**who, "request_id": request_id, **details})  # type: ignore[arg-type]  # its own fields

    def _tell(self, event: type[CallStarted], **details: object) -> None:
        if self._observers:
            _tell_all(self._observers, self._event(event, **details))


def _tell_all(observers: Sequence[Observer], event: CallStarted) -> None:
    """Tell every observer; what one raises is logged, and costs the call nothing."""
    for observer in observers:
        try:
            observer(event)
        except Exception as error:  # noqa: BLE001  # the answer is paid for, and isn't its to lose
            warn("an observer raised %s", type(error).__name__)


def _rate(count: int | None, seconds: float) -> float | None:
    # A count that is no possible one comes from the service, and must not cost the answer.
    return count / seconds if count and seconds and 0 < count < 2**53 else None


def closed_early(partial: ModelOutput | None = None) -> LifecycleError:
    """What whoever reads a stream gets that somebody has closed."""
    return LifecycleError(
        "the stream was closed before its end",
        partial=partial,
        hint="what had come is in its 'partial'",
    )


def _not_a_piece(piece: object) -> PluginContractError:
    return PluginContractError(
        f"the plugin yielded a {type(piece).__name__} where a Delta or Finish belongs",
        hint="yield Delta('text'), or a list of them, and one Finish at the end",
    )


def _most_sent(*errors: ProxyLLMError) -> Sent:
    """Whether any of a call's attempts may be billed, which its last one can't tell."""
    order = get_args(Sent)
    return max((error.sent or "no" for error in errors), key=order.index)


def _fault_of(finish: Finish) -> PluginContractError | None:
    """What is wrong with a provider's finish; looked at once a call."""
    if finish.reason not in _REASONS:
        return PluginContractError(
            f"the plugin gave the finish reason {finish.reason!r}",
            hint=f"it is one of {', '.join(_REASONS)}; the service's own word belongs in raw",
        )
    usage: object = finish.usage
    if usage is not None and not isinstance(usage, Usage):
        return PluginContractError(
            f"the plugin gave a {type(usage).__name__} as usage, where a Usage belongs"
        )
    for name in _COUNTS if usage else ():
        count = getattr(usage, name)
        if count is not None and not isinstance(count, int):
            return PluginContractError(
                f"the plugin gave a {type(count).__name__} as {name}, where an int belongs"
            )
    return None
