"""The scripted service, in its own thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

import pytest
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
from modelplug.testing.websocket import WebSocketUpstream
from tests.core.testing.plain import (
    QUESTION,
    PlainCodec,
    PlainEncoder,
    ask,
    head_of,
    rest_of,
    upgrade,
)


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

    def test_what_was_refused_before_it_was_left_is_forgotten(self) -> None:
        """Entered again it can be told again to refuse."""
        upstream = WebSocketUpstream(PlainCodec())
        for _ in range(2):
            with upstream:
                upstream.play(Refuse())
                with pytest.raises(ConnectionRefusedError):
                    ask(upstream.url)

    async def test_it_may_be_entered_on_a_loop(self) -> None:
        """Leaving it doesn't block the loop."""
        async with WebSocketUpstream(PlainCodec()) as upstream:
            assert upstream.url
        with pytest.raises(WrongUseError):
            _ = upstream.url

    def test_two_questions_at_once_are_two_requests(self, upstream: WebSocketUpstream) -> None:
        """Each script is asked about its own."""
        seen: list[bytes] = []

        def when(request: RawRequest) -> bool:
            seen.append(request.body)
            return True

        upstream.play("a", times=2, when=when)
        with upgrade(upstream.url) as connection:
            head_of(connection)
            connection.sendall(b"".join(b"\x81\x83\0\0\0\0" + each for each in (b"one", b"two")))
            rest = b""
            while rest.count(b"text") < 2:
                rest += connection.recv(1 << 16)
        assert seen == [b"one", b"two"]

    def test_a_codec_is_asked_once_about_a_failure(self) -> None:
        """It may count what it refuses."""
        asked: list[Fail] = []

        class Counting(PlainCodec):
            def refusal(self, fail: Fail) -> Status | None:
                """Counted."""
                asked.append(fail)
                return super().refusal(fail)

        with WebSocketUpstream(Counting()) as upstream:
            upstream.play(Fail("auth"))
            with pytest.raises(InvalidStatus, match="401"):
                ask(upstream.url)
        assert asked == [Fail("auth")]

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
