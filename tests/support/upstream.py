"""A scripted WebSocket service in a thread of its own, and frames as Spark sends them."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from modelplug import ProxyLLMClient, new_client

Step = str | bytes | threading.Event | int | None
"""A message to send, a gate to wait for, a close code, or None: cut without a close frame."""

SILENT = logging.Logger("tests.upstream")  # noqa: LOG001  # outside the hierarchy, so it prints nothing
SILENT.disabled = True


def frame(
    text: str = "", *, status: int = 1, seq: int = 0, code: int = 0, message: str = "Success"
) -> str:
    """A Spark frame; one with a code has no payload (SOURCES.md section 4.5)."""
    header = {"code": code, "message": message, "sid": "cht000b0c24@dx1916602ea10b808550"}
    if code:
        return json.dumps({"header": {**header, "status": 2}})
    payload: dict[str, object] = {
        "choices": {
            "status": status,
            "seq": seq,
            "text": [{"content": text, "role": "assistant", "index": 0}],
        }
    }
    if status == 2:
        counts = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        payload["usage"] = {"text": {"question_tokens": 3, **counts}}
    return json.dumps({"header": {**header, "status": status}, "payload": payload})


def answer(*pieces: str) -> list[str]:
    """The frames of a whole answer in these pieces."""
    last = len(pieces) - 1
    return [
        frame(text, status=2 if at == last else min(at, 1), seq=at)
        for at, text in enumerate(pieces)
    ]


@dataclass
class Upstream:
    """What the service is told to do, and what it saw.

    Attributes:
        steps: what it does once it has read a message.
        refusal: status and body instead of a handshake.
        paths: request targets in the order of their handshakes.
        messages: what was asked.
        gone: set when a peer has left before the steps were done, or after.
    """

    steps: Sequence[Step] = ()
    refusal: tuple[int, str] | None = None
    url: str = ""
    paths: list[str] = field(default_factory=list)
    messages: list[dict[str, object]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Take note of the handshake, and refuse it if told so."""
        self.paths.append(request.path)
        if self.refusal is None:
            return None
        status, body = self.refusal
        return connection.respond(HTTPStatus(status), body)

    async def converse(self, connection: ServerConnection) -> None:
        """Read a message, play the steps, wait for the peer to leave."""
        try:
            self.messages.append(json.loads(await connection.recv()))
            for step in self.steps:
                if isinstance(step, threading.Event):
                    await asyncio.to_thread(step.wait, 30)
                elif isinstance(step, int):
                    await connection.close(step)
                elif step is None:
                    connection.transport.abort()
                else:
                    await connection.send(step, text=True)
            await connection.wait_closed()
        except ConnectionClosed:
            pass
        finally:
            self.gone.set()

    @contextmanager
    def serving(self) -> Iterator[Upstream]:
        """Serve from a thread; ``url`` is its origin."""
        ready, stop = threading.Event(), asyncio.Event()
        loops: list[asyncio.AbstractEventLoop] = []

        async def main() -> None:
            loops.append(asyncio.get_running_loop())
            async with serve(
                self.converse,
                "127.0.0.1",
                0,
                process_request=self.admit,
                logger=SILENT,
                close_timeout=1,
            ) as server:
                port = next(iter(server.sockets)).getsockname()[1]
                self.url = f"ws://127.0.0.1:{port}"
                ready.set()
                await stop.wait()
                server.close(close_connections=True)

        thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            for step in self.steps:
                if isinstance(step, threading.Event):
                    step.set()  # or the thread that waits for it would hold the loop up
            loops[0].call_soon_threadsafe(stop.set)
            thread.join(10)


KEY, SECRET = "key-0123456789abcdef+/=", "secret-0123456789abcdef+/="
"""Credentials whose encoded forms all differ from the raw ones."""


def client_of(
    upstream: Upstream, config: str = "spark:generalv3.5", **more: object
) -> ProxyLLMClient:
    """A Spark client of a scripted service."""
    account = {"api_app_id": "12345678", "api_key": KEY, "api_secret": SECRET}
    return new_client({"backend": config, "api_base": upstream.url, **account, **more})
