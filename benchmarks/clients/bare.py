"""The shortest loops that one writes by hand: what everything else is measured by.

They sign nothing, check nothing and have no clock but the library's own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator

from benchmarks.clients.face import AsyncClient, SyncClient

PATH = "/v1.1/chat"
ASKED = json.dumps({"header": {"app_id": "a"}, "payload": {"message": {"text": []}}})
BODY = json.dumps({"model": "some-model", "stream": True, "messages": []}).encode()
HEADERS = {"content-type": "application/json"}
DONE = "data: [DONE]"


class WebSockets(AsyncClient):
    """websockets' own asyncio client, as it is by default, and ``json.loads``."""

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        from websockets.asyncio.client import connect

        # No context is given for wss: the library makes its default one for each connection.
        url = f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}{PATH}"
        async with connect(url) as socket:
            await socket.send(ASKED)
            async for message in socket:
                yield json.loads(message)["payload"]["choices"]["text"][0]["content"]


class SharedContext(AsyncClient):
    """The same, with one TLS context for all connections."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        import ssl

        super().__init__(port, tls=tls)
        self.context = ssl.create_default_context()

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        from websockets.asyncio.client import connect

        url = f"wss://127.0.0.1:{self.port}{PATH}"
        async with connect(url, ssl=self.context) as socket:
            await socket.send(ASKED)
            async for message in socket:
                yield json.loads(message)["payload"]["choices"]["text"][0]["content"]


class WebSocketsSync(SyncClient):
    """websockets' threaded client, as it is by default, and ``json.loads``."""

    def pieces(self) -> Generator[str]:
        """See ``SyncClient``."""
        from websockets.sync.client import connect

        url = f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}{PATH}"
        with connect(url) as socket:
            socket.send(ASKED)
            for message in socket:
                yield json.loads(message)["payload"]["choices"]["text"][0]["content"]


class Httpx(AsyncClient):
    """httpx' lines and ``json.loads``; one client, which keeps its connections."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        import httpx

        super().__init__(port, tls=tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1/chat/completions"
        limits = httpx.Limits(max_connections=None)
        self.client = httpx.AsyncClient(timeout=60, limits=limits)

    async def pieces(self) -> AsyncGenerator[str]:
        """See ``AsyncClient``."""
        asked = self.client.stream("POST", self.url, content=BODY, headers=HEADERS)
        async with asked as response:
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != DONE:
                    yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""

    async def close(self) -> None:
        """See ``AsyncClient``."""
        await self.client.aclose()


class HttpxSync(SyncClient):
    """The same, blocking."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        import httpx

        super().__init__(port, tls=tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1/chat/completions"
        self.client = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=None))

    def pieces(self) -> Generator[str]:
        """See ``SyncClient``."""
        asked = self.client.stream("POST", self.url, content=BODY, headers=HEADERS)
        with asked as response:
            for line in response.iter_lines():
                if line.startswith("data: ") and line != DONE:
                    yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""

    def close(self) -> None:
        """See ``SyncClient``."""
        self.client.close()
