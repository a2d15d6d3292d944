"""One call: a program carried out, from a loop or from a thread, and judged."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from modelplug import (
    ModelOutput,
    ModelRequest,
    ModelStream,
    PluginContractError,
    ProxyLLMClient,
    ProxyLLMError,
)
from stress.clients import Clients
from stress.programs import Cut, Program
from stress.service import Served, Service

__all__ = ["HANGING_SECONDS", "Call", "Ending", "Outcome"]

HANGING_SECONDS = 20.0
"""A call that takes so much longer than its deadline hangs, however busy the machine is."""

Ending: TypeAlias = Literal["answer", "error", "cancelled", "abandoned", "closed", "hangs"]
"""How a call ended, if it did; ``closed``: its stream was, and its reader got no more."""


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What became of a call.

    Attributes:
        program: what it met.
        ending: how it ended; None while it goes on.
        error: the class of what it raised; empty for nothing.
        is_untyped: whether that is no error of ours.
        seconds: how long it took.
        cut_at: when its caller went, if it did before the end; ``time.monotonic()``.
        served: what the service did.
        broken: promises that it broke; empty if none.
    """

    program: Program
    ending: Ending | None = None
    error: str = ""
    is_untyped: bool = False
    seconds: float = 0.0
    cut_at: float | None = None
    served: Served | None = None
    broken: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """What it counts as: its ending, or the class of its error."""
        return self.error or str(self.ending)


class Call:
    """A program that is carried out, once.

    Args:
        program: which.
        service: who answers.
        clients: who asks.
    """

    def __init__(self, program: Program, service: Service, clients: Clients) -> None:
        self._program = program
        self._service = service
        self._clients = clients
        self._outcome = Outcome(program=program)

    async def run(self) -> Outcome:
        """Carry it out on this loop."""
        client = self._begin()
        try:
            cut = self._program.cut
            if cut is not None and cut.going == "abandon":
                await self._abandon(cut, client)
            else:
                await self._ask(client)
        finally:
            self._end(client)
        return self._outcome

    def run_in_thread(self) -> Outcome:
        """Carry it out in this thread."""
        client = self._begin()
        try:
            self._ask_in_thread(client)
        finally:
            self._end(client)
        return self._outcome

    # ------------------------------------------------------------------ from a loop

    async def _ask(self, client: ProxyLLMClient) -> None:
        whole = self._program.way == "generate"
        stream = None if whole else client.generate_stream(self._request)
        asking = asyncio.ensure_future(
            client.generate(self._request) if stream is None else stream.final()
        )
        cut = self._program.cut
        if cut is not None:
            await self._moment(cut, asking)
            if not asking.done():
                await self._go(cut, asking, stream, client)
        await asyncio.wait([asking], timeout=self._hanging)
        if not asking.done():
            self._outcome.ending = "hangs"
            asking.cancel()
        elif asking.cancelled():
            self._outcome.ending = "cancelled"
        elif (error := asking.exception()) is not None:
            self._failed(error)
        else:
            self._answered(asking.result().text)
        if cut is not None and self._outcome.cut_at is not None and cut.going == "cancel":
            self._promise(self._outcome.ending == "cancelled", "a cancel was swallowed")

    async def _go(
        self,
        cut: Cut,
        asking: asyncio.Future[ModelOutput],
        stream: ModelStream | None,
        client: ProxyLLMClient,
    ) -> None:
        """Have its caller go."""
        self._outcome.cut_at = time.monotonic()
        if cut.going == "cancel":
            asking.cancel()
        elif cut.going == "close" and stream is not None:
            await stream.aclose()
        else:
            client.close()

    async def _abandon(self, cut: Cut, client: ProxyLLMClient) -> None:
        """Read some outputs, and drop the stream as it is."""
        stream, left = client.generate_stream(self._request), cut.outputs
        try:
            async for output in stream:
                left -= 1
                if output.final:
                    self._answered(output.text)
                    return
                if left <= 0:
                    self._outcome.ending, self._outcome.cut_at = "abandoned", time.monotonic()
                    return
        except ProxyLLMError as error:
            self._failed(error)
        else:
            self._outcome.ending = "closed"
            self._promise(False, "it ended without an end")

    async def _moment(self, cut: Cut, asking: asyncio.Future[ModelOutput]) -> None:
        """Wait until its caller goes, or has no need to."""
        for _ in range(cut.turns):
            if asking.done():
                return
            await asyncio.sleep(0)
        if cut.seconds:
            await asyncio.wait([asking], timeout=cut.seconds)

    # ------------------------------------------------------------------ from a thread

    def _ask_in_thread(self, client: ProxyLLMClient) -> None:
        cut, going = self._program.cut, None
        try:
            if self._program.way == "sync_generate":
                if cut is not None:
                    going = self._later(cut, client.close)
                self._answered(client.sync_generate(self._request).text)
                return
            stream = client.sync_generate_stream(self._request)
            if cut is not None and cut.going != "abandon":
                go = stream.close if cut.going == "close" else client.close
                going = self._later(cut, go)
            for count, output in enumerate(stream, 1):
                if output.final:
                    self._answered(output.text)
                elif cut is not None and cut.going == "abandon" and count >= cut.outputs:
                    self._outcome.ending, self._outcome.cut_at = "abandoned", time.monotonic()
                    return
            if self._outcome.ending is None:
                # Closed before it was first read, or between two outputs that were at hand.
                self._outcome.ending = "closed"
                self._promise(cut is not None and cut.going == "close", "it ended without an end")
        except Exception as error:  # noqa: BLE001  # whatever it is, it is judged
            self._failed(error)
        finally:
            if going is not None:
                going.cancel()
                going.join()

    def _later(self, cut: Cut, go: Callable[[], None]) -> threading.Timer:
        """Have its caller go, from another thread."""

        def leave() -> None:
            """Go, unless it is over."""
            if self._outcome.ending is None:
                self._outcome.cut_at = time.monotonic()
            go()

        timer = threading.Timer(cut.seconds or cut.turns / 5000, leave)
        timer.daemon = True
        timer.start()
        return timer

    # ------------------------------------------------------------------ both

    @property
    def _request(self) -> ModelRequest:
        return ModelRequest(messages=self._program.question, timeout=self._program.timeouts)

    @property
    def _hanging(self) -> float:
        return (self._program.timeouts.total or 0.0) + HANGING_SECONDS

    def _begin(self) -> ProxyLLMClient:
        self._outcome.served = self._service.expect(self._program)
        self._outcome.seconds = -time.monotonic()
        return self._clients.take(self._program)

    def _end(self, client: ProxyLLMClient) -> None:
        self._outcome.seconds += time.monotonic()
        is_over = self._outcome.seconds <= self._hanging and self._outcome.ending != "hangs"
        self._promise(is_over, f"it took more than {self._hanging:.1f} s")
        self._clients.give_back(client)
        self._service.forget(self._program)

    def _answered(self, text: str) -> None:
        self._outcome.ending = "answer"
        self._promise(text in self._program.texts, f"a wrong answer: {text!r}")

    def _failed(self, error: BaseException) -> None:
        self._outcome.ending, self._outcome.error = "error", type(error).__name__
        if not isinstance(error, ProxyLLMError):
            self._outcome.is_untyped = True
            self._outcome.broken.append(f"untyped: {error!r}")
            return
        blamed = isinstance(error, PluginContractError) or type(error) is ProxyLLMError
        self._promise(not blamed, f"a bug of ours: {error!r} of {error.__cause__!r}")
        said = error.partial.text if error.partial is not None else ""
        right = any(each.startswith(said) for each in self._program.beginnings)
        self._promise(right, f"a wrong partial: {said!r}")
        self._promise(error.partial is not None, f"no partial on {error!r}")

    def _promise(self, kept: bool, otherwise: str) -> None:
        if not kept:
            self._outcome.broken.append(otherwise)
