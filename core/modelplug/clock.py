"""The clocks of a call: limits kept as deadlines, and one timer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, get_args

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
from modelplug.timeouts import STANDARD, Timeouts

__all__ = ["CLEANUP_SECONDS", "Clock"]

CLEANUP_SECONDS = 1.0
"""How long a provider's own clean-up may take once its connection has been aborted."""

_RANK = {phase: rank for rank, phase in enumerate(get_args(Phase))}


class _Limit(NamedTuple):
    """What a wait that took too long ends with; ``name`` is the limit's, as Timeouts has it."""

    kind: type[DeadlineError]
    told: str
    name: str


_TOTAL = _Limit(TotalTimeoutError, "not done", "total")
_QUEUE = _Limit(QueueTimeoutError, "no room for the call", "queue")
_CONNECT = _Limit(ConnectTimeoutError, "no connection", "connect")
_OPEN = _Limit(ConnectTimeoutError, "the request was not sent", "open")
_FIRST_DELTA = _Limit(FirstDeltaTimeoutError, "no answer began", "first_delta")
_IDLE = _Limit(IdleTimeoutError, "nothing more came", "idle")

_MORE = "allow more if the service is slow"


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

    __slots__ = (
        "_begun",
        "_cancels",
        "_cause",
        "_deadline",
        "_due",
        "_expires",
        "_guarded",
        "_has_progressed",
        "_is_connecting",
        "_is_cut",
        "_limit",
        "_own_cancels",
        "_phase",
        "_queue_limit",
        "_soon",
        "_started",
        "_task",
        "_thread",
        "_timeouts",
        "_timer",
        "abort",
        "attempt",
        "cut_by",
        "loop",
    )

    def __init__(self) -> None:
        self.abort: Callable[[], None] | None = None
        self.cut_by: ProxyLLMError | None = None
        self.attempt = 0
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._timeouts = STANDARD
        self._started = self._begun = self.loop.time()
        self._deadline: float | None = None
        self._phase: Phase = "start"
        self._expires: float | None = None
        self._limit = _TOTAL  # which one it is that then runs out
        self._soon: float | None = None  # when connecting may run out; until a timer is made
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._started  # when the timer is
        self._task: asyncio.Task[object] | None = None
        self._cancels = 0
        self._cause: ProxyLLMError | None = None
        self._is_cut = False
        self._own_cancels = 0
        self._guarded: tuple[asyncio.Task[object] | None, int] | None = None
        self._has_progressed = False
        self._is_connecting = False
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
        self._deadline = _after(self._started, total)
        self._expire()

    def start(self, timeouts: Timeouts) -> None:
        """Take the limits of an attempt that begins now; the deadline stays as it is."""
        self._forget()
        self.attempt += 1
        self._timeouts = timeouts
        self._begun = self.loop.time()
        self._soon = _after(self._begun, timeouts.connect)
        self._phase = "start"
        self._enter("start")

    def queue(self, seconds: float | None, *, since: float | None = None) -> None:
        """Have the next wait, which is for no service, end after so many seconds.

        Args:
            seconds: how many; None for no limit but the deadline.
            since: when they began, as ``elapsed`` was then; None for now.
        """
        self._forget()
        self._queue_limit = seconds
        began = self.loop.time() if since is None else self._started + since
        self._expire()
        self._expire_by(_after(began, seconds), _QUEUE)

    def remaining(self) -> float | None:
        """Seconds until the deadline, never below 0; None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - self.loop.time())

    def enter(self, phase: Phase, attempt: int | None = None) -> None:
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

    def begin_wait(self) -> asyncio.Task[object] | None:
        """The reader begins to wait; its task."""
        task = self._task = asyncio.current_task(self.loop)
        self._cancels = task.cancelling() if task else 0
        if self._has_progressed:
            self._has_progressed = False
            self._expire()
            self._expire_by(_after(self.loop.time(), self._timeouts.idle), _IDLE)
        if self._timer is None or self._expires is None or self._due > self._expires:
            self._arm()  # which is asked for once a delta, and needed once a call
        return task

    def end_wait(self) -> bool:
        """The reader waits no longer; whether anybody but ``cut`` has cancelled it."""
        task, self._task = self._task, None
        if task is None:
            return False
        while self._own_cancels:
            self._own_cancels -= 1
            task.uncancel()
        return task.cancelling() > self._cancels

    def guard(self) -> bool:
        """Have the deadline, and a cut, end what this task does between its waits, too.

        Returns:
            Whether that begins here; it may be part of what is guarded already.
        """
        if self._guarded is not None:
            return False
        self.begin_wait()
        self._guarded = self._task, self._cancels
        return True

    def resume(self) -> None:
        """Waits with limits of their own are over; the rest of what is guarded goes on."""
        if self._guarded is None or asyncio.current_task(self.loop) is None:
            return  # or it is closed where it waits, by nobody who could be cut
        self._task, self._cancels = self._guarded
        self._forget()
        self._expire()
        if self.cut_by is not None:
            self._expires = self.loop.time()  # and not before it waits again
        self._arm()

    def unguard(self) -> bool:
        """What was guarded is over; whether anybody but ``cut`` has cancelled it."""
        if self._guarded is not None:
            (self._task, self._cancels), self._guarded = self._guarded, None
        return self.end_wait()

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
            self._due = self.loop.time() + CLEANUP_SECONDS
            self._timer = self.loop.call_at(self._due, self._cancel)

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
        self._is_connecting = False

    def _enter(self, phase: Phase, attempt: int | None = None) -> None:
        if attempt not in (None, self.attempt):
            return  # a report from a thread that its abort hasn't reached yet
        if _RANK[phase] < _RANK[self._phase]:
            return  # a report from another thread that the answer has overtaken
        if phase == "connecting" and self._phase == "start":
            self._phase, self._is_connecting = phase, True
            # Not before all have had their turn that begin in this one: with thousands of calls
            # that is seconds, in which no service's answer would be looked at.
            self.loop.call_soon(self._connects)
            return
        self._phase = phase
        if phase in ("connecting", "open"):
            self._expire()
            self._expire_by(_after(self._begun, self._timeouts.open), _OPEN)
        if phase == "connecting":
            self._expire_by(_after(self.loop.time(), self._timeouts.connect), _CONNECT)
        elif phase in ("start", "sent"):
            self._expire()
            self._expire_by(_after(self.loop.time(), self._timeouts.first_delta), _FIRST_DELTA)
        if self._task is not None:
            self._arm()

    def _connects(self) -> None:
        """The clocks of connecting, and of opening, begin; what was before was no service."""
        if self._is_connecting and not self._is_cut:
            self._is_connecting = False
            self._begun = self.loop.time()
            if self._phase in ("connecting", "open"):
                self._enter(self._phase)

    def _expire(self) -> None:
        """Have the wait end at the deadline."""
        self._expires, self._limit = self._deadline, _TOTAL

    def _expire_by(self, moment: float | None, limit: _Limit) -> None:
        """Have the wait end at ``moment`` if that is nearer than what there is."""
        if moment is not None and (self._expires is None or moment < self._expires):
            self._expires, self._limit = moment, limit

    def _arm(self) -> None:
        if self._expires is None:
            return
        due = self._expires
        if self._soon is not None:
            # At once as early as the limit of connecting needs it, which is mostly next: to move
            # a timer costs a call as much as to make one, and leaves the old one in the loop.
            due, self._soon = min(due, self._soon), None
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._timer, self._due = self.loop.call_at(due, self._fire), due

    def _fire(self) -> None:
        self._timer = None
        if self._task is None or self._expires is None:
            return  # a slow reader: the next wait arms anew
        if self.loop.time() < self._expires:
            self._arm()
        else:
            self.cut(self.cut_by or self._expired())

    def _expired(self) -> DeadlineError:
        kind, told, name = self._limit
        if kind is TotalTimeoutError:
            limit = None if self._deadline is None else round(self._deadline - self._started, 3)
        else:
            limit = self._queue_limit if name == "queue" else getattr(self._timeouts, name)
        what = "call less at once, or allow more" if name == "queue" else _MORE
        hint = f"the limit is {name} of Timeouts; {what}"
        return kind(f"{told} in {limit} s", limit=limit, hint=hint)


def _after(moment: float, seconds: float | None) -> float | None:
    return None if seconds is None else moment + seconds
