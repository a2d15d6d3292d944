"""An HTTP client that shares no code with the upstreams: the standard library's."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from modelplug.testing.http import HttpUpstream


@contextmanager
def connected(upstream: HttpUpstream) -> Iterator[http.client.HTTPConnection]:
    """A connection that is kept from request to request."""
    host = upstream.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        yield connection


def post(
    connection: http.client.HTTPConnection, body: bytes = b'{"q": "hi"}'
) -> http.client.HTTPResponse:
    """Ask, and get the head of the response."""
    connection.request("POST", "/chat?key=hidden", body)
    return connection.getresponse()


def ask(upstream: HttpUpstream, body: bytes = b'{"q": "hi"}') -> tuple[int, bytes]:
    """The status and the body of a response, on a connection of its own."""
    with connected(upstream) as connection:
        response = post(connection, body)
        return response.status, response.read()


def said(body: bytes) -> list[object]:
    """What the events of a body say that is written as usual."""
    events = body.decode().removesuffix("\n\n").split("\n\n")
    return [json.loads(event.removeprefix("data: ")) for event in events if event[:1] == "d"]


def opened(upstream: HttpUpstream, body: bytes = b"hi") -> socket.socket:
    """A bare socket that has sent a request."""
    host, _, port = upstream.url.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(
        f"POST /chat HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return connection
