"""The WebSocket shell, against servers that behave and servers that don't."""

from __future__ import annotations

import asyncio
import base64
import gc
import itertools
import logging
import os
import socket
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame
from websockets.protocol import State
from websockets.server import ServerProtocol

from modelplug.call import Call
from modelplug.errors import (
    ConnectError,
    ConnectionLostError,
    HandshakeError,
    MissingCredentialError,
    Phase,
    ProtocolError,
    ProxyLLMError,
    RateLimitError,
    SchemaError,
    TlsError,
    TooLargeError,
    WrongUseError,
)
from modelplug.secrets import Secret
from modelplug.transport import Endpoint
from modelplug.transport.gate import AT_ONCE, Turn, gate_to
from modelplug.transport.websocket import Refusal, WebSocket, connect
from modelplug.transport.wire import Wire
from tests.core.transport.peers import (
    BINARY,
    CONTINUED,
    PING,
    Certificates,
    Handler,
    Peer,
    accept,
    agreement,
    answering,
    cancelled_at,
    closing,
    everything_told,
    frame,
    open_descriptors,
    reset,
    saying,
    silence,
    turns,
    until,
)

KEY, SIGNATURE = "k3y-Zq7CanaryX9", "c2lnbmF0dXJlIFpxN0NhbmFyeVg5"
AUTHORIZATION = base64.b64encode(f'api_key="{KEY}", signature="{SIGNATURE}"'.encode()).decode()
QUERY = f"authorization={quote(AUTHORIZATION, safe='')}&host=a"
CANARIES = (KEY, SIGNATURE, AUTHORIZATION, QUERY, quote(AUTHORIZATION, safe=""))


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    """An authority for this module."""
    return Certificates()


both_ways = pytest.mark.parametrize("ahead", [False, True], ids=["then asked", "asked ahead"])


@pytest.fixture(params=["ws", "wss"])
def tls(request: pytest.FixtureRequest, certificates: Certificates) -> Certificates | None:
    """The test runs twice: without TLS and with it."""
    return certificates if request.param == "wss" else None


@asynccontextmanager
async def peer_of(handler: Handler, tls: Certificates | None) -> AsyncIterator[Peer]:
    """A peer, over TLS if there are certificates."""
    async with Peer(handler, tls=tls and tls.server) as peer:
        yield peer


async def ask(
    endpoint: Endpoint,
    *,
    call: Call | None = None,
    tls: Certificates | None = None,
    max_size: int = 1 << 20,
    on_refusal: Callable[[Refusal], ProxyLLMError] | None = None,
    ahead: bool = False,
) -> list[bytes]:
    """All messages of one conversation; ``ahead`` has ``connect`` send the question."""
    messages = []
    async with connect(
        endpoint,
        query=Secret(QUERY),
        call=call or Call(),
        on_refusal=on_refusal,
        tls=tls and tls.client,
        max_size=max_size,
        message="question" if ahead else None,
    ) as ws:
        if not ahead:
            ws.send("question")
        while taken := await ws.take():
            messages += taken
    return messages


def phases_of(call: Call) -> list[tuple[Phase, str]]:
    """A list that gets each phase that the call reaches from now on, with its ``sent``."""
    reached: list[tuple[Phase, str]] = []
    call._on_phase = lambda phase, _: reached.append((phase, call.sent))
    return reached


@both_ways
async def test_a_query_that_can_t_be_had_is_the_call_s_error(ahead: bool) -> None:
    """A secret that is fetched may fail: that is raised where it is asked for, and at once."""
    message = "question" if ahead else None
    async with Peer(silence) as peer:
        with pytest.raises(MissingCredentialError):
            async with connect(
                peer.endpoint,
                call=Call(),
                query=Secret(Mock(side_effect=KeyError)),
                message=message,
            ):
                pytest.fail("there is nothing to ask with")


async def test_a_call_that_is_cut_at_the_gate_has_not_connected() -> None:
    """What ends there was in no phase but the first."""
    endpoint = Endpoint.parse("ws://127.0.0.1:1", allow_insecure=True)
    gate = gate_to(endpoint)
    inside = [Turn(endpoint) for _ in range(AT_ONCE)]
    for turn in inside:
        await gate.enter(turn)
    call = Call()
    reached = phases_of(call)
    asking = asyncio.ensure_future(ask(endpoint, call=call))
    await turns(3)
    call.abort()
    with pytest.raises(ConnectionLostError):
        await asking
    assert reached == []


# Conversations that go well.


async def test_a_conversation_with_the_librarys_own_server(tls: Certificates | None) -> None:
    """Text as str or bytes goes there and comes back; the target is path and query."""
    targets = []

    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        targets.append((connection.request.path, connection.request.headers["Host"]))
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, ssl=tls and tls.server) as server:
        port: int = server.sockets[0].getsockname()[1]
        scheme = "wss" if tls else "ws"
        endpoint = Endpoint(scheme=scheme, host="127.0.0.1", port=port, path="/v1/chat")
        context = tls and tls.client
        async with connect(endpoint, call=Call(), query=Secret("a=b"), tls=context) as ws:
            ws.send("模型")
            ws.send(b"x" * 100_000)
            messages = await ws.take()
            while len(messages) < 2:
                messages += await ws.take()
        assert messages == ["模型".encode(), b"x" * 100_000]
        assert targets == [("/v1/chat?a=b", endpoint.host_header)]


async def test_messages_come_in_lists_and_before_the_close(tls: Certificates | None) -> None:
    """What arrives in one read with the close is delivered first; then the list is empty."""
    async with peer_of(saying(frame(b"a"), frame(b"b"), closing(4001, "done")), tls) as peer:
        context = tls and tls.client
        async with connect(peer.endpoint, call=Call(), tls=context) as ws:
            ws.send("question")
            assert [await ws.take(), await ws.take(), await ws.take()] == [[b"a", b"b"], [], []]
            assert (ws.close_code, ws.close_reason) == (4001, "done")
        await peer.gone()


@both_ways
async def test_a_server_may_speak_first_and_close(ahead: bool) -> None:
    """Asking then fails not before what it said is taken: it may be the reason."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(agreement(request) + frame(b"too many") + closing(1013))
        await silence(reader, writer)

    call = Call()
    async with Peer(speak) as peer:
        assert await ask(peer.endpoint, call=call, ahead=ahead) == [b"too many"]
    assert (call.phase, call.sent) == ("open", "no")


@both_ways
async def test_the_call_learns_each_phase(tls: Certificates | None, ahead: bool) -> None:
    """connecting, open, sent; the service can have seen the request only from then on."""
    call = Call()
    reached = phases_of(call)
    async with peer_of(saying(closing()), tls) as peer:
        await ask(peer.endpoint, call=call, tls=tls, ahead=ahead)
    assert reached == [("connecting", "no"), ("open", "no"), ("sent", "maybe")]


async def test_what_is_to_be_sent_goes_out_when_the_server_agrees() -> None:
    """In the same callback, in its order, and before anybody is woken; ``sent`` is told then."""
    transport, call = RecordingTransport(), Call()
    ws = made(call)
    ws.send("question")
    ws.connection_made(transport)
    request = transport.taken()
    ws.send(b"more")
    assert (request[:4], transport.taken(), call.phase, call.sent) == (b"GET ", b"", "open", "no")
    reader = asyncio.ensure_future(ws.take())
    await turns(1)
    deliver(ws, agreement(request.decode()))
    told = unmasked(transport.taken())
    assert (told, call.phase, call.sent) == ([b"question", b"more"], "sent", "maybe")
    await turns(3)
    assert not reader.done()
    deliver(ws, frame(b"answer"))
    assert await reader == [b"answer"]


async def test_a_message_that_was_sent_is_not_kept() -> None:
    """A question may be long, and its answer too."""
    ws = made(Call())
    message = b"question" * 1000
    held = sys.getrefcount(message)
    ws.send(message)
    assert sys.getrefcount(message) > held
    transport = RecordingTransport()
    ws.connection_made(transport)
    deliver(ws, agreement(transport.taken().decode()))
    assert held == sys.getrefcount(message)


async def test_a_message_that_cannot_be_sent_is_not_kept() -> None:
    """Nor is that which a server refused to hear."""
    ws = made(Call())
    message = b"question" * 1000
    held = sys.getrefcount(message)
    ws.send(message)
    ws.connection_made(RecordingTransport())
    ws.abort()
    ws.send(message)
    assert held == sys.getrefcount(message)


async def test_the_block_begins_before_the_server_agrees() -> None:
    """With a message; what becomes of the handshake is then told to the reader."""
    refuse, call = asyncio.Event(), Call()

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await refuse.wait()
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        await silence(reader, writer)

    async with (
        Peer(hesitate) as peer,
        connect(peer.endpoint, call=call, message="question") as ws,
    ):
        assert (call.phase, call.sent) == ("open", "no")
        refuse.set()
        for _ in range(2):
            with pytest.raises(HandshakeError, match="status 403") as caught:
                await ws.take()
            assert (caught.value.sent, call.phase) == ("no", "open")
        await peer.gone()


async def test_an_abort_during_the_handshake_ends_the_wait_for_an_answer() -> None:
    """The server has agreed to nothing, and was asked nothing."""
    call = Call()
    async with (
        Peer(silence) as peer,
        connect(peer.endpoint, call=call, message="question") as ws,
    ):
        reader = asyncio.ensure_future(ws.take())
        await turns(1)
        call.abort()
        with pytest.raises(ConnectionLostError, match="from this side") as caught:
            await reader
        assert (caught.value.sent, call.phase) == ("no", "open")
        await peer.gone()


async def test_closing_before_the_server_agrees_says_nothing() -> None:
    """There is no WebSocket yet that could be closed."""
    transport, call = RecordingTransport(), Call()
    ws = made(call)
    ws.send("question")
    ws.connection_made(transport)
    transport.taken()
    ws.close()
    assert (await ws.take(), ws.close_code, call.phase) == ([], None, "open")
    assert (transport.taken(), transport.done) == (b"", ["abort"])


async def test_a_message_during_the_answer_is_no_new_question() -> None:
    """Once the answer has begun, sending takes the call back to no earlier phase."""
    call = Call()
    async with Peer(saying(frame(b"a"))) as peer, connect(peer.endpoint, call=call) as ws:
        ws.send("question")
        await ws.take()
        call.reached("streaming")
        ws.send("more")
    assert (call.phase, call.sent) == ("streaming", "yes")


@both_ways
async def test_one_byte_at_a_time(ahead: bool) -> None:
    """The handshake and the answer may come in the smallest pieces."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        for byte in agreement(request) + frame("模型".encode()) + frame(b"x" * 200) + closing():
            writer.write(bytes([byte]))
            await turns(2)

    async with Peer(drip) as peer:
        assert await ask(peer.endpoint, ahead=ahead) == ["模型".encode(), b"x" * 200]


async def test_fragments_with_pings_between() -> None:
    """A message in pieces is one message, and the pings within it are answered."""
    answered = asyncio.Event()

    async def wait_for_pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readexactly(10))[0] == 0x8A
        answered.set()
        writer.write(frame(b"b", opcode=CONTINUED) + closing())

    handler = saying(frame(b"a", fin=False), frame(b"ping", opcode=PING), then=wait_for_pong)
    async with Peer(handler) as peer:
        assert await ask(peer.endpoint) == [b"ab"]
        assert answered.is_set()


async def test_closing_says_so_and_waits_for_nobody() -> None:
    """The server sees code 1000; what it says to that is not waited for."""
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.put_nowait(await reader.read())

    async with Peer(saying(frame(b"all"), then=record)) as peer:
        async with connect(peer.endpoint, call=Call()) as ws:
            ws.send("question")
            await ws.take()
            ws.close()
            ws.close()
            assert await ws.take() == []
        close = await seen.get()
    mask, code = close[2:6], close[6:8]
    assert (close[0], bytes([code[0] ^ mask[0], code[1] ^ mask[1]])) == (0x88, b"\x03\xe8")


async def test_many_connections_in_one_loop() -> None:
    """Two hundred at once, each with its own answer, and nothing left of them."""

    async def number(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await accept(reader, writer)
        await reader.read(1 << 16)
        await barrier.wait()
        writer.write(frame(request.split()[1].encode()) + closing())

    barrier = asyncio.Barrier(200)
    async with Peer(number) as peer:
        before = open_descriptors()
        paths = [f"/{each}" for each in range(200)]
        answers = await asyncio.gather(*[ask(peer.endpoint.with_path(path)) for path in paths])
        assert answers == [[f"{path}?{QUERY}".encode()] for path in paths]
        await peer.gone()
        await until(lambda: open_descriptors() == before)


async def test_nothing_is_lost_where_tls_ends(certificates: Certificates) -> None:
    """A server that hangs up right after a long answer is heard to its end."""
    answer = [frame(b"%d" % number * 300) for number in range(300)]

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    async with peer_of(saying(*answer, closing(), then=hang_up), certificates) as peer:
        messages = await ask(peer.endpoint, tls=certificates)
    assert [frame(message) for message in messages] == answer


# Back-pressure.


async def test_a_slow_reader_holds_the_server_back() -> None:
    """No more than some hundred messages wait; all of them come in the end, in order."""
    count = 20_000
    flood = b"".join(frame(b"%099d" % number) for number in range(count))
    written = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        written.set()
        await writer.drain()

    async with (
        Peer(saying(flood, closing(), then=pour)) as peer,
        connect(peer.endpoint, call=Call()) as ws,
    ):
        ws.send("question")
        await written.wait()
        await turns(1000)
        messages = await ws.take()
        assert len(messages) < 256 + 16_384 // 101 + 1
        while taken := await ws.take():
            messages += taken
        assert messages == [b"%099d" % number for number in range(count)]


class RecordingTransport(asyncio.Transport):
    """A transport that only writes down what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.written = b""

    def write(self, data: object) -> None:
        """Keep it."""
        assert isinstance(data, bytes)
        self.written += data

    def taken(self) -> bytes:
        """What was written since the last time."""
        written, self.written = self.written, b""
        return written

    def is_closing(self) -> bool:
        """Whether it was found to be dead."""
        return "die" in self.done

    def pause_reading(self) -> None:
        """Note it."""
        self.done.append("pause")

    def resume_reading(self) -> None:
        """Note it."""
        self.done.append("resume")

    def abort(self) -> None:
        """Note it."""
        self.done.append("abort")


def deliver(ws: WebSocket, received: bytes) -> None:
    """Do what an event loop does with bytes that have come."""
    ws.get_buffer(-1)[: len(received)] = received
    ws.buffer_updated(len(received))


def unmasked(written: bytes) -> list[bytes]:
    """What the frames of a client hold, by the library's parser."""
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(written)
    frames = server.events_received()
    return [bytes(each.data) for each in frames if isinstance(each, Frame)]


def made(call: Call) -> WebSocket:
    """A WebSocket that isn't connected yet."""
    endpoint = Endpoint.parse("ws://127.0.0.1/")
    return WebSocket(endpoint, call, Wire(endpoint, max_size=1 << 22, scrub=str))


def opened(transport: RecordingTransport) -> WebSocket:
    """An open WebSocket on ``transport``."""
    ws = made(Call())
    ws.connection_made(transport)
    deliver(ws, agreement(transport.taken().decode()))
    return ws


async def test_reading_goes_on_when_messages_are_taken() -> None:
    """Paused once past the mark, resumed by the reader."""
    transport = RecordingTransport()
    ws = opened(transport)
    for _ in range(300):
        deliver(ws, frame(b"x"))
    assert transport.done == ["pause"]
    assert len(await ws.take()) == 300
    assert transport.done == ["pause", "resume"]


async def test_few_messages_that_are_large_hold_the_server_back_too() -> None:
    """Bytes count as well; but a message that isn't complete must be read on."""
    transport = RecordingTransport()
    ws = opened(transport)
    large = frame(b"x" * (3 << 20))
    for start in range(0, len(large), 16_384):
        deliver(ws, large[start : start + 16_384])
        assert transport.done == [] or start + 16_384 >= len(large)
    assert transport.done == ["pause"]
    await ws.take()
    deliver(ws, frame(b"small"))
    assert transport.done == ["pause", "resume"]


async def test_pings_of_a_server_that_doesnt_read_go_unanswered() -> None:
    """Else the answers would pile up here."""
    transport = RecordingTransport()
    ws = opened(transport)
    ws.pause_writing()
    deliver(ws, frame(opcode=PING) * 1000)
    assert transport.written == b""
    ws.resume_writing()
    deliver(ws, frame(opcode=PING))
    assert len(transport.written) == 6


async def test_pings_of_a_server_that_has_gone_go_unanswered() -> None:
    """Else the event loop logs each answer that it can't send any more."""
    transport = RecordingTransport()
    ws = opened(transport)
    transport.done.append("die")
    deliver(ws, frame(opcode=PING) * 10)
    assert transport.written == b""


@both_ways
async def test_a_question_that_the_server_doesnt_read_is_not_sent(ahead: bool) -> None:
    """The clock for opening runs on until the server has read what the buffers can't hold."""
    call, may_read = Call(), asyncio.Event()

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await may_read.wait()
        await silence(reader, writer)

    question, reached = b"x" * (32 << 20), phases_of(call)
    async with (
        Peer(hesitate) as peer,
        connect(peer.endpoint, call=call, message=question if ahead else None) as ws,
    ):
        if not ahead:
            ws.send(question)
        await until(lambda: call.sent == "maybe")
        await turns(3)
        assert reached[1:] == [("open", "no"), ("open", "maybe")]
        may_read.set()
        await until(lambda: call.phase == "sent")
        assert reached[3:] == [("sent", "maybe")]


# Handshakes that fail.


async def failure(
    endpoint: Endpoint,
    *,
    tls: Certificates | None = None,
    max_size: int = 1 << 20,
    ahead: bool = False,
) -> ProxyLLMError:
    """The error of a conversation that fails; it has no cause and no context."""
    with pytest.raises(ProxyLLMError) as caught:
        await ask(endpoint, tls=tls, max_size=max_size, ahead=ahead)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return caught.value


async def test_nobody_listens() -> None:
    """Refused: a ConnectError that names the endpoint and the library's class."""
    async with Peer(silence) as peer:
        endpoint = peer.endpoint
    error = await failure(endpoint)
    assert isinstance(error, ConnectError)
    assert f"{endpoint} (ConnectionRefusedError" in str(error)
    assert (error.sent, error.retryable) == ("no", True)


@both_ways
@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno", 401),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", 200),
        (b"HTTP/1.0 503 Busy\r\n\r\n", 503),
        (b"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 101),
        (b"SSH-2.0-OpenSSH_9.6\r\n", None),
    ],
)
async def test_an_answer_that_is_no_websocket(
    answer: bytes, status: int | None, hold: bool, ahead: bool
) -> None:
    """A HandshakeError with the status, whether the server hangs up or holds the line."""
    async with Peer(answering(answer, hold=hold)) as peer:
        error = await failure(peer.endpoint, ahead=ahead)
        await peer.gone()
    assert isinstance(error, HandshakeError)
    assert (error.status, error.sent) == (status, "no")


async def test_a_web_page_is_not_a_websocket_service() -> None:
    """A login page on the way, say."""
    async with Peer(answering(b"HTTP/1.1 200 OK\r\n\r\n<html>Log in!</html>")) as peer:
        error = await failure(peer.endpoint)
    assert "instead of a WebSocket" in str(error)
    assert "not the service that was meant" in str(error.hint)


@both_ways
async def test_a_refusal_goes_to_the_provider(ahead: bool) -> None:
    """It makes the error, of status, body, Date and Retry-After."""
    refusals = []

    def refused(refusal: Refusal) -> RateLimitError:
        refusals.append(refusal)
        return RateLimitError(refusal.message, retry_after=refusal.retry_after)

    answer = b"HTTP/1.1 429 Slow\r\nDate: today\r\nRetry-After: 2\r\n\r\nslow down"
    async with Peer(answering(answer)) as peer:
        with pytest.raises(RateLimitError, match="slow down") as caught:
            await ask(peer.endpoint, on_refusal=refused, ahead=ahead)
    headers = {"date": "today", "retry-after": "2"}
    expected = Refusal(
        status=429, message="slow down", date="today", retry_after=2.0, headers=headers
    )
    assert [expected] == refusals
    assert (caught.value.retry_after, caught.value.__context__) == (2.0, None)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    """The other address sees no connection, and isn't in the error: the body tells it again."""
    async with Peer(silence) as other:
        target = f"{other.endpoint}?canary"
        head = f"HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: {len(target)}"
        async with Peer(answering(f"{head}\r\n\r\n{target}".encode())) as peer:
            error = await failure(peer.endpoint)
            assert isinstance(error, HandshakeError)
        assert (error.status, other.connections) == (status, 0)
        assert error.provider_message is None
        assert "canary" not in everything_told(error)


@both_ways
@pytest.mark.parametrize(
    "head", [b"Content-Length: 999999999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b""]
)
async def test_an_endless_answer_is_cut(head: bytes, ahead: bool) -> None:
    """A flood of headers or of body ends by itself, with the status."""
    poured = 0
    more = b"fff\r\n" + b"y" * 0xFFF + b"\r\n" if head else b"X: y\r\n" * 1000

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal poured
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oops\r\n" + head)
        for _ in range(10_000):
            writer.write(more)
            await writer.drain()
            poured += len(more)

    async with Peer(pour) as peer:
        error = await failure(peer.endpoint, ahead=ahead)
        await peer.gone()
    assert isinstance(error, HandshakeError)
    assert error.status == 500
    assert poured < 10_000 * len(more)


@both_ways
async def test_cut_during_the_handshake(ahead: bool) -> None:
    """By RST or FIN: the connection is lost, nothing was sent, and another try may help."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    for handler, told in [(cut, "ConnectionResetError"), (answering(b""), "end of file")]:
        async with Peer(handler) as peer:
            error = await failure(peer.endpoint, ahead=ahead)
        assert isinstance(error, ConnectionLostError)
        assert told in str(error)
        assert (error.sent, error.retryable) == ("no", True)


# TLS that fails.


async def test_an_unknown_authority_is_refused(certificates: Certificates) -> None:
    """The verifier's reason is told, and no URL."""
    async with peer_of(saying(closing()), certificates) as peer:
        error = await failure(peer.endpoint, tls=Certificates())
    assert isinstance(error, TlsError)
    assert "unable to get local issuer certificate" in str(error)
    assert "SSLCertVerificationError" in str(error)


async def test_another_hosts_certificate_is_refused(certificates: Certificates) -> None:
    """A good certificate, but for another host."""
    async with Peer(saying(closing()), tls=certificates.server_for("b.example")) as peer:
        error = await failure(peer.endpoint, tls=certificates)
    assert isinstance(error, TlsError)
    assert "certificate is not valid for '127.0.0.1'" in str(error)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"]
)
async def test_a_server_without_tls_is_refused(certificates: Certificates, answer: bytes) -> None:
    """Plain HTTP on the port, or an alert."""

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(answer)
        await silence(reader, writer)

    async with Peer(tell) as peer:
        error = await failure(replace(peer.endpoint, scheme="wss"), tls=certificates)
    assert isinstance(error, TlsError)
    assert error.sent == "no"


async def test_plain_text_to_a_tls_server_fails(certificates: Certificates) -> None:
    """The server hangs up on it or answers with an alert."""
    async with peer_of(silence, certificates) as peer:
        error = await failure(replace(peer.endpoint, scheme="ws"))
    assert isinstance(error, HandshakeError | ConnectionLostError)


# Connections that are lost.


@pytest.mark.parametrize("with_rst", [True, False], ids=["RST", "FIN"])
async def test_cut_before_the_question(tls: Certificates | None, with_rst: bool) -> None:
    """The service has seen nothing: it is safe to ask again."""
    cut, call = asyncio.Event(), Call()

    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await cut.wait()
        if with_rst:
            reset(writer)

    async with (
        peer_of(agree, tls) as peer,
        connect(peer.endpoint, call=call, tls=tls and tls.client) as ws,
    ):
        cut.set()
        await peer.gone()
        await until(lambda: ws._transport is None)
        ws.send("question")
        with pytest.raises(ConnectionLostError) as caught:
            await ws.take()
        assert (caught.value.sent, call.phase, caught.value.__context__) == ("no", "open", None)


@pytest.mark.parametrize("with_rst", [True, False], ids=["RST", "FIN"])
async def test_cut_in_the_answer(tls: Certificates | None, with_rst: bool) -> None:
    """What came before is delivered, then the loss is raised, however often one asks."""
    cut, call = asyncio.Event(), Call()

    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await cut.wait()
        if with_rst:
            reset(writer)

    async with (
        peer_of(saying(frame(b"a"), frame(b"bc")[:3], then=then), tls) as peer,
        connect(peer.endpoint, call=call, tls=tls and tls.client) as ws,
    ):
        ws.send("question")
        assert await ws.take() == [b"a"]
        call.reached("streaming")
        cut.set()
        for _ in range(2):
            with pytest.raises(ConnectionLostError, match=str(peer.endpoint)) as caught:
                await ws.take()
            assert (caught.value.sent, ws.close_code) == ("yes", None)


@pytest.mark.parametrize(
    ("received", "kind"),
    [
        (frame(b"x" * 101), TooLargeError),
        (frame(b"x" * 99, fin=False) + frame(b"xx", opcode=CONTINUED), TooLargeError),
        (frame(b"x", opcode=BINARY), SchemaError),
        (b"\xf1\x00", ProtocolError),
    ],
)
async def test_what_came_before_a_violation_is_delivered(
    received: bytes, kind: type[ProxyLLMError]
) -> None:
    """Then the violation is raised, and the server is cut."""
    async with (
        Peer(saying(frame(b"before") + received)) as peer,
        connect(peer.endpoint, call=Call(), max_size=100) as ws,
    ):
        ws.send("question")
        assert await ws.take() == [b"before"]
        with pytest.raises(kind) as caught:
            await ws.take()
        await peer.gone()
        assert (type(caught.value), caught.value.sent) == (kind, "maybe")


async def test_two_readers_are_one_too_many() -> None:
    """The second learns so, the first gets its messages."""
    ask_on = asyncio.Event()

    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ask_on.wait()
        writer.write(frame(b"a"))
        await silence(reader, writer)

    async with Peer(saying(then=then)) as peer, connect(peer.endpoint, call=Call()) as ws:
        ws.send("question")
        first = asyncio.ensure_future(ws.take())
        await turns(1)
        with pytest.raises(WrongUseError):
            await ws.take()
        ask_on.set()
        assert await first == [b"a"]


async def test_a_cancelled_reader_loses_nothing() -> None:
    """What came while nobody read is there for the next."""
    async with Peer(saying(frame(b"a"))) as peer, connect(peer.endpoint, call=Call()) as ws:
        reader = asyncio.ensure_future(ws.take())
        await turns(1)
        reader.cancel()
        ws.send("question")
        await asyncio.wait([reader])
        assert await ws.take() == [b"a"]


# Leaving.


async def test_leaving_cuts_and_the_error_passes() -> None:
    """Whatever ends the block, the server is cut at once, and the error is the block's own."""
    async with Peer(saying(frame(b"a"))) as peer:
        connecting = connect(peer.endpoint, call=Call())
        ws = await connecting.__aenter__()
        ws.send("question")
        mine = KeyError("mine")
        assert not await connecting.__aexit__(KeyError, mine, None)
        await peer.gone()
        with pytest.raises(ConnectionLostError, match="from this side"):
            await ws.take()


async def test_the_calls_abort_cuts_from_any_thread() -> None:
    """A reader that waits gets a ConnectionLostError, the server sees the end."""
    asyncio.get_running_loop().set_debug(True)  # which tells whose thread touches it
    call = Call()
    async with Peer(saying()) as peer, connect(peer.endpoint, call=call) as ws:
        ws.send("question")
        reader = asyncio.ensure_future(ws.take())
        await turns(1)
        thread = threading.Thread(target=call.abort)
        thread.start()
        with pytest.raises(ConnectionLostError, match="from this side"):
            await reader
        thread.join()
        await peer.gone()


@both_ways
async def test_a_call_that_is_aborted_connects_nowhere(ahead: bool) -> None:
    """Abandoned before it began: no connection is made."""
    call = Call()
    call.abort()
    async with Peer(silence) as peer:
        with pytest.raises(ConnectionLostError):
            await ask(peer.endpoint, call=call, ahead=ahead)
        assert peer.connections == 0


@both_ways
async def test_aborted_while_connecting(ahead: bool) -> None:
    """The connection is cut as soon as there is one."""
    call = Call()
    async with Peer(silence) as peer:
        asking = asyncio.ensure_future(ask(peer.endpoint, call=call, ahead=ahead))
        await turns(1)
        assert call.phase == "connecting"
        call.abort()
        with pytest.raises(ConnectionLostError):
            await asking
        assert call.phase == "connecting"
        await peer.gone()


async def test_abort_after_the_loop_has_closed() -> None:
    """Finalisers come late: nothing is raised."""
    async with Peer(saying()) as peer:

        async def open_and_leave() -> WebSocket:
            async with connect(peer.endpoint, call=Call()) as ws:
                return ws

        ws = await asyncio.to_thread(asyncio.run, open_and_leave())
        ws.abort()
        await asyncio.to_thread(ws.abort)


async def test_a_forked_child_leaves_the_parents_connection_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has the same socket and selector: to cut there would cut here."""
    async with Peer(saying(frame(b"a"))) as peer, connect(peer.endpoint, call=Call()) as ws:
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            ws.abort()
        ws.send("question")
        assert await ws.take() == [b"a"]


@both_ways
async def test_a_call_is_freed_at_once_when_it_is_over(ahead: bool) -> None:
    """Nothing that a call and its connection hold makes a cycle around the answer."""

    class Witness:
        def heard(self, phase: Phase, attempt: int) -> None:
            """A call holds whom it reports to."""

    witness = Witness()
    gone = weakref.ref(witness)
    async with Peer(saying(frame(b"a"), closing())) as peer:
        gc.disable()
        try:
            await ask(peer.endpoint, call=Call(on_phase=witness.heard), ahead=ahead)
            await turns(3)
            del witness
            assert gone() is None
        finally:
            gc.enable()


@both_ways
async def test_an_error_is_freed_at_once(ahead: bool) -> None:
    """Its traceback holds our frames, but no frame of ours holds it."""

    async def failed() -> weakref.ref[ProxyLLMError]:
        try:
            await ask(peer.endpoint, ahead=ahead)
        except ProxyLLMError as error:
            return weakref.ref(error)
        raise AssertionError

    for handler in (answering(b""), answering(b"HTTP/1.1 401 No\r\n\r\n"), saying(then=rst)):
        async with Peer(handler) as peer:
            gc.disable()
            try:
                assert (await failed())() is None
            finally:
                gc.enable()


async def test_the_loop_may_end_right_after(tls: Certificates | None) -> None:
    """asyncio.run leaves nothing unclosed, whether the conversation was over or still ran."""

    async def abandon(endpoint: Endpoint) -> None:
        sent = asyncio.Event()
        call = Call(on_phase=lambda phase, _: sent.set() if phase == "sent" else None)
        asking = asyncio.ensure_future(ask(endpoint, call=call, tls=tls))
        await sent.wait()
        assert not asking.done()

    async with peer_of(saying(frame(b"a")), tls) as peer:
        await asyncio.to_thread(asyncio.run, abandon(peer.endpoint))
        await peer.gone()
    async with peer_of(saying(frame(b"a"), closing()), tls) as peer:
        await asyncio.to_thread(asyncio.run, ask(peer.endpoint, tls=tls))
        await peer.gone()
    gc.collect()


@both_ways
async def test_cancelled_at_every_wait(tls: Certificates | None, ahead: bool) -> None:
    """Wherever it waits when it is cancelled, no socket is left."""
    async with peer_of(saying(frame(b"a"), closing()), tls) as peer:
        await ask(peer.endpoint, tls=tls)
        await peer.gone()
        before, cancelled = open_descriptors(), True
        waits = itertools.count(1)
        while cancelled:
            whole = ask(peer.endpoint, tls=tls, ahead=ahead)
            asking = asyncio.ensure_future(cancelled_at(next(waits), whole))
            await asyncio.wait([asking])
            await until(lambda: open_descriptors() == before)
            cancelled = asking.cancelled()
        assert next(waits) > 4 - ahead


@both_ways
async def test_cancelled_at_any_turn_of_the_loop(tls: Certificates | None, ahead: bool) -> None:
    """The same for what happens between two of its waits."""
    async with peer_of(saying(frame(b"a"), closing()), tls) as peer:
        await ask(peer.endpoint, tls=tls)
        await peer.gone()
        before = open_descriptors()
        for count in range(40):
            asking = asyncio.ensure_future(ask(peer.endpoint, tls=tls, ahead=ahead))
            await turns(count)
            asking.cancel()
            asking.cancel()
            await asyncio.wait([asking])
        await until(lambda: open_descriptors() == before)


# Secrets.


async def echo_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A gateway that repeats in its refusal what it was sent."""
    request = await reader.readuntil(b"\r\n\r\n")
    body = request + AUTHORIZATION.encode()
    writer.write(b"HTTP/1.1 401 No\r\nDate: " + QUERY.encode() + b"\r\n\r\n" + body)


async def echo_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A service that repeats in its close reason what it was sent."""
    await accept(reader, writer)
    writer.write(closing(1008, QUERY[:110]))


async def echo_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Something that repeats what it was sent, and nothing else."""
    writer.write(await reader.read(1 << 16))


async def rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Something that breaks down."""
    reset(writer)


LEAKY: dict[str, Handler] = {
    "the request in a refusal": echo_request,
    "the request as an answer": echo_garbage,
    "the query in a redirect": answering(
        b"HTTP/1.1 302 X\r\nLocation: ws://b/?" + QUERY.encode() + b"\r\n\r\n"
    ),
    "a wrong proof": answering(agreement("\r\nSec-WebSocket-Key: wrong\r\n")),
    "nothing": answering(b""),
    "a reset": rst,
    "a reset in the answer": saying(then=rst),
    "a violation": saying(b"\xff\xff\xff"),
    "a binary message": saying(frame(QUERY.encode(), opcode=BINARY)),
}


@both_ways
@pytest.mark.parametrize("handler", LEAKY.values(), ids=LEAKY.keys())
async def test_no_error_and_no_log_has_the_query(
    handler: Handler, caplog: pytest.LogCaptureFixture, ahead: bool
) -> None:
    """Neither raw nor decoded, in no text, field, traceback with locals, or debug log."""
    asyncio.get_running_loop().set_debug(True)
    call = Call()
    call.conceal(Secret(AUTHORIZATION), Secret(KEY), Secret(SIGNATURE))
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("websockets.client").setLevel(logging.DEBUG)
        async with Peer(handler) as peer:
            with pytest.raises(ProxyLLMError) as caught:
                await ask(peer.endpoint, call=call, ahead=ahead)
    told = everything_told(caught.value) + caplog.text
    assert f"self = <WebSocket to {peer.endpoint}>" in told
    assert [canary for canary in CANARIES if canary in told] == []


async def test_the_query_is_concealed_whoever_forgets_to() -> None:
    """A refusal that repeats the request is masked without the provider's help."""
    async with Peer(echo_request) as peer:
        error = await failure(peer.endpoint)
    assert "GET /chat?********** HTTP/1.1" in str(error.provider_message)
    assert QUERY not in everything_told(error)


async def test_a_server_gives_away_nothing_in_its_close() -> None:
    """A reason that repeats the query is masked."""
    call = Call()
    call.conceal(Secret(QUERY[:110]))
    async with Peer(echo_close) as peer, connect(peer.endpoint, call=call) as ws:
        assert await ws.take() == []
        assert (ws.close_code, ws.close_reason) == (1008, "**********")


async def test_a_connection_shows_only_where_it_goes() -> None:
    """Its repr is the endpoint, in tracebacks and in asyncio's debug logs."""
    async with Peer(saying()) as peer, connect(peer.endpoint, call=Call()) as ws:
        assert repr(ws) == f"<WebSocket to {peer.endpoint}>"


# Sockets.


async def test_small_messages_leave_at_once() -> None:
    """Nagle's algorithm is off."""
    async with Peer(saying()) as peer, connect(peer.endpoint, call=Call()) as ws:
        assert ws._transport is not None
        connection = ws._transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
