"""A scripted library in the place of the real one: for providers without a wire.

A local model, or any library, is touched at one callable. While the upstream is entered, that
one is replaced::

    with InProcess("acme.client:generate")(codec) as upstream:
        upstream.play("Hel", Gate("more"), "lo", Finish())
        client = new_client("acme")
        ...
        assert upstream.exchanges.wait().wait_gone()

Called with anything, the stand-in gives an iterator, async and plain at once, of what the codec's
encoder makes of the script: objects as the library gives them, and exceptions, which are raised.
The iterator lives as long as its user doesn't close it. That it is collected doesn't count: who
relies on the collector keeps a model busy for as long as it pleases.

It is as strict as a generator: while somebody waits for its next thing nobody can close it. What a
library has for that, a flag or a callback that it asks as it works, the harness names::

    InProcess("acme.client:generate", stopped=lambda called: called.kwargs["stop"].is_set())
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, reduce
from importlib import import_module
from itertools import count
from math import inf
from typing import Any, ClassVar, Self
from unittest.mock import patch
from weakref import WeakSet

from modelplug.errors import WrongUseError
from modelplug.testing.codec import Called, Codec, Encoder, RawRequest, said
from modelplug.testing.exchange import Exchange, Exchanges, Side
from modelplug.testing.faults import Faults
from modelplug.testing.gates import Gates
from modelplug.testing.steps import (
    CloseCode,
    CutFrame,
    Drip,
    EarlyStatus,
    Fragment,
    Garbage,
    Gate,
    Hang,
    HangUp,
    KeepAlive,
    Lines,
    Message,
    RawBytes,
    Refuse,
    Reset,
    Silence,
    Split,
    Status,
    Step,
)
from modelplug.testing.upstream import Upstream

__all__ = ["Answer", "InProcess", "InProcessUpstream"]

_NO_WIRE = "nothing goes over a wire"

_ATTENTION = 0.01
"""Seconds after which a library that blocks looks again whether it was told to stop."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """The wire of what has none: makes upstreams that stand in for one callable.

    Attributes:
        target: where the provider has the callable, as ``module:attribute``; an attribute may be
            a class's, as in ``llama_cpp:Llama.create_completion``. It is the name by which the
            provider calls it: after ``from library import speak`` its own module's.
        stopped: whether a call that blocks was told to stop, by what it was called with: for a
            library that asks a flag or a callback as it works. None is for one that can't be
            told.
    """

    target: str
    stopped: Callable[[Called], bool] | None = None

    def __call__(self, codec: Codec, *, tls: bool = False) -> InProcessUpstream:
        """An upstream.

        Raises:
            ValueError: TLS is wanted.
        """
        if tls:
            raise ValueError(f"there is no TLS where {_NO_WIRE}")
        return InProcessUpstream(codec, self.target, stopped=self.stopped)


class InProcessUpstream(Upstream):
    """A scripted library, while it is entered.

    It has no thread: a script is played by whoever takes the next thing out of the iterator. For
    a call for which nothing was queued the stand-in raises a WrongUseError.

    Args:
        codec: says things as the library would.
        target: which callable it stands in for, see ``InProcess``.
        stopped: whether a call was told to stop, see there as well.
    """

    lacks: ClassVar[Mapping[object, str]] = {
        **dict.fromkeys(
            (Refuse, Hang, Status, EarlyStatus), f"{_NO_WIRE}: there is nobody to connect to"
        ),
        **dict.fromkeys((Split, Fragment, Lines), f"{_NO_WIRE}: there are no bytes to be cut"),
        **dict.fromkeys((KeepAlive, CloseCode), f"{_NO_WIRE}: there are no pings and no closes"),
        **dict.fromkeys((CutFrame, Reset), f"{_NO_WIRE}: there is no connection to be lost"),
        **dict.fromkeys((Garbage, RawBytes), f"{_NO_WIRE}: there are no bytes to be misread"),
    }
    wired: ClassVar[bool] = False

    def __init__(
        self, codec: Codec, target: str, *, stopped: Callable[[Called], bool] | None = None
    ) -> None:
        super().__init__(codec)
        self._target = target
        self._stopped = stopped
        self._exchanges = Exchanges()
        self._numbers = count()  # no two calls have anything in common
        self._answers: WeakSet[Answer] = WeakSet()
        self._faults = Faults()
        self._restore: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        """Take the callable's place.

        Raises:
            AttributeError: there is no such callable.
            ImportError: there is no such module.
            WrongUseError: it is entered already.
        """
        if self._restore is not None:
            raise WrongUseError("an upstream is entered once at a time")
        self._faults.clear()
        module, _, path = self._target.partition(":")
        *within, name = path.split(".")
        place = patch.object(reduce(getattr, within, import_module(module)), name, self._call)
        place.start()
        self._restore = place.stop
        return self

    def _stop(self) -> Faults:
        """Put the callable back, and end all answers."""
        if self._restore is not None:
            self._restore()
            self._restore = None
        for answer in list(self._answers):
            answer.end("server", "end")
        return self._faults

    @property
    def url(self) -> str:
        """Whom it stands in for: ``python:module:attribute``.

        Raises:
            WrongUseError: it isn't entered.
        """
        self._require_entered()
        return f"python:{self._target}"

    @property
    def exchanges(self) -> Exchanges:
        """What it saw: one for each call, in order."""
        return self._exchanges

    def _refuse(self, *, refusing: bool) -> None:
        self._require_entered()

    def _require_entered(self) -> None:
        if self._restore is None:
            raise WrongUseError(
                "the stand-in isn't in its place", hint="use it within its 'with' block"
            )

    def _call(self, *args: Any, **kwargs: Any) -> Answer:
        """What the provider gets in the callable's place."""
        exchange = Exchange(
            connection=next(self._numbers), target=self._target, called=Called(args, kwargs)
        )
        self._exchanges.add(exchange)
        given = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
        exchange.asked(f"({', '.join(given)})".encode(errors="backslashreplace"))
        request = exchange.request
        try:
            steps = self._scripts.take(request)
        except Exception as fault:
            self._faults.add(fault)
            raise
        if steps is None:
            exchange.ended("server", "end")
            exchange.gone()
            raise WrongUseError("nothing was queued for this call", hint="play a script first")
        stopped = partial(self._is_stopped, request.called) if self._stopped else None
        answer = Answer(self._moves(steps, request), exchange, stopped=stopped)
        self._answers.add(answer)
        return answer

    def _is_stopped(self, called: Called) -> bool:
        try:
            return self._stopped is not None and self._stopped(called)
        except Exception as fault:
            self._faults.add(fault)
            raise

    def _moves(self, steps: Sequence[Step], request: RawRequest) -> Iterator[_Said | _Wait]:
        try:
            yield from _played(steps, self._codec.encoder(request), self._gates)
        except Exception as fault:
            self._faults.add(fault)
            raise


@dataclass(frozen=True, slots=True)
class _Said:
    """Something for the client; an exception is raised."""

    event: object


@dataclass(frozen=True, slots=True)
class _Wait:
    """Nothing, until something is done, or for so many seconds; else for ever."""

    until: Future[None] | None = None
    seconds: float | None = None


def _played(steps: Sequence[Step], encoder: Encoder, gates: Gates) -> Iterator[_Said | _Wait]:
    """A script, move by move; whoever takes them does the waiting."""
    pause = 0.0
    for step in steps:
        for event in [step.data] if isinstance(step, Message) else said(step, encoder):
            if pause:
                yield _Wait(seconds=pause)
            yield _Said(event)
        match step:
            case Drip():
                pause = step.seconds
            case Gate():
                yield _Wait(until=gates.reach(step.name))
            case Silence():
                yield _Wait()
            case HangUp():
                return
    yield _Wait()


class Answer:
    """What a call gives: an iterator for coroutines, or for threads, that wants to be closed.

    As with a generator, whatever is thrown into a wait ends it, a cancel for one; it can't be
    closed or asked by another meanwhile, nor copied or pickled at any time. A library that was
    told to stop ends the iteration of the thread that waits.

    It may be awaited, and entered, as some libraries have it: both give itself, at once, and
    leaving its block closes it.

    Args:
        moves: the script, move by move.
        exchange: what is seen of its user.
        stopped: whether the library was told to stop; None where that can't be told.
    """

    def __init__(
        self,
        moves: Iterator[_Said | _Wait],
        exchange: Exchange,
        *,
        stopped: Callable[[], bool] | None = None,
    ) -> None:
        self._moves = moves
        self._exchange = exchange
        self._stopped = stopped
        self._running = threading.Lock()
        self._is_over = False
        self._ending = threading.Lock()
        self._wake: Callable[[], None] = _nobody

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("an answer can be neither copied nor pickled, as no generator can")

    async def __anext__(self) -> Any:
        with self._alone(RuntimeError("anext(): asynchronous generator is already running")):
            try:
                while isinstance(move := self._next_move(), _Wait):
                    await self._wait_async(move)
            except BaseException:
                self.end("client", "generator")
                raise
            if move is None:
                raise StopAsyncIteration
            return self._given(move.event)

    async def aclose(self) -> None:
        """Be done with it; as often as you like.

        Raises:
            RuntimeError: somebody waits for its next thing.
        """
        with self._alone(RuntimeError("aclose(): asynchronous generator is already running")):
            self.end("client", "generator")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        with self._alone(ValueError("generator already executing")):
            try:
                self._heed()
                while isinstance(move := self._next_move(), _Wait):
                    self._wait(move)
            except BaseException:
                self.end("client", "generator")
                raise
            if move is None:
                raise StopIteration
            return self._given(move.event)

    def close(self) -> None:
        """Be done with it; as often as you like.

        Raises:
            ValueError: somebody waits for its next thing.
        """
        with self._alone(ValueError("generator already executing")):
            self.end("client", "generator")

    def end(self, by: Side, how: str) -> None:
        """Note an end, and wake whoever waits. For the engine."""
        with self._ending:
            if self._is_over:
                return
            self._is_over = True
            self._exchange.ended(by, how)
            self._exchange.gone()
        self._wake()

    def __del__(self) -> None:
        if not self._is_over:
            self._exchange.ended("client", "collected")

    @contextmanager
    def _alone(self, otherwise: Exception) -> Iterator[None]:
        """Nobody else does anything with it meanwhile."""
        if not self._running.acquire(blocking=False):
            raise otherwise
        try:
            yield
        finally:
            self._running.release()

    def _heed(self) -> None:
        """End it if the library was told to stop."""
        if self._stopped is not None and self._stopped():
            self.end("client", "generator")

    def _next_move(self) -> _Said | _Wait | None:
        """The script's next move; None at its end."""
        move: _Said | _Wait | None = None
        try:
            move = None if self._is_over else next(self._moves, None)
        finally:
            if move is None:
                self.end("server", "end")
        return move

    async def _wait_async(self, move: _Wait) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(woken.set)

        self._have_woken(wake, move)
        with suppress(TimeoutError):
            async with asyncio.timeout(move.seconds):
                await woken.wait()

    def _wait(self, move: _Wait) -> None:
        woken = threading.Event()
        self._have_woken(woken.set, move)
        if self._stopped is None:
            woken.wait(move.seconds)
            return
        until = inf if move.seconds is None else time.monotonic() + move.seconds
        while (left := until - time.monotonic()) > 0 and not woken.wait(min(left, _ATTENTION)):
            self._heed()  # which wakes

    def _have_woken(self, wake: Callable[[], None], move: _Wait) -> None:
        """Have whoever waits woken when what it waits for is done, or the answer is over."""
        with self._ending:
            self._wake, is_over = wake, self._is_over
        if is_over:
            wake()
        if move.until is not None:
            move.until.add_done_callback(lambda _: wake())

    def _given(self, event: object) -> object:
        if isinstance(event, BaseException):
            self.end("server", "end")
            raise event
        if self._exchange.first_sent is None:
            self._exchange.first_sent = time.monotonic()
        self._exchange.sent(1)
        return event


def _nobody() -> None:
    """Wake nobody."""
