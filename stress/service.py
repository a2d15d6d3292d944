"""The service that is asked: Spark's words on real connections, in a thread of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from modelplug.testing import Exchange, Exchanges, Hang, RawRequest, Status, Step
from modelplug.testing.connection import Connection
from modelplug.testing.gates import Gates
from modelplug.testing.player import Player
from modelplug.testing.websocket import WebSocketServer
from modelplug_spark.codec import SparkCodec
from stress.programs import Program

__all__ = ["Served", "Service"]

_NUMBER = re.compile(rb"call (\d+) says")
_NOWHERE = "ws://127.0.0.1:1"
"""Where nobody listens."""


class Served:
    """What the service did for one program.

    Attributes:
        exchanges: its connections, as far as they were asked something.
    """

    def __init__(self, scripts: Sequence[Sequence[Step]]) -> None:
        self.exchanges: list[Exchange] = []
        self._scripts = scripts

    def attempt(self, exchange: Exchange) -> Sequence[Step]:
        """What to do for its next attempt."""
        self.exchanges.append(exchange)
        return self._scripts[min(len(self.exchanges), len(self._scripts)) - 1]


class _Forgetful(Exchanges):
    """Keeps nothing: a run of hours has millions of exchanges."""

    def add(self, exchange: Exchange) -> None:
        """Pass over it: those that count are kept by their programs."""


class Service:
    """Does for each question what its program says, while it is entered."""

    def __init__(self) -> None:
        self._codec = SparkCodec()
        self._gates = Gates()
        self._served: dict[int, Served] = {}
        self._server = WebSocketServer(self._converse, admit=_admit)
        self._server.exchanges = _Forgetful()

    def __enter__(self) -> Self:
        """Serve."""
        self._server.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; what its own code raised is raised here."""
        self._server.__exit__(exc_type, exc, traceback)

    def url(self, target: str) -> str:
        """The address of Spark, or of a door that doesn't open."""
        if target == "refused":
            return _NOWHERE
        return self._server.url if target == "spark" else f"{self._server.url}/door/{target}"

    def expect(self, program: Program) -> Served:
        """Have a program's scripts ready."""
        served = self._served[program.number] = Served(program.scripts)
        return served

    def forget(self, program: Program) -> None:
        """Its call is over."""
        del self._served[program.number]

    async def _converse(self, connection: Connection) -> None:
        request = await connection.receive()
        number = _NUMBER.search(request.body)
        served = self._served.get(int(number[1])) if number else None
        if served is None:
            await connection.close(1000)  # its caller has gone before the question was read
            return
        steps = served.attempt(connection.exchange)
        await Player(connection, self._codec.encoder(request), self._gates).play(steps)


def _admit(request: RawRequest) -> Status | Hang | None:
    """What a door answers to a handshake; its path names it."""
    _, door, what = request.path.rpartition("/door/")
    if not door:
        return None
    return Hang() if what == "hang" else Status(int(what), headers={"Retry-After": "0"})
