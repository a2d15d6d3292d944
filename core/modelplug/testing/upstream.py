"""A scripted service, whatever its wire: what scripts it plays, to whom, and what it saw.

``WebSocketUpstream``, ``HttpUpstream`` and ``InProcessUpstream`` are the three kinds. Each plays
the same scripts, apart from what its kind of wire has no place for.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import ClassVar, Protocol, Self

from modelplug.testing.codec import Codec, RawRequest
from modelplug.testing.exchange import Exchanges
from modelplug.testing.faults import Faults
from modelplug.testing.gates import Gates
from modelplug.testing.scripts import Script, Scripts
from modelplug.testing.steps import Refuse, Step

__all__ = ["Upstream", "Wire"]


class Upstream(ABC):
    """A scripted service for tests, while it is entered.

    Attributes:
        lacks: kinds of steps that it can't play, and why not; those of a ``Garbage`` by its kind.
        wired: whether it is at an address, and what it says goes over a connection, in bytes.
        handshakes: whether it lets a client in before that asks, and takes leave of it: whether
            it speaks WebSocket.
    """

    lacks: ClassVar[Mapping[object, str]] = {}
    wired: ClassVar[bool] = True
    handshakes: ClassVar[bool] = False

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._gates = Gates()
        self._scripts: Scripts[RawRequest] = Scripts()

    @abstractmethod
    def __enter__(self) -> Self:
        """Serve.

        Raises:
            WrongUseError: it is entered already.
        """

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Cut every connection and stop.

        Raises:
            BaseException: the first that a codec raised, or a ``when``, or an emulator's own
                ``admit``, ``answer`` or ``leave``. What the block raised goes before it.
        """
        self._stop().come_out(exc)

    @abstractmethod
    def _stop(self) -> Faults:
        """Cut every connection and stop; what went wrong meanwhile."""

    async def __aenter__(self) -> Self:
        """As ``with`` does."""
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """As ``with`` does, off this loop."""
        await asyncio.to_thread(self.__exit__, exc_type, exc, traceback)

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, as an origin.

        Raises:
            WrongUseError: it isn't entered.
        """

    @property
    @abstractmethod
    def exchanges(self) -> Exchanges:
        """What it saw, in order."""

    @property
    def open_count(self) -> int:
        """How many exchanges are open."""
        return sum(each.closed is None for each in self.exchanges)

    @property
    def connection_count(self) -> int:
        """How many connections are open: over HTTP also those on which nothing is asked now."""
        return self.open_count

    def cannot(self, step: Step) -> str:
        """Why this kind of service can't play a step; empty if it can."""
        kind = getattr(step, "kind", None)
        return self.lacks.get(type(step), "") or self.lacks.get((type(step), kind), "")

    def play(
        self,
        *steps: Step,
        times: int | None = 1,
        when: Callable[[RawRequest], bool] | None = None,
    ) -> None:
        """Queue a script for the next request, or the next ones.

        Args:
            steps: see ``modelplug.testing.steps``.
            times: for how many requests; None for all that come.
            when: for which requests; None for any. It sees what was asked; but for a script
                that answers a WebSocket's handshake there is only the handshake.

        Raises:
            OSError: the address was taken meanwhile.
            TypeError, ValueError: what can't be played.
            WrongUseError: the upstream isn't entered, or its loop has no time for it.
        """
        script = Script(steps, when, times)
        if lacking := next(filter(None, map(self.cannot, steps)), ""):
            raise ValueError(f"a script can't be played here: {lacking}")
        refusing = Refuse() in steps
        self._refuse(refusing=refusing)
        if not refusing:
            self._scripts.add(script)

    def release(self, gate: str) -> None:
        """Open a gate."""
        self._gates.release(gate)

    def wait_reached(self, gate: str, within: float = 10.0) -> bool:
        """Wait until a script has come to a gate, ``within`` seconds; whether it has."""
        return self._gates.wait_reached(gate, within)

    @abstractmethod
    def _refuse(self, *, refusing: bool) -> None:
        """Take no connections, or take them again."""


class Wire(Protocol):
    """What makes an upstream that plays scripts in the words of a codec: its class, mostly."""

    def __call__(self, codec: Codec, *, tls: bool = False) -> Upstream:
        """An upstream; with ``tls``, one whose certificate nobody trusts."""
        ...  # pragma: no cover
