"""A WebSocket server on which a test plays the service by hand."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Play = Callable[[ServerConnection], Awaitable[None]]


class Upstream:
    """Where it is, and what it was asked.

    Attributes:
        url: its origin.
        targets: the request targets, queries included.
        questions: the messages, as plain JSON.
    """

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}"
        self.targets: list[str] = []
        self.questions: list[Any] = []


@asynccontextmanager
async def upstream(
    play: Play, *, refuse: tuple[int, str, dict[str, str]] | None = None
) -> AsyncIterator[Upstream]:
    """A server that reads one message a connection and then does what ``play`` says.

    Args:
        play: called with the connection once the question is in.
        refuse: status, body and headers of an answer instead of the upgrade.
    """
    seen: list[Upstream] = []

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        seen[0].targets.append(request.path)
        if refuse is None:
            return None
        status, body, headers = refuse
        response = connection.respond(HTTPStatus(status), body)
        for name, value in headers.items():
            response.headers.pop(name, None)
            response.headers[name] = value
        return response

    async def converse(connection: ServerConnection) -> None:
        seen[0].questions.append(json.loads(await connection.recv()))
        await play(connection)

    async with serve(converse, "127.0.0.1", 0, process_request=admit, close_timeout=1) as server:
        seen.append(Upstream(server.sockets[0].getsockname()[1]))
        yield seen[0]


def says(*frames: bytes, close: int | None = 1000) -> Play:
    """A service that sends these frames, and closes as the real one does."""

    async def play(connection: ServerConnection) -> None:
        for frame in frames:
            await connection.send(frame, text=True)
        if close is None:
            connection.transport.abort()
        else:
            await connection.close(close, "close this ws conn")

    return play
