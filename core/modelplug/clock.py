"""The clocks of a call: limits kept as deadlines, and one timer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import get_args

from modelplug.errors import (
    ConnectTimeoutError,
    DeadlineError,
    FirstDeltaTimeoutError,
    IdleTimeoutError,
    Phase,
    ProxyLLMError,
    QueueTimeoutError,
    TotalTimeoutError,
)
from modelplug.timeouts import Timeouts

__all__ = ["CLEANUP_SECONDS", "Clock"]

CLEANUP_SECONDS = 1.0
"""How long a provider's own clean-up may take once its connection has been aborted."""

_ORDER = get_args(Phase)


class Clock:
    """The limits of one call as kept deadlines, with one timer that is re-armed lazily.

    A wait costs a comparison: the timer is moved only when it fires too early, or at once when
    a limit comes nearer, as from the first delta's 60 seconds to the 30 between two. It knows
    the waiting task and not the stream, so a timer keeps no abandoned stream alive.

    One clock serves all attempts of a call: each begins it anew, the deadline stays.

    Attributes:
        abort: cuts the connection; called before the waiting task is cancelled.
        cut_by: what ended the call for its caller, from another thread perhaps.
        attempt: which attempt is under way, from 1 on.
    """

    def __init__(self) -> None:
        self.abort: Callable[[], None] | None = None
        self.cut_by: ProxyLLMError | None = None
        self.attempt = 0
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._timeouts = Timeouts()
        self._started = self._begun = self.loop.time()
        self._deadline: float | None = None
        self._phase: Phase = "start"
        self._expires: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancels = 0
        self._cause: ProxyLLMError | None = None
        self._is_cut = False
        self._own_cancels = 0
        self._has_progressed = False
        self._is_queued = False
        self._queue_limit: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.loop.time() - self._started

    @property
    def deadline(self) -> float | None:
        """When the whole call must be over, by the loop's clock; None for never."""
        return self._deadline

    def limit(self, total: float | None) -> None:
        """Set the deadline of the whole call: so many seconds after its beginning."""
        self._deadline = self._expires = _after(self._started, total)

    def start(self, timeouts: Timeouts) -> None:
        """Take the limits of an attempt that begins now; the deadline stays as it is."""
        self._forget()
        self.attempt += 1
        self._timeouts = timeouts
        self._begun = self.loop.time()
        self._is_queued = False
        self._phase = "start"
        self._enter("start")

    def queue(self, seconds: float | None) -> None:
        """Have the next wait, which is for no service, end after so many seconds."""
        self._forget()
        self._is_queued, self._queue_limit = True, seconds
        self._expires = self._nearest(_after(self.loop.time(), seconds))

    def remaining(self) -> float | None:
        """Seconds until the deadline, never below 0; None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - self.loop.time())

    def enter(self, phase: Phase, *, attempt: int | None = None) -> None:
        """Begin a phase, with its limit; from any thread.

        Args:
            phase: what begins.
            attempt: whose phase it is; that of one that is past means nothing any more.
        """
        if threading.get_ident() == self._thread:
            self._enter(phase, attempt)
        else:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._enter, phase, attempt)

    def progressed(self) -> None:
        """A piece of the answer came: the next wait, whenever it begins, gets its whole time."""
        self._has_progressed = True

    def begin_wait(self) -> None:
        """The reader begins to wait."""
        task = self._task = asyncio.current_task()
        self._cancels = task.cancelling() if task else 0
        if self._has_progressed:
            self._has_progressed = False
            self._expires = self._nearest(_after(self.loop.time(), self._timeouts.idle))
        self._arm()

    def end_wait(self) -> bool:
        """The reader waits no longer; whether anybody but ``cut`` has cancelled it."""
        task, self._task = self._task, None
        if task is None:
            return False
        while self._own_cancels:
            self._own_cancels -= 1
            task.uncancel()
        return task.cancelling() > self._cancels

    def take_cause(self) -> ProxyLLMError | None:
        """What the wait was cut with, once: whoever raises it keeps no cycle through here."""
        cause, self._cause = self._cause, None
        return cause

    def cut(self, cause: ProxyLLMError) -> None:
        """End the reader's wait, or else its next one, with ``cause``; on the loop's thread.

        The connection is aborted first, so that a provider's clean-up finds nothing to wait
        for; one that waits all the same is cancelled once more.
        """
        if self._is_cut:
            return
        self._is_cut, self._cause = True, cause
        self.stop()
        if self.abort is not None:
            self.abort()
        self._cancel()
        if self._task is not None:
            self._timer = self.loop.call_later(CLEANUP_SECONDS, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._own_cancels += 1
            self._task.cancel()

    def stop(self) -> None:
        """Drop the timer; from any thread."""
        if self._timer is not None:
            if threading.get_ident() == self._thread:
                self._timer.cancel()
            else:
                with suppress(RuntimeError):  # the loop is closed, and its timers with it
                    self.loop.call_soon_threadsafe(self._timer.cancel)
            self._timer = None

    def _forget(self) -> None:
        """What ended the attempt before is past, and so is the time for its clean-up."""
        if self._is_cut:
            self.stop()
        self._is_cut = self._cause is not None

    def _enter(self, phase: Phase, attempt: int | None = None) -> None:
        if attempt not in (None, self.attempt):
            return  # a report from a thread that its abort hasn't reached yet
        if _ORDER.index(phase) < _ORDER.index(self._phase):
            return  # a report from another thread that the answer has overtaken
        self._phase = phase
        limits, now = self._timeouts, self.loop.time()
        opened = _after(self._begun, limits.open)
        if phase == "connecting":
            self._expires = self._nearest(opened, _after(now, limits.connect))
        elif phase == "open":
            self._expires = self._nearest(opened)
        elif phase in ("start", "sent"):
            self._expires = self._nearest(_after(now, limits.first_delta))
        if self._task is not None:
            self._arm()

    def _nearest(self, *moments: float | None) -> float | None:
        return min((at for at in (*moments, self._deadline) if at is not None), default=None)

    def _arm(self) -> None:
        if self._expires is None:
            return
        if self._timer is not None:
            if self._timer.when() <= self._expires:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(self._expires, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._task is None or self._expires is None:
            return  # a slow reader: the next wait arms anew
        if self.loop.time() < self._expires:
            self._arm()
        else:
            self.cut(self._expired())

    def _expired(self) -> DeadlineError:
        limits = self._timeouts
        if self._expires == self._deadline:
            total = None if self._deadline is None else round(self._deadline - self._started, 3)
            return _over(TotalTimeoutError, "not done", total=total)
        if self._is_queued:
            return _over(QueueTimeoutError, "no room for the call", queue=self._queue_limit)
        since = self.loop.time() - self._begun
        if self._phase == "connecting" and since < (limits.open or float("inf")):
            return _over(ConnectTimeoutError, "no connection", connect=limits.connect)
        if self._phase in ("connecting", "open"):
            return _over(ConnectTimeoutError, "the request was not sent", open=limits.open)
        if self._phase == "streaming":
            return _over(IdleTimeoutError, "nothing more came", idle=limits.idle)
        return _over(FirstDeltaTimeoutError, "no answer began", first_delta=limits.first_delta)


def _over(kind: type[DeadlineError], what: str, **limits: float | None) -> DeadlineError:
    ((name, limit),) = limits.items()
    hint = f"the limit is {name} of Timeouts; allow more if the service is slow"
    return kind(f"{what} in {limit} s", limit=limit, hint=hint)


def _after(moment: float, seconds: float | None) -> float | None:
    return None if seconds is None else moment + seconds
