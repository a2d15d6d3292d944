"""uvicorn with h11, which shares no parser with us, and a small app, until standard input ends.

Prints its address. Each response has the client's port as a header: who has the same port again
is on the same connection.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """Answer as the path says."""
    asked = b""
    while (message := await receive())["type"] == "http.request":
        asked += message["body"]
        if not message["more_body"]:
            break
    path = scope["path"]
    status, headers = 200, {"x-port": str(scope["client"][1])}
    parts = [json.dumps({"method": scope["method"], "size": len(asked)}).encode()]
    if path == "/chunked":
        parts = [b"one, ", b"two, " * 20_000, b"three"]
    elif path.startswith("/cut"):
        parts = [b"half of "]
    elif path == "/refused":
        status, parts = 429, [b'{"error": "slow down"}']
        headers["retry-after"] = "7"
    elif path == "/last":
        headers["connection"] = "close"
    if path not in ("/chunked", "/cut-chunks"):
        headers["content-length"] = str(sum(map(len, parts)) + 100 * (path == "/cut"))
    told = [(name.encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": told})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    if path == "/cut-chunks":
        raise RuntimeError("as an app that fails in the middle")
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def main() -> None:
    """Serve, wait."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http="h11", lifespan="off", log_level="error"))
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    sys.stdin.read()


main()
