"""A codec that is nobody's, and clients that share no code with the upstreams."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from modelplug import Delta, Finish
from modelplug.testing import Fail, RawRequest, Status


class PlainEncoder:
    """Says things in one JSON object each."""

    def __init__(self, asked: str = "") -> None:
        self.asked = asked

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """The text."""
        return [json.dumps({"text": delta.text}).encode()]

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """The reason."""
        return [json.dumps({"done": finish.reason}).encode()]

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """The kind."""
        return [json.dumps({"failed": fail.kind}).encode()]

    def noise(self) -> Sequence[bytes]:
        """An object without anything in it."""
        return [b"{}"]


class PlainCodec:
    """Refuses wrong keys before the upgrade, as many services do."""

    def encoder(self, request: RawRequest) -> PlainEncoder:
        """One that knows the question."""
        return PlainEncoder(request.body.decode())

    def refusal(self, fail: Fail) -> Status | None:
        """401 for wrong keys."""
        return Status(401, "no") if fail.kind == "auth" else None


def ask(url: str, question: str = "hi") -> tuple[list[object], int]:
    """All that an upstream says to a question, by the websockets library, and its close code."""
    said: list[object] = []
    with connect(f"{url}/chat?key=hidden", proxy=None) as ws:
        ws.send(question)
        try:
            while True:
                message = ws.recv(timeout=10)
                said.append(json.loads(message))
        except ConnectionClosed:
            pass
    return said, ws.close_code or 0


def upgrade(url: str) -> socket.socket:
    """A bare socket that has sent the handshake of RFC 6455."""
    host, _, port = url.removeprefix("ws://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(
        f"GET /chat?key=hidden HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return connection


QUESTION = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi"
"""A masked text frame (RFC 6455, section 5.3)."""


def head_of(connection: socket.socket) -> bytes:
    """The answer to a handshake, up to its empty line."""
    head = b""
    while b"\r\n\r\n" not in head and (byte := connection.recv(1)):
        head += byte
    return head


def rest_of(connection: socket.socket) -> bytes:
    """All that still comes."""
    rest = b""
    while piece := connection.recv(1 << 16):
        rest += piece
    return rest
