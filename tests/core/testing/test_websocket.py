"""The server, and the scripted service in its own thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_blocking

from modelplug import Delta, WrongUseError
from modelplug.testing import (
    CloseCode,
    Fail,
    Gate,
    Hang,
    HangUp,
    RawRequest,
    Refuse,
    Reset,
    Status,
)
from modelplug.testing.certificate import local_certificate
from modelplug.testing.websocket import Connection, WebSocketServer, WebSocketUpstream
from tests.core.testing.plain import (
    QUESTION,
    PlainCodec,
    PlainEncoder,
    ask,
    head_of,
    rest_of,
    upgrade,
)


class TestServer:
    async def test_it_talks_to_whom_it_admits(self) -> None:
        """Others get the answer that stands instead."""

        async def converse(connection: Connection) -> None:
            await connection.write(*connection.message_frames(await connection.receive()))

        def admit(request: RawRequest) -> Status | None:
            return None if request.path == "/in" else Status(404, "not here")

        with WebSocketServer(converse, admit=admit) as server:
            async with connect(f"{server.url}/in", proxy=None) as ws:
                await ws.send("hello")
                assert await ws.recv() == "hello"
            with pytest.raises(InvalidStatus, match="404"):
                await connect(f"{server.url}/out", proxy=None)

    async def test_it_stops_with_conversations_under_way(self) -> None:
        """They are cut; nobody has to wait for them."""

        async def converse(connection: Connection) -> None:
            await asyncio.Future()

        with WebSocketServer(converse) as server:
            ws = await connect(server.url, proxy=None)
            assert server.open_count == 1
        await ws.wait_closed()
        assert (ws.close_code, server.open_count) == (1006, 0)

    async def test_a_bug_of_its_user_is_raised_at_the_end(self) -> None:
        """And the client that met it isn't left waiting."""

        async def converse(connection: Connection) -> None:
            raise ValueError("a bug")

        async def meet() -> None:
            with WebSocketServer(converse) as server:
                ws = await connect(server.url, proxy=None)
                await ws.wait_closed()

        with pytest.raises(ValueError, match="a bug"):
            await meet()

    @pytest.mark.parametrize("verdict", [pytest.fail.Exception("no"), SystemExit(1), KeyError("k")])
    def test_a_verdict_within_it_is_raised_at_the_end(self, verdict: BaseException) -> None:
        """Also one that no ``except Exception`` catches: a test mustn't pass by it."""

        def admit(request: RawRequest) -> None:
            raise verdict

        async def converse(connection: Connection) -> None: ...

        def meet() -> None:
            with WebSocketServer(converse, admit=admit) as server, upgrade(server.url) as one:
                assert one.recv(1) == b""

        with pytest.raises(type(verdict)):
            meet()

    def test_what_the_block_raises_goes_before_it(self) -> None:
        """The fault is a note to it."""

        def admit(request: RawRequest) -> None:
            raise ValueError("a bug")

        async def converse(connection: Connection) -> None: ...

        server = WebSocketServer(converse, admit=admit)

        def meet() -> None:
            with server, upgrade(server.url) as one:
                raise KeyError(one.recv(1))

        with pytest.raises(KeyError) as caught:
            meet()
        assert "a bug" in caught.value.__notes__[0]
        with server:
            pass  # what was told is told once

    @pytest.mark.parametrize("flood", [b"\x81\x80\0\0\0\0", b"\x8a\x80\0\0\0\0"])
    def test_a_client_that_floods_is_not_alone(self, flood: bytes) -> None:
        """Others are served, and the server can be stopped."""

        async def converse(connection: Connection) -> None:
            while True:
                await connection.receive()

        stop = threading.Event()

        def pour(connection: socket.socket) -> None:
            with suppress(OSError):
                while not stop.is_set():
                    connection.sendall(flood * 10_000)

        with WebSocketServer(converse) as server, upgrade(server.url) as connection:
            head_of(connection)
            thread = threading.Thread(target=pour, args=[connection])
            thread.start()
            try:
                with upgrade(server.url) as other:
                    assert head_of(other).startswith(b"HTTP/1.1 101")
            finally:
                stop.set()
        thread.join()

    async def test_a_target_that_is_no_url_is_a_target(self) -> None:
        """What a client sends is no fault of the server's."""

        async def converse(connection: Connection) -> None: ...

        def admit(request: RawRequest) -> Status | None:
            return Status(404 if request.path == "//[" else 500)

        with WebSocketServer(converse, admit=admit) as server:
            host, port = server.url.removeprefix("ws://").split(":")
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(b"GET //[?a HTTP/1.1\r\nHost: a\r\n\r\n")
                assert head_of(connection).startswith(b"HTTP/1.1 404")
        assert server.exchanges[0].how == "http:404"

    async def test_what_asks_for_no_websocket_is_told_so(self) -> None:
        """And hung up on."""

        async def converse(connection: Connection) -> None: ...

        with WebSocketServer(converse) as server:
            host, port = server.url.removeprefix("ws://").split(":")
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert rest_of(connection).startswith(b"HTTP/1.1 426")

    def test_it_is_entered_once_at_a_time(self) -> None:
        """A second time would take the first one's place."""

        async def converse(connection: Connection) -> None: ...

        with WebSocketServer(converse) as server:
            with pytest.raises(WrongUseError):
                server.__enter__()
            assert server.url

    async def test_it_has_no_address_before_it_listens(self) -> None:
        """An address that leads nowhere would be worse than none."""

        async def converse(connection: Connection) -> None: ...

        with pytest.raises(WrongUseError):
            _ = WebSocketServer(converse).url

    async def test_an_ipv6_address_stands_in_brackets(self) -> None:
        """As URLs want it."""

        async def converse(connection: Connection) -> None: ...

        with WebSocketServer(converse, host="::1") as server:
            assert server.url.startswith("ws://[::1]:")

    async def test_junk_instead_of_a_handshake_disturbs_nobody(self) -> None:
        """It is hung up on, and the next client is served."""

        async def converse(connection: Connection) -> None: ...

        with WebSocketServer(converse) as server:
            host, port = server.url.removeprefix("ws://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"\x00\x01\x02\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            async with connect(server.url, proxy=None):
                pass


class TestUpstream:
    def test_each_request_gets_the_next_script(self, upstream: WebSocketUpstream) -> None:
        """In the order in which they were queued."""
        upstream.play("a", HangUp())
        upstream.play("b", HangUp())
        assert [ask(upstream.url)[0] for _ in range(2)] == [[{"text": "a"}], [{"text": "b"}]]

    def test_a_script_may_be_for_some_questions_alone(self, upstream: WebSocketUpstream) -> None:
        """By what was asked."""
        upstream.play("A", HangUp(), when=lambda request: request.body == b"who?")
        upstream.play("B", HangUp(), times=None)
        assert [ask(upstream.url, question)[0] for question in ("hi", "who?")] == [
            [{"text": "B"}],
            [{"text": "A"}],
        ]

    def test_a_request_without_a_script_is_told_so(self, upstream: WebSocketUpstream) -> None:
        """Rather than left to time out."""
        with connect_blocking(upstream.url, proxy=None) as ws:
            ws.send("hi")
            with pytest.raises(Exception, match="nothing was queued for this request"):
                ws.recv(timeout=10)

    def test_a_close_has_its_code(self, upstream: WebSocketUpstream) -> None:
        """What a script says after it is nobody's fault, and isn't said."""
        upstream.play("a", CloseCode(1011, "why"), "b")
        assert ask(upstream.url) == ([{"text": "a"}], 1011)

    def test_one_connection_may_ask_again(self, upstream: WebSocketUpstream) -> None:
        """Each question is a request of its own."""
        upstream.play("a")
        upstream.play("b")
        with connect_blocking(upstream.url, proxy=None) as ws:
            answers = []
            for question in ("one", "two"):
                ws.send(question)
                answers.append(ws.recv(timeout=10))
        assert answers == ['{"text": "a"}', '{"text": "b"}']
        assert upstream.exchanges.wait().messages == [b"one", b"two"]

    @pytest.mark.parametrize("step", [Status(503, "later"), Fail("auth")], ids=["status", "fail"])
    def test_a_handshake_is_refused(self, upstream: WebSocketUpstream, step: Status | Fail) -> None:
        """By a status, or by a failure that the provider tells this early."""
        upstream.play(step)
        with pytest.raises(InvalidStatus, match="503" if isinstance(step, Status) else "401"):
            ask(upstream.url)

    def test_a_handshake_hangs(self, upstream: WebSocketUpstream) -> None:
        """Nothing comes, until the client leaves."""
        upstream.play(Hang())
        with upgrade(upstream.url) as connection:
            connection.settimeout(0.05)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        assert upstream.exchanges.wait().wait_gone()

    def test_connections_are_refused_until_something_else_is_played(
        self, upstream: WebSocketUpstream
    ) -> None:
        """By the system: nobody listens; then somebody does again, at the same address."""
        url = upstream.url
        for _ in range(2):
            upstream.play(Refuse())
            with pytest.raises(ConnectionRefusedError):
                ask(url)
        upstream.play("a", HangUp())
        assert (upstream.url, ask(url)) == (url, ([{"text": "a"}], 1000))

    def test_it_plays_nothing_before_it_runs(self) -> None:
        """Nor afterwards."""
        upstream = WebSocketUpstream(PlainCodec())
        with pytest.raises(WrongUseError):
            upstream.play("a")

    def test_a_codecs_bug_is_raised_at_the_end(self) -> None:
        """A faulty harness isn't taken for a faulty client."""

        class Buggy(PlainCodec):
            def encoder(self, request: RawRequest) -> PlainEncoder:
                """One that fails."""
                return BuggyEncoder()

        class BuggyEncoder(PlainEncoder):
            def delta(self, delta: Delta) -> Sequence[bytes]:
                """It fails."""
                raise ZeroDivisionError

        def meet() -> None:
            with WebSocketUpstream(Buggy()) as upstream:
                upstream.play("a")
                ask(upstream.url)

        with pytest.raises(ZeroDivisionError):
            meet()

    def test_open_connections_are_counted(self, upstream: WebSocketUpstream) -> None:
        """So that a test sees how many a client keeps."""
        with upgrade(upstream.url), upgrade(upstream.url):
            upstream.exchanges.wait(1)
            assert upstream.open_count == 2

    def test_nothing_is_left_behind(self) -> None:
        """No thread, no socket."""
        before = threading.active_count()
        with WebSocketUpstream(PlainCodec()) as upstream:
            port = int(upstream.url.rpartition(":")[2])
            upgrade(upstream.url).close()
        assert before == threading.active_count()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0

    def test_a_script_may_be_queued_from_within(self) -> None:
        """By a codec, or by whoever decides who gets what."""
        with WebSocketUpstream(PlainCodec()) as upstream:

            def then(request: RawRequest) -> bool:
                upstream.play("b", HangUp())
                return True

            upstream.play("a", HangUp(), when=then)
            assert [ask(upstream.url)[0] for _ in "ab"] == [[{"text": "a"}], [{"text": "b"}]]

    def test_a_refusal_can_be_told_from_without_alone(self) -> None:
        """The loop that would have to do it is waiting for it."""

        def meet() -> None:
            with WebSocketUpstream(PlainCodec()) as upstream:

                def then(request: RawRequest) -> bool:
                    upstream.play(Refuse())
                    return True

                upstream.play("a", when=then)
                ask(upstream.url)

        with pytest.raises(WrongUseError):
            meet()

    def test_codes_of_gateways_are_sent_as_they_are(self, upstream: WebSocketUpstream) -> None:
        """They have some that no standard knows, and headers in any case."""
        upstream.play(Status(520, "odd", headers={"content-LENGTH": "3"}))
        with upgrade(upstream.url) as connection:
            told = rest_of(connection).lower()
        assert told.startswith(b"http/1.1 520 ")
        assert told.count(b"content-length") == 1

    def test_a_client_that_pings_and_does_not_read_is_reset(
        self, upstream: WebSocketUpstream
    ) -> None:
        """Though the server has pongs to get rid of."""
        upstream.play(Gate("pings"), Reset())
        with upgrade(upstream.url) as connection:
            head_of(connection)
            connection.sendall(QUESTION)
            connection.settimeout(0.2)
            with suppress(TimeoutError):
                while True:
                    connection.sendall((b"\x89\xfd\0\0\0\0" + bytes(125)) * 100)
            upstream.release("pings")
            assert upstream.exchanges.wait().wait_gone()

    def test_a_protocol_error_is_seen(self, upstream: WebSocketUpstream) -> None:
        """With the code by which the server closed."""
        with upgrade(upstream.url) as connection:
            head_of(connection)
            connection.sendall(b"\x83\x80\0\0\0\0")
            rest_of(connection)
        exchange = upstream.exchanges.wait()
        assert exchange.wait_gone()
        assert (exchange.closed_by, exchange.how) == ("server", "ws:1002")
        assert not exchange.wait_asked()

    @pytest.mark.parametrize(
        ("said", "how"), [(b"", "fin"), (b"GET / HTTP/1.1\r\n\r\n", "tls")], ids=["none", "http"]
    )
    def test_a_client_that_speaks_no_tls_is_seen(self, said: bytes, how: str) -> None:
        """How it ended before it began."""
        with WebSocketUpstream(PlainCodec(), tls=True) as upstream:
            port = int(upstream.url.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                rest_of(connection)
            assert upstream.exchanges.wait().wait_gone()
        assert (upstream.exchanges[0].closed_by, upstream.exchanges[0].how) == ("client", how)

    def test_it_speaks_tls(self) -> None:
        """With a certificate that a client can be told to trust."""
        import ssl

        with (
            local_certificate() as certificate,
            WebSocketUpstream(PlainCodec(), tls=certificate.context) as upstream,
        ):
            upstream.play("a", HangUp())
            trust = ssl.create_default_context(cafile=certificate.ca_file)
            with connect_blocking(upstream.url, ssl=trust, proxy=None) as ws:
                ws.send("hi")
                assert ws.recv(timeout=10) == '{"text": "a"}'
        assert upstream.exchanges.wait().target == "/"
