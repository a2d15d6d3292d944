"""The HTTP shell, against servers that behave and servers that don't."""

from __future__ import annotations

import asyncio
import gc
import http.server
import itertools
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, final

import pytest

from modelplug import Finish
from modelplug.call import Call
from modelplug.errors import (
    ClientClosedError,
    ConnectError,
    ConnectionLostError,
    HandshakeError,
    Phase,
    ProtocolError,
    ProxyLLMError,
    RateLimitError,
    ResolveError,
    TlsError,
    TooLargeError,
    UnsafeEndpointError,
    UnsupportedOptionError,
    WrongUseError,
)
from modelplug.secrets import Secret
from modelplug.testing.http import HttpUpstream
from modelplug.transport import Endpoint, httpconnection, httpparser
from modelplug.transport import http as shell
from modelplug.transport.http import Connections, Refusal, Response
from tests.core.testing.plain import PlainCodec
from tests.core.transport.peers import (
    Certificates,
    Handler,
    Peer,
    cancelled_at,
    chunked,
    everything_told,
    open_descriptors,
    requested,
    reset,
    responding,
    silence,
    sized,
    turns,
    until,
)

T = TypeVar("T")

KEY = "k3y-Zq7CanaryX9"
QUESTION = b"qu3stion-Zq7Canary"
HEADERS: Mapping[str, str | Secret] = {
    "authorization": Secret(f"Bearer {KEY}"),
    "content-type": "application/json",
}


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    """An authority for this module."""
    return Certificates()


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, certificates: Certificates) -> Certificates | None:
    """The test runs twice: without TLS and with it."""
    return certificates if request.param == "https" else None


@pytest.fixture
def connections(tls: Certificates | None) -> Iterator[Connections]:
    """A client's connections, without TLS and with it."""
    made = Connections(tls=tls and tls.client)
    yield made
    made.close()


def peer_of(handler: Handler, tls: Certificates | None = None) -> Peer:
    """A peer for HTTP, over TLS if there are certificates."""
    return Peer(handler, tls=tls and tls.server, scheme="http")


async def ask(
    connections: Connections,
    endpoint: Endpoint,
    *,
    call: Call | None = None,
    body: bytes = b"question",
    headers: Mapping[str, str | Secret] = HEADERS,
    on_refusal: Callable[[Refusal], ProxyLLMError] | None = None,
) -> bytes:
    """The whole body of one response."""
    async with connections.request(
        endpoint, call=call or Call(), headers=headers, body=body, on_refusal=on_refusal
    ) as response:
        return await response.read()


async def ask_once(endpoint: Endpoint, **options: object) -> bytes:
    """The same, by a client that closes after it."""
    connections = Connections()
    try:
        return await ask(connections, endpoint, **options)  # type: ignore[arg-type]
    finally:
        connections.close()


async def failure(endpoint: Endpoint, **options: object) -> ProxyLLMError:
    """What a request ends with."""
    with pytest.raises(ProxyLLMError) as caught:
        await ask_once(endpoint, **options)
    return caught.value


def phases_of(call: Call) -> list[tuple[Phase, str]]:
    """A list that gets each phase that the call reaches from now on, with its ``sent``."""
    reached: list[tuple[Phase, str]] = []
    call._on_phase = lambda phase, _: reached.append((phase, call.sent))
    return reached


# Requests that go well.


async def test_the_server_sees_what_was_asked() -> None:
    """The head is ours, the caller's headers and the query are in it, the body follows."""
    seen: list[bytes] = []

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await requested(reader))
        writer.write(sized(b"yes"))
        await silence(reader, writer)

    connections = Connections()
    async with peer_of(record) as peer:
        async with connections.request(
            peer.endpoint, call=Call(), query="a=b", headers=HEADERS, body="模型".encode()
        ) as response:
            assert await response.read() == b"yes"
        connections.close()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /chat?a=b HTTP/1.1"
    agent = next(line for line in lines if line.startswith("user-agent"))
    assert agent.startswith("user-agent: modelplug/")
    assert sorted({*lines} - {agent}) == [
        "accept-encoding: identity",
        f"authorization: Bearer {KEY}",
        "content-length: 6",
        "content-type: application/json",
        f"host: {peer.endpoint.host_header}",
    ]
    assert body == "模型".encode()


async def test_a_response_tells_its_head(
    tls: Certificates | None, connections: Connections
) -> None:
    """Status, headers by names in lower case, and the media type alone."""
    answer = sized(b"{}", status=201, head=b"Content-Type: Application/JSON; charset=x\r\n")
    async with (
        peer_of(responding(answer), tls) as peer,
        connections.request(peer.endpoint, call=Call()) as response,
    ):
        assert (response.status, response.content_type) == (201, "application/json")
        assert response.headers["content-type"] == "Application/JSON; charset=x"
        assert repr(response) == f"<Response 201 of {peer.endpoint}>"
        assert [await response.take(), await response.take()] == [b"{}", b""]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["text/event-stream", "Text/Event-Stream; charset=utf-8"], "text/event-stream"),
        (["text/html", "text/event-stream"], "text/html, text/event-stream"),
        (['multipart/x; boundary="a,b"'], "multipart/x"),
        ([], ""),
    ],
    ids=["twice", "two", "comma", "none"],
)
async def test_a_media_type_may_come_twice(
    tls: Certificates | None, connections: Connections, lines: list[str], kind: str
) -> None:
    """Proxies repeat it; of two that differ neither counts."""
    head = "".join(f"Content-Type: {line}\r\n" for line in lines).encode()
    async with (
        peer_of(responding(sized(b"a", head=head)), tls) as peer,
        connections.request(peer.endpoint, call=Call()) as response,
    ):
        assert kind == response.content_type


async def test_the_call_learns_each_phase() -> None:
    """connecting, open, sent; the service can have seen the request only from then on."""
    async with peer_of(responding(sized(), sized())) as peer:
        connections = Connections()
        for _ in range(2):  # a connection that was kept makes no difference
            call = Call()
            reached = phases_of(call)
            await ask(connections, peer.endpoint, call=call)
            assert reached == [("connecting", "no"), ("open", "no"), ("sent", "maybe")]
        connections.close()
    assert peer.connections == 1


async def test_pieces_come_as_they_come(tls: Certificates | None, connections: Connections) -> None:
    """A piece is there before the next is sent, and before the end."""
    go_on = asyncio.Event()

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await requested(reader)
        writer.write(chunked(b"a", end=False))
        await go_on.wait()
        writer.write(b"1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")
        await silence(reader, writer)

    async with (
        peer_of(hesitate, tls) as peer,
        connections.request(peer.endpoint, call=Call()) as response,
    ):
        assert await response.take() == b"a"
        go_on.set()
        assert [await response.take(), await response.take()] == [b"bc", b""]


async def test_one_byte_at_a_time() -> None:
    """Head and body may come in the smallest pieces, interim responses before them."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await requested(reader)
        answer = chunked("模".encode(), b"x" * 99)
        for byte in b"HTTP/1.1 100 Continue\r\n\r\n" + answer:
            writer.write(bytes([byte]))
            await turns(2)

    async with peer_of(drip) as peer:
        assert await ask_once(peer.endpoint) == "模".encode() + b"x" * 99


async def test_many_requests_in_one_loop() -> None:
    """Two hundred at once, each with its own answer; closing leaves nothing of them."""

    async def number(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await requested(reader)
        await barrier.wait()
        writer.write(sized(request.split()[1]))
        await silence(reader, writer)

    barrier, connections = asyncio.Barrier(200), Connections()
    async with peer_of(number) as peer:
        before = open_descriptors()
        paths = [f"/{each}" for each in range(200)]
        answers = await asyncio.gather(
            *[ask(connections, peer.endpoint.with_path(path)) for path in paths]
        )
        assert answers == [path.encode() for path in paths]
        connections.close()
        await peer.gone()
        await until(lambda: open_descriptors() == before)


async def test_nothing_is_lost_where_tls_ends(certificates: Certificates) -> None:
    """A server that hangs up right after a long answer is heard to its end."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    body = b"0123456789" * 30_000
    connections = Connections(tls=certificates.client)
    for answer in (sized(body), b"HTTP/1.1 200 OK\r\n\r\n" + body):
        async with peer_of(responding(answer, then=hang_up), certificates) as peer:
            assert await ask(connections, peer.endpoint) == body


async def test_a_body_may_be_too_large() -> None:
    """Whoever wants the whole says how much that may be."""
    connections = Connections()
    async with (
        peer_of(responding(sized(b"x" * 1001))) as peer,
        connections.request(peer.endpoint, call=Call()) as response,
    ):
        with pytest.raises(TooLargeError):
            await response.read(limit=1000)


async def test_a_slow_reader_holds_the_server_back(certificates: Certificates) -> None:
    """Some hundred KiB wait at most; all of it comes in the end."""
    body, written = bytes(range(256)) * (1 << 14), asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await requested(reader)
        writer.write(sized(body))
        written.set()
        await silence(reader, writer)

    for tls in (None, certificates):
        connections = Connections(tls=tls and tls.client)
        async with (
            peer_of(pour, tls) as peer,
            connections.request(peer.endpoint, call=Call()) as response,
        ):
            await written.wait()
            await turns(1000)
            taken = await response.take()
            assert len(taken) <= (1 << 18) + (1 << 19)
            assert taken + await response.read() == body
        connections.close()


async def test_a_request_that_the_server_doesnt_read_is_not_sent() -> None:
    """The clock for opening runs on until the server has read what the buffers can't hold."""
    call, may_read = Call(), asyncio.Event()

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await may_read.wait()
        await requested(reader)
        writer.write(sized(b"read"))
        await silence(reader, writer)

    async with peer_of(hesitate) as peer:
        asking = asyncio.ensure_future(ask_once(peer.endpoint, call=call, body=b"x" * (32 << 20)))
        await until(lambda: call.phase == "open")
        await turns(5)
        assert (call.phase, call.sent) == ("open", "maybe")
        may_read.set()
        assert await asking == b"read"
        assert (call.phase, call.sent) == ("sent", "maybe")


async def test_an_early_answer_to_a_long_request_is_heard() -> None:
    """A service that refuses before it has read everything says why."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sized(b"too large", status=413))
        await silence(reader, writer)

    async with peer_of(refuse) as peer:
        error = await failure(peer.endpoint, body=b"x" * (32 << 20))
        await peer.gone()
    assert isinstance(error, HandshakeError)
    assert (error.status, error.provider_message) == (413, "too large")


# Others agree: servers that share no code with this.


@final
class Standard(http.server.BaseHTTPRequestHandler):
    """The standard library's server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Echo the body by its length, or in chunks, each with a write of its own."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Port", str(self.client_address[1]))
        if self.path == "/length":
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for byte in body:
            self.wfile.write(b"1\r\n%c\r\n" % byte)
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self) -> None:
        """There is no such page; where the connection comes from."""
        self.send_error(404, f"from {self.client_address[1]}")

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


@contextmanager
def standard_server() -> Iterator[Endpoint]:
    """It serves in a thread of its own."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Standard) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield Endpoint(scheme="http", host="127.0.0.1", port=server.server_port)
        finally:
            server.shutdown()
            thread.join()


async def test_the_standard_librarys_server_agrees() -> None:
    """By length and in chunks, and on one connection."""
    connections = Connections()
    with standard_server() as endpoint:
        ports = set()
        for path in ("/length", "/chunks", "/length"):
            async with connections.request(
                endpoint.with_path(path), call=Call(), body=b"echo"
            ) as response:
                ports.add(response.headers["x-port"])
                assert await response.read() == b"echo"
        assert len(ports) == 1
        error = None
        try:
            async with connections.request(endpoint, call=Call(), method="GET"):
                pass
        except HandshakeError as caught:
            error = caught
        connections.close()
    assert error is not None
    assert (error.status, error.retryable) == (404, False)
    assert f"from {ports.pop()}" in str(error.provider_message)


async def test_the_scripted_upstream_agrees() -> None:
    """Events come as they are said; the connection serves again, also after a refusal."""
    connections = Connections()
    with HttpUpstream(PlainCodec()) as upstream:
        endpoint = Endpoint.parse(upstream.url, schemes=("http",))
        for _ in range(3):
            upstream.play("Hel", "lo", Finish())
            events = await ask(connections, endpoint)
            assert events.count(b"data:") == 3
        error = None
        try:
            await ask(connections, endpoint)
        except HandshakeError as caught:
            error = caught
        assert error is not None
        assert (error.status, error.retryable) == (500, True)
        numbers = {exchange.connection for exchange in upstream.exchanges}
        connections.close()
    assert len(numbers) == 1


# Refusals.


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (429, True), (500, True), (599, True)],
)
async def test_a_refusal_has_status_and_words(
    tls: Certificates | None, connections: Connections, status: int, retryable: bool
) -> None:
    """As a HandshakeError, unless the provider makes something of it."""
    answer = sized(b'{"error":\n"no"}', status=status, head=b"Retry-After: 3\r\nX-ID: 7\r\n")
    async with peer_of(responding(answer, answer), tls) as peer:
        with pytest.raises(HandshakeError, match=str(status)) as caught:
            await ask(connections, peer.endpoint)
        error = caught.value
        assert (error.status, error.retryable, error.retry_after) == (status, retryable, 3.0)
        assert (error.provider_message, error.sent) == ('{"error": "no"}', "maybe")
        heard: list[Refusal] = []

        def refused(refusal: Refusal) -> ProxyLLMError:
            heard.append(refusal)
            return RateLimitError("slower", retry_after=refusal.retry_after)

        with pytest.raises(RateLimitError, match="slower"):
            await ask(connections, peer.endpoint, on_refusal=refused)
    assert (heard[0].status, heard[0].body, heard[0].retry_after) == (
        status,
        '{"error":\n"no"}',
        3.0,
    )
    assert heard[0].headers["x-id"] == "7"
    assert peer.connections == 1


@pytest.mark.parametrize("status", [101, 300, 301, 302, 303, 304, 307, 308, 399])
async def test_a_redirect_is_refused_and_not_followed(status: int) -> None:
    """Its target is contacted by nobody and told to nobody, not even the provider."""
    asked: list[Refusal] = []

    def refused(refusal: Refusal) -> ProxyLLMError:
        asked.append(refusal)
        return RateLimitError("never")

    async with peer_of(silence) as canary:
        target = f"Location: {canary.endpoint}?canary\r\n".encode()
        body = b"" if status == 304 else b"see the canary"
        handler = responding(sized(body, status=status, head=target))
        async with peer_of(handler) as peer:
            error = await failure(peer.endpoint, on_refusal=refused)
        assert canary.connections == 0
    assert isinstance(error, HandshakeError)
    assert (error.status, error.retryable, asked) == (status, False, [])
    assert "canary" not in everything_told(error)


async def test_an_endless_refusal_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 KiB of it are read, and the status is told; the body isn't, as it is no whole."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await requested(reader)
        writer.write(b"HTTP/1.1 503 X\r\n\r\n")
        while True:
            writer.write(b"x" * 9_999 + b" ")
            await writer.drain()

    heard: list[Refusal] = []

    def refused(refusal: Refusal) -> ProxyLLMError:
        heard.append(refusal)
        return RateLimitError("busy")

    async with peer_of(endless) as peer:
        assert isinstance(await failure(peer.endpoint, on_refusal=refused), RateLimitError)
        await peer.gone()
    assert (heard[0].message, heard[0].body) == ("x" * 8192, "")


@pytest.mark.parametrize(
    ("body", "told"),
    [(b"the key sk-cana", "the key"), (b"sk-cana", None), (b'{"a":\n"sk-cana', '{"a":')],
)
async def test_a_refusal_that_was_cut_ends_with_a_whole_word(body: bytes, told: str | None) -> None:
    """Its last may be half a secret, which nothing could find."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    begun = sized(body + b"ry", status=401)[:-2]
    async with peer_of(responding(begun, then=hang_up)) as peer:
        error = await failure(peer.endpoint)
    assert isinstance(error, HandshakeError)
    assert (error.status, error.provider_message) == (401, told)


async def test_a_refusal_that_never_ends_is_waited_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then what there is of it is told; a reset doesn't hide the status either."""
    monkeypatch.setattr(shell, "REFUSAL_SECONDS", 0.01)
    begun = sized(b"so sorry", status=429).replace(b": 8", b": 800")

    async def rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await turns(3)
        reset(writer)

    for then in (silence, rst):
        async with peer_of(responding(begun, then=then)) as peer:
            error = await failure(peer.endpoint)
            await peer.gone()
        assert isinstance(error, HandshakeError)
        assert (error.status, error.provider_message) == (429, "so")


async def test_a_compressed_refusal_still_has_its_status() -> None:
    """Its body is nothing that could be told."""
    answer = sized(b"\x1f\x8b\x08", status=502, head=b"Content-Encoding: gzip\r\n")
    async with peer_of(responding(answer)) as peer:
        error = await failure(peer.endpoint)
    assert isinstance(error, HandshakeError)
    assert (error.status, error.provider_message) == (502, None)


# Faults.


async def rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Something that breaks down."""
    reset(writer)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Something that goes away politely."""


@pytest.mark.parametrize("then", [rst, hang_up])
@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_cut_before_the_head(
    tls: Certificates | None, connections: Connections, begun: bytes, then: Handler
) -> None:
    """The service may have seen the request."""
    async with peer_of(responding(begun, then=then), tls) as peer:
        with pytest.raises(ConnectionLostError, match=str(peer.endpoint)) as caught:
            await ask(connections, peer.endpoint)
        assert (caught.value.sent, caught.value.__context__) == ("maybe", None)
        assert peer.connections == 1


@pytest.mark.parametrize("then", [rst, hang_up])
@pytest.mark.parametrize(
    "begun", [chunked(b"a", end=False), sized(b"aaa")[:-2], chunked(b"a")[:-2]]
)
async def test_cut_in_the_body(
    tls: Certificates | None, connections: Connections, begun: bytes, then: Handler
) -> None:
    """What came before is delivered, then the loss is raised, however often one asks."""
    cut, call = asyncio.Event(), Call()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await cut.wait()
        await then(reader, writer)

    async with (
        peer_of(responding(begun, then=wait), tls) as peer,
        connections.request(peer.endpoint, call=call) as response,
    ):
        assert await response.take() == b"a"
        call.reached("streaming")
        cut.set()
        for _ in range(2):
            with pytest.raises(ConnectionLostError, match=str(peer.endpoint)) as caught:
                await response.take()
            assert caught.value.sent == "yes"


async def test_what_came_before_a_violation_is_delivered() -> None:
    """Then the violation is raised, and the server is cut."""
    connections = Connections()
    async with (
        peer_of(responding(chunked(b"before", end=False) + b"xyz\r\n")) as peer,
        connections.request(peer.endpoint, call=Call()) as response,
    ):
        assert await response.take() == b"before"
        with pytest.raises(ProtocolError) as caught:
            await response.take()
        await peer.gone()
        assert (type(caught.value), caught.value.sent) == (ProtocolError, "maybe")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", ProtocolError),
        (b"\x15\x03\x03\x00\x02\x02\x28", ProtocolError),
        (sized(b"x", head=b"Transfer-Encoding: chunked\r\n"), ProtocolError),
        (sized(b"\x1f\x8b", head=b"Content-Encoding: gzip\r\n"), ProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, HandshakeError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 102, HandshakeError),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, HandshakeError),
    ],
)
async def test_an_answer_that_is_none_is_refused_at_once(
    answer: bytes, kind: type[ProxyLLMError]
) -> None:
    """The server is cut, whatever else it has to say."""
    async with peer_of(responding(answer)) as peer:
        error = await failure(peer.endpoint)
        await peer.gone()
    assert (type(error), error.__context__, error.__cause__) == (kind, None, None)


async def test_nobody_there(certificates: Certificates) -> None:
    """Refused, without TLS, without trust, without a name, and where it mustn't go."""
    async with peer_of(silence) as peer:
        gone = peer.endpoint
    error = await failure(gone)
    assert (type(error), error.sent) == (ConnectError, "no")
    async with peer_of(silence, certificates) as peer:
        assert type(await failure(peer.endpoint)) is TlsError
    async with peer_of(hang_up) as peer:
        secure = Endpoint(scheme="https", host="127.0.0.1", port=peer.endpoint.port)
        assert type(await failure(secure)) in (TlsError, ConnectError)
    nowhere = Endpoint(scheme="http", host="nobody.invalid", port=80)
    assert type(await failure(nowhere)) is ResolveError
    public = Endpoint(scheme="http", host="127.0.0.1", port=80, public_only=True)
    assert type(await failure(public)) is UnsafeEndpointError


async def test_a_header_that_cant_be_is_refused_before_anything_is_sent() -> None:
    """Nothing connects, and nothing of it is told."""
    async with peer_of(silence) as peer:
        with pytest.raises(UnsupportedOptionError) as caught:
            await ask_once(peer.endpoint, headers={"x": "canary\r\nevil: 1"})
        assert (peer.connections, caught.value.sent) == (0, "no")
    assert "canary" not in str(caught.value)


async def test_two_readers_are_one_too_many() -> None:
    """The second learns so, the first gets its bytes."""
    ask_on, connections = asyncio.Event(), Connections()

    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ask_on.wait()
        writer.write(b"1\r\na\r\n")
        await silence(reader, writer)

    async with (
        peer_of(responding(chunked(end=False), then=then)) as peer,
        connections.request(peer.endpoint, call=Call()) as response,
    ):
        first = asyncio.ensure_future(response.take())
        await turns(1)
        with pytest.raises(WrongUseError):
            await response.take()
        ask_on.set()
        assert await first == b"a"


async def test_a_cancelled_reader_loses_nothing() -> None:
    """What came while nobody read is there for the next."""
    ask_on, connections = asyncio.Event(), Connections()

    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ask_on.wait()
        writer.write(b"1\r\na\r\n")
        await silence(reader, writer)

    async with (
        peer_of(responding(chunked(end=False), then=then)) as peer,
        connections.request(peer.endpoint, call=Call()) as response,
    ):
        reader = asyncio.ensure_future(response.take())
        await turns(1)
        reader.cancel()
        ask_on.set()
        await asyncio.wait([reader])
        assert await response.take() == b"a"


# Connections that are kept.


async def test_a_whole_response_leaves_its_connection(
    tls: Certificates | None, connections: Connections
) -> None:
    """By length, in chunks, empty, and a refusal: one connection serves them all."""
    answers = [sized(b"a"), chunked(b"b", b"c"), sized(), sized(b"d", status=429), sized(b"e")]
    async with peer_of(responding(*answers), tls) as peer:
        got = []
        for _ in answers:
            try:
                got.append(await ask(connections, peer.endpoint))
            except HandshakeError as error:
                got.append(str(error.provider_message).encode())
        assert (got, peer.connections) == ([b"a", b"bc", b"", b"d", b"e"], 1)


SPOILT = {
    "the server says so": sized(b"a", head=b"Connection: close\r\n"),
    "it is of HTTP/1.0": sized(b"a").replace(b"1.1", b"1.0"),
    "more than the response came": sized(b"a") + b"HTTP/1.1 200 OK\r\n",
    "the server waits for a second": sized(b"a", head=b"Keep-Alive: timeout=1\r\n"),
}


@pytest.mark.parametrize("name", SPOILT)
async def test_a_connection_is_cut_if(
    tls: Certificates | None, connections: Connections, name: str
) -> None:
    """At once; the next request has one of its own."""
    async with peer_of(responding(SPOILT[name]), tls) as peer:
        assert await ask(connections, peer.endpoint) == b"a"
        await peer.gone()
        assert await ask(connections, peer.endpoint) == b"a"
        assert peer.connections == 2


async def test_a_response_that_is_left_early_is_cut(
    tls: Certificates | None, connections: Connections
) -> None:
    """Whatever ends the block, and the error is the block's own."""
    async with peer_of(responding(chunked(b"a", end=False)), tls) as peer:
        asking = connections.request(peer.endpoint, call=Call())
        await asking.__aenter__()
        mine = KeyError("mine")
        assert not await asking.__aexit__(KeyError, mine, None)
        await peer.gone()


class TestFinish:
    async def test_with_the_end_at_hand_the_connection_is_kept(
        self, tls: Certificates | None, connections: Connections
    ) -> None:
        """Nothing more is read."""
        answer = chunked(b"data: [DONE]\n\n")
        async with peer_of(responding(answer, answer), tls) as peer:
            for _ in range(2):
                async with connections.request(peer.endpoint, call=Call()) as response:
                    await response.take()
                    response.finish()
                    response.finish()
                    assert await response.take() == b""
            assert peer.connections == 1

    async def test_the_end_may_come_a_moment_later(
        self, tls: Certificates | None, connections: Connections
    ) -> None:
        """Servers write it by itself. Nobody waits, and no abort of the call that was cuts it."""
        end = asyncio.Event()

        async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await end.wait()
            writer.write(b"3\r\n: x\r\n0\r\n\r\n")
            await responding(sized(b"again"))(reader, writer)

        handler = responding(chunked(b"data: [DONE]\n\n", end=False), then=then)
        async with peer_of(handler, tls) as peer:
            call = Call()
            async with connections.request(peer.endpoint, call=call) as response:
                await response.take()
                response.finish()
            call.abort()
            response.abort()
            end.set()
            pool = connections._pool()
            await until(lambda: any(pool._idle.values()))
            assert await ask(connections, peer.endpoint) == b"again"
            assert peer.connections == 1

    async def test_an_end_that_doesnt_come_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor is one that is long; a request meanwhile has a connection of its own."""
        monkeypatch.setattr(httpconnection, "_LINGER_SECONDS", 0.01)
        connections = Connections()
        begun = chunked(b"data: [DONE]\n\n", end=False)

        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()

        for then in (silence, hang_up, rst, pour):
            async with peer_of(responding(begun, then=then)) as peer:
                async with connections.request(peer.endpoint, call=Call()) as response:
                    await response.take()
                    response.finish()
                async with connections.request(peer.endpoint, call=Call()) as response:
                    await response.take()
                assert peer.connections == 2
                await peer.gone()

    async def test_closing_cuts_what_still_ends(self) -> None:
        """Nothing is left of it."""
        connections = Connections()
        async with peer_of(responding(chunked(b"a", end=False))) as peer:
            async with connections.request(peer.endpoint, call=Call()) as response:
                await response.take()
                response.finish()
            connections.close()
            await peer.gone()


async def test_a_connection_that_dies_is_told_not_tried_again(
    tls: Certificates | None, connections: Connections
) -> None:
    """The service may have seen the request: whether to ask again isn't decided here."""
    seen: list[bytes] = []

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await requested(reader))

    async with peer_of(responding(sized(b"a"), then=die), tls) as peer:
        await ask(connections, peer.endpoint)
        with pytest.raises(ConnectionLostError) as caught:
            await ask(connections, peer.endpoint)
        assert (caught.value.sent, len(seen), peer.connections) == ("maybe", 1, 1)


async def test_a_kept_connection_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut without anybody asking."""
    monkeypatch.setattr(httpparser, "_IDLE_SECONDS", 0.01)
    async with peer_of(responding(sized(b"a"))) as peer:
        await ask(Connections(), peer.endpoint)
        await peer.gone()


# Leaving.


async def test_the_calls_abort_cuts_from_any_thread(
    tls: Certificates | None, connections: Connections
) -> None:
    """A reader that waits gets a ConnectionLostError, the server sees the end."""
    asyncio.get_running_loop().set_debug(True)  # which tells whose thread touches it
    call = Call()
    async with (
        peer_of(responding(chunked(end=False)), tls) as peer,
        connections.request(peer.endpoint, call=call) as response,
    ):
        reader = asyncio.ensure_future(response.take())
        await turns(1)
        thread = threading.Thread(target=call.abort)
        thread.start()
        with pytest.raises(ConnectionLostError, match="from this side"):
            await reader
        thread.join()
        await peer.gone()


async def test_a_call_that_is_aborted_connects_nowhere() -> None:
    """Abandoned before it began: no connection is made."""
    call = Call()
    call.abort()
    async with peer_of(silence) as peer:
        assert isinstance(await failure(peer.endpoint, call=call), ConnectionLostError)
        assert peer.connections == 0


async def test_aborted_while_connecting() -> None:
    """The connection is cut as soon as there is one."""
    call = Call()
    async with peer_of(silence) as peer:
        asking = asyncio.ensure_future(ask_once(peer.endpoint, call=call))
        await until(lambda: call.phase == "connecting")
        call.abort()
        with pytest.raises(ConnectionLostError):
            await asking
        assert call.phase == "connecting"
        await peer.gone()


async def test_a_late_abort_cuts_nobody_else(
    tls: Certificates | None, connections: Connections
) -> None:
    """A call that is over has no say over the connection that served it."""
    go_on = asyncio.Event()

    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await requested(reader)
        await go_on.wait()
        writer.write(sized(b"b"))
        await silence(reader, writer)

    async with peer_of(responding(sized(b"a"), then=then), tls) as peer:
        first = Call()
        await ask(connections, peer.endpoint, call=first)
        call = Call()
        asking = asyncio.ensure_future(ask(connections, peer.endpoint, call=call))
        await until(lambda: call.phase == "sent")
        first.abort()
        await asyncio.to_thread(first.abort)
        await turns(3)
        go_on.set()
        assert (await asking, peer.connections) == (b"b", 1)


async def test_a_call_is_freed_at_once_when_it_is_over() -> None:
    """Nothing that a call and its connection hold makes a cycle around the answer."""

    class Witness:
        def heard(self, phase: Phase, attempt: int) -> None:
            """A call holds whom it reports to."""

    connections = Connections()
    async with peer_of(responding(sized(b"a"), chunked(b"b"))) as peer:
        for _ in range(2):
            witness = Witness()
            gone = weakref.ref(witness)
            gc.disable()
            try:
                await ask(connections, peer.endpoint, call=Call(on_phase=witness.heard))
                await turns(3)
                del witness
                assert gone() is None
            finally:
                gc.enable()
        connections.close()


async def test_an_error_is_freed_at_once() -> None:
    """Its traceback holds our frames, but no frame of ours holds it."""

    async def failed(connections: Connections) -> weakref.ref[ProxyLLMError]:
        try:
            await ask(connections, peer.endpoint)
        except ProxyLLMError as error:
            return weakref.ref(error)
        raise AssertionError

    for handler in (
        responding(b"", then=hang_up),
        responding(sized(status=401)),
        responding(chunked(b"a", end=False), then=rst),
        responding(b"nonsense"),
    ):
        async with peer_of(handler) as peer:
            connections = Connections()
            gc.disable()
            try:
                assert (await failed(connections))() is None
            finally:
                gc.enable()
                connections.close()


async def test_cancelled_at_every_wait(
    tls: Certificates | None, certificates: Certificates
) -> None:
    """Wherever it waits when it is cancelled, no socket is left."""

    async def once() -> None:
        connections = Connections(tls=tls and tls.client)
        try:
            await ask(connections, peer.endpoint)
        finally:
            connections.close()

    async with peer_of(responding(chunked(b"a")), tls) as peer:
        await once()
        await peer.gone()
        before, cancelled = open_descriptors(), True
        waits = itertools.count(1)
        while cancelled:
            asking = asyncio.ensure_future(cancelled_at(next(waits), once()))
            await asyncio.wait([asking])
            await until(lambda: open_descriptors() == before)
            cancelled = asking.cancelled()
        assert next(waits) > 3


async def test_cancelled_at_any_turn_of_the_loop(
    tls: Certificates | None, connections: Connections
) -> None:
    """The same for what happens between two of its waits, on one client."""
    async with peer_of(responding(*[chunked(b"a")] * 99), tls) as peer:
        await ask(connections, peer.endpoint)
        for count in range(40):
            asking = asyncio.ensure_future(ask(connections, peer.endpoint))
            await turns(count)
            asking.cancel()
            asking.cancel()
            await asyncio.wait([asking])
        assert await ask(connections, peer.endpoint) == b"a"
        connections.close()
        await peer.gone()


# Loops, threads and processes.


def test_one_loop_after_the_other(certificates: Certificates) -> None:
    """asyncio.run leaves nothing unclosed, and the next loop begins with nothing."""
    for tls in (None, certificates):
        with HttpUpstream(PlainCodec(), tls=tls.server if tls else False) as upstream:
            connections = Connections(tls=tls and tls.client)
            endpoint = Endpoint.parse(upstream.url, schemes=("http", "https"))

            async def twice(connections: Connections, endpoint: Endpoint) -> None:
                for _ in range(2):
                    await ask(connections, endpoint)

            for _ in range(2):
                for _ in range(2):
                    upstream.play("a", Finish())
                asyncio.run(twice(connections, endpoint))
                gc.collect()
            numbers = [exchange.connection for exchange in upstream.exchanges]
            connections.close()
        assert numbers == [numbers[0]] * 2 + [numbers[2]] * 2
        assert numbers[0] != numbers[2]
        assert len(connections._pools) == 1


def test_loops_at_the_same_time() -> None:
    """Each thread's loop has its own connections; whoever closes them does so for all."""
    barrier, errors = threading.Barrier(3), list[ProxyLLMError]()
    connections = Connections()

    async def asks(endpoint: Endpoint) -> None:
        for _ in range(5):
            await ask(connections, endpoint)
        try:
            async with connections.request(endpoint.with_path("/hang"), call=Call()) as response:
                barrier.wait()
                await response.read()
        except ProxyLLMError as error:
            errors.append(error)

    with served() as endpoint:
        threads = [threading.Thread(target=asyncio.run, args=[asks(endpoint)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        barrier.wait()
        connections.close()
        for thread in threads:
            thread.join()
    assert [type(error) for error in errors] == [ConnectionLostError] * 2


@contextmanager
def served() -> Iterator[Endpoint]:
    """A server in a thread of its own, whose ``/hang`` begins a response and no more."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"/hang" not in await requested(reader):
            writer.write(sized(b"a"))
        writer.write(chunked(end=False))
        await silence(reader, writer)

    async def serve() -> None:
        end = asyncio.Event()
        async with peer_of(handle) as peer:
            found.append((peer.endpoint, asyncio.get_running_loop(), end))
            ready.set()
            await end.wait()

    found: list[tuple[Endpoint, asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    ready.wait()
    endpoint, loop, end = found[0]
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()


async def test_a_closed_client_takes_no_requests() -> None:
    """However often it is closed; and its connections are gone."""
    connections = Connections()
    async with peer_of(responding(sized(b"a"))) as peer:
        await ask(connections, peer.endpoint)
        connections.close()
        await asyncio.to_thread(connections.close)
        await peer.gone()
        with pytest.raises(ClientClosedError) as caught:
            await ask(connections, peer.endpoint)
        assert (caught.value.sent, peer.connections) == ("no", 1)


async def test_closing_makes_no_task() -> None:
    """Nor does the collection of what was closed: a client leaves no trace in the loop."""
    made: list[str] = []

    def noted(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[object, object, T], **options: object
    ) -> asyncio.Task[T]:
        made.append(repr(coro))
        return asyncio.Task(coro, loop=loop, **options)  # type: ignore[arg-type]

    connections = Connections()
    async with peer_of(responding(sized(b"a"))) as peer:
        await ask(connections, peer.endpoint)
        asyncio.get_running_loop().set_task_factory(noted)  # type: ignore[arg-type]
        connections.close()
        del connections
        await turns(5)  # the loop lets go of it, too
        gc.collect()
        await turns(5)
        asyncio.get_running_loop().set_task_factory(None)
        assert made == []


async def test_a_question_is_let_go_of_once_it_is_sent() -> None:
    """An answer may take minutes, and a question be long."""
    connections, question = Connections(), b"question" * 1000
    async with peer_of(responding(sized(b"a"))) as peer:
        before = sys.getrefcount(question)
        async with connections.request(peer.endpoint, call=Call(), body=question):
            assert sys.getrefcount(question) == before
        connections.close()


async def test_closed_after_its_loop(tls: Certificates | None, connections: Connections) -> None:
    """Finalisers come late: nothing is raised."""
    async with peer_of(responding(sized(b"a")), tls) as peer:
        await asyncio.to_thread(asyncio.run, ask(connections, peer.endpoint))
        await peer.gone()
        connections.close()
        await asyncio.to_thread(connections.close)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # asyncio's own, of its transports
@pytest.mark.parametrize("at_home", [True, False])
async def test_closing_after_the_loop_was_closed_closes_all(
    tls: Certificates | None, connections: Connections, at_home: bool
) -> None:
    """Those that wait and those that serve; the loop had no chance to."""

    async def use(endpoint: Endpoint) -> None:
        await ask(connections, endpoint)
        kept.append(connections.request(endpoint, call=Call()))
        response = await kept[0].__aenter__()
        await response.take()
        kept.append(asyncio.ensure_future(response.take()))
        await asyncio.gather(*(ask(connections, endpoint) for _ in range(2)))

    def main(endpoint: Endpoint) -> None:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(use(endpoint))
        loop.close()
        if at_home:
            connections.close()

    kept: list[Any] = []
    async with peer_of(responding(sized(b"a"), chunked(b"b", end=False)), tls) as peer:
        await asyncio.to_thread(main, peer.endpoint)
        if not at_home:
            connections.close()
        await peer.gone()
        assert peer.connections == 3
    kept[1]._log_destroy_pending = False  # asyncio's word for: that it is lost is meant
    kept.clear()
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # asyncio's own, of its transports
async def test_the_next_loop_closes_what_a_closed_one_has_kept(
    tls: Certificates | None, connections: Connections
) -> None:
    """That one had no chance to."""

    def main(endpoint: Endpoint) -> None:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(ask(connections, endpoint))
        loop.close()

    gc.disable()  # it would close them in its own time
    try:
        async with (
            peer_of(responding(sized(b"a")), tls) as peer,
            peer_of(responding(sized(b"b")), tls) as other,
        ):
            await asyncio.to_thread(main, peer.endpoint)
            await ask(connections, other.endpoint)
            await peer.gone()
    finally:
        gc.enable()
        gc.collect()


async def test_the_loop_may_end_amid_a_response(
    tls: Certificates | None, connections: Connections
) -> None:
    """Nothing is left unclosed."""

    async def hang(endpoint: Endpoint, begun: asyncio.Event) -> None:
        async with connections.request(endpoint, call=Call()) as response:
            await response.take()
            begun.set()
            await response.take()

    async def abandon(endpoint: Endpoint) -> None:
        begun = asyncio.Event()
        asking = asyncio.ensure_future(hang(endpoint, begun))
        await begun.wait()
        assert not asking.done()

    async with peer_of(responding(chunked(b"a", end=False)), tls) as peer:
        await asyncio.to_thread(asyncio.run, abandon(peer.endpoint))
        await peer.gone()
    gc.collect()


async def test_a_forked_child_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """It uses and cuts nothing of the parent's, which goes on as before."""
    connections = Connections()
    async with peer_of(responding(sized(b"a"), sized(b"b"), sized(b"c"))) as peer:
        await ask(connections, peer.endpoint)
        async with connections.request(peer.endpoint, call=Call()) as response:
            await ask(connections, peer.endpoint)
            with monkeypatch.context() as child:
                child.setattr(os, "getpid", lambda: -1)
                response.abort()
                assert await ask(connections, peer.endpoint) == b"a"
                connections.close()
            assert (await response.read(), peer.connections) == (b"b", 3)


FORKING = """
import asyncio, gc, os, sys
from modelplug.call import Call
from modelplug.transport import Endpoint
from modelplug.transport.http import Connections

async def ask():
    async with connections.request(endpoint, call=Call()) as response:
        return (await response.read()).decode()

endpoint = Endpoint.parse(sys.argv[1], schemes=["http"])
connections = Connections()
loop = asyncio.new_event_loop()
print("parent:", loop.run_until_complete(ask()), flush=True)
child = os.fork()
if not child:
    if sys.argv[2] == "asks":
        print("child:", asyncio.run(ask()), flush=True)
        connections.close()
    del connections
    gc.collect()
    os._exit(3)
print("child:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print("parent:", loop.run_until_complete(ask()))
connections.close()
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize(
    ("does", "told"), [("asks", ["child: a"]), ("drops", [])], ids=["asks", "drops"]
)
async def test_a_forked_child_leaves_what_its_parent_keeps(does: str, told: list[str]) -> None:
    """It asks on a connection of its own and closes, or only drops: the parent's is alive."""
    async with peer_of(responding(sized(b"a"), sized(b"b"))) as peer:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", FORKING, str(peer.endpoint), does),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        lines = ["parent: a", *told, "child: 3", "parent: b"]
        assert (process.returncode, out.decode().splitlines(), err) == (0, lines, b"")
        assert peer.connections == 1 + len(told)


# A client that nobody closes.


async def test_a_client_that_is_dropped_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loop holds what it kept, and goes on."""
    monkeypatch.setattr(httpparser, "_IDLE_SECONDS", 3600.0)
    connections = Connections()
    async with peer_of(responding(sized(b"a"))) as peer:
        await ask(connections, peer.endpoint)
        del connections
        await peer.gone()


async def test_a_client_may_be_dropped_on_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finalisers run where they are met."""
    monkeypatch.setattr(httpparser, "_IDLE_SECONDS", 3600.0)
    kept = [Connections()]
    async with peer_of(responding(sized(b"a"))) as peer:
        await ask(kept[0], peer.endpoint)
        await asyncio.to_thread(kept.clear)
        await peer.gone()


async def test_a_client_that_is_dropped_in_a_block_serves_to_its_end() -> None:
    """The answer keeps it; what it had is gone with the block."""
    connections = Connections()
    async with peer_of(responding(sized(b"a"))) as peer:
        asking = connections.request(peer.endpoint, call=Call())
        del connections
        async with asking as response:
            gc.collect()
            assert await response.read() == b"a"
        del response, asking
        await peer.gone()


# Secrets.


async def echo_refusal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A gateway that repeats in its refusal what it was sent."""
    request = await requested(reader)
    fields = b"Date: " + KEY.encode() + b"\r\nX-Key: " + KEY.encode() + b"\r\n"
    writer.write(sized(request, status=401, head=fields))


async def echo_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Something that repeats what it was sent, and nothing else."""
    writer.write(await reader.read(1 << 16))


LEAKY: dict[str, Handler] = {
    "the request in a refusal": echo_refusal,
    "the request as an answer": echo_garbage,
    "the key in a redirect": responding(sized(status=302, head=f"Location: /{KEY}\r\n".encode())),
    "the key in a header": responding(b"HTTP/1.1 200 OK\r\n" + KEY.encode() + b"\r\n\r\n"),
    "nothing": responding(b"", then=hang_up),
    "a reset": responding(b"", then=rst),
    "a reset in the answer": responding(chunked(KEY.encode(), end=False), then=rst),
}


@pytest.mark.parametrize("handler", LEAKY.values(), ids=LEAKY.keys())
async def test_no_error_and_no_log_has_the_key(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """In no text, field, traceback with locals, or debug log; nor the question."""
    asyncio.get_running_loop().set_debug(True)
    call = Call()
    call.conceal(Secret(KEY))
    connections = Connections()
    with caplog.at_level(logging.DEBUG):
        async with peer_of(handler) as peer:
            with pytest.raises(ProxyLLMError) as caught:
                async with connections.request(
                    peer.endpoint, call=call, headers=HEADERS, query=Secret(KEY), body=QUESTION
                ) as response:
                    await response.read()
    connections.close()
    told = everything_told(caught.value) + caplog.text
    assert "_open" in told or "take" in told
    assert KEY not in told
    refused = isinstance(caught.value, HandshakeError)
    assert refused or QUESTION.decode() not in told


async def test_secrets_are_concealed_whoever_forgets_to() -> None:
    """A refusal that repeats the request is masked without the provider's help."""
    heard: list[Refusal] = []

    def refused(refusal: Refusal) -> ProxyLLMError:
        heard.append(refusal)
        return RateLimitError(refusal.message)

    async with peer_of(echo_refusal) as peer:
        error = await failure(peer.endpoint, on_refusal=refused, headers={"x-key": Secret(KEY)})
    assert "x-key: **********" in str(error)
    assert KEY not in f"{heard[0].body}{heard[0].headers}{heard[0].date}"


def test_a_response_is_made_by_a_request() -> None:
    """What is public here is what providers need."""
    assert shell.__all__ == ["Connections", "Refusal", "Response"]
    assert Response.__doc__
