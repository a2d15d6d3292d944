"""A scripted service over HTTP, as clients see it that share no code with it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from functools import partial

import pytest

from modelplug import Finish
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Drip,
    EarlyStatus,
    Fail,
    Fragment,
    Garbage,
    Gate,
    Hang,
    HangUp,
    KeepAlive,
    Lines,
    Message,
    RawRequest,
    Refuse,
    Reset,
    Silence,
    Split,
    Status,
    Step,
    Wire,
)
from modelplug.testing.http import HttpConnection, HttpUpstream, ndjson
from tests.core.testing.plain import PlainCodec, head_of, rest_of
from tests.core.testing.web import ask, connected, opened, post, said

A, DONE = b'data: {"text": "a"}\n\n', b'data: {"done": "stop"}\n\n'


@pytest.mark.parametrize(
    "manner",
    [Split(1), Split(0), Fragment(5), Fragment(5, ping_between=True), Fragment(99), Drip(0.001)],
    ids=["bytes", "whole", "chunks", "chunks-and-comments", "more-chunks-than-bytes", "drip"],
)
def test_an_answer_is_events_in_a_response(manner: Step) -> None:
    """However its bytes come; a script with a Finish ends it."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(manner, "Hel", Message(b"[1]"), "lo", Finish())
        status, body = ask(upstream)
    data = b"\n\n".join(line for line in body.split(b"\n") if line.startswith(b"data"))
    assert (status, said(data)) == (200, [{"text": "Hel"}, [1], {"text": "lo"}, {"done": "stop"}])


def test_the_head_says_what_comes() -> None:
    """In chunks, and of which type."""
    with HttpUpstream(PlainCodec()) as upstream, connected(upstream) as connection:
        upstream.play(Finish())
        response = post(connection)
        told = response.headers["content-type"], response.headers["transfer-encoding"]
        assert told == ("text/event-stream", "chunked")
        assert response.headers["date"].endswith("GMT")
        response.read()


def test_ndjson_is_a_message_a_line() -> None:
    """With blank ones that mean nothing; it is a wire like others."""
    wire: Wire = partial(HttpUpstream, frame=ndjson)
    with wire(PlainCodec()) as upstream:
        assert isinstance(upstream, HttpUpstream)
        upstream.play(Fragment(1, ping_between=True), "a", Finish())
        assert ask(upstream) == (200, b'\n{"text": "a"}\n\n{"done": "stop"}\n')
        with pytest.raises(ValueError, match="NDJSON has but one way"):
            upstream.play(Lines("\r"))


def test_requests_on_one_connection_are_exchanges_of_their_own() -> None:
    """Each is gone when its response is whole, and the connection when the client leaves."""
    with HttpUpstream(PlainCodec()) as upstream:
        with connected(upstream) as connection:
            for number in range(3):
                upstream.play("a", Finish())
                assert post(connection, str(number).encode()).read() == A + DONE
                assert upstream.exchanges[number].wait_gone()
            assert (upstream.open_count, upstream.connection_count) == (0, 1)
        upstream.play(Finish())
        ask(upstream)
    seen = upstream.exchanges
    assert [each.connection for each in seen] == [0, 0, 0, 1]
    assert [each.messages for each in seen[:3]] == [[b"0"], [b"1"], [b"2"]]
    assert {(each.closed_by, each.how) for each in seen} == {("server", "http:200")}
    assert (seen[0].method, seen[0].target) == ("POST", "/chat?key=hidden")
    assert upstream.connection_count == 0


def test_scripts_are_told_apart_by_method() -> None:
    """A list of models is got, and a question posted, at one address."""
    with HttpUpstream(PlainCodec()) as upstream, connected(upstream) as connection:
        upstream.play("got", Finish(), when=lambda request: request.method == "GET")
        upstream.play("posted", Finish(), when=lambda request: request.method == "POST")
        assert b"posted" in post(connection).read()
        connection.request("GET", "/")
        assert b"got" in connection.getresponse().read()


def test_a_script_without_an_end_stays_silent() -> None:
    """The response goes on until the client leaves, which is seen."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play("a")
        with opened(upstream) as connection:
            assert upstream.exchanges.wait().wait_asked()
            while not connection.recv(1 << 16).endswith(A + b"\r\n"):
                pass
            assert not upstream.exchanges[0].wait_gone(0.05)
        assert upstream.exchanges[0].wait_gone()
        assert (upstream.exchanges[0].closed_by, upstream.exchanges[0].how) == ("client", "fin")


@pytest.mark.parametrize("step", [Silence(), Hang(), Gate("never")], ids=repr)
def test_what_waits_waits(step: Step) -> None:
    """Until the client leaves."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(step)
        with opened(upstream):
            assert upstream.exchanges.wait().wait_asked()
            assert not upstream.exchanges[0].wait_gone(0.05)
        assert upstream.exchanges[0].wait_gone()


def test_a_failure_is_refused_if_the_codec_says_so() -> None:
    """Else it is said in the stream, and so is one that comes later."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(Fail("auth"))
        upstream.play(Fail("quota"))
        upstream.play("a", Fail("auth"))
        assert ask(upstream) == (401, b"no")
        assert ask(upstream) == (200, b'data: {"failed": "quota"}\n\n')
        assert ask(upstream) == (200, A + b'data: {"failed": "auth"}\n\n')
        assert upstream.exchanges[0].messages  # it was read first


def test_a_status_is_a_response_and_the_connection_stays() -> None:
    """With its body and headers; a redirect is one, too."""
    with HttpUpstream(PlainCodec()) as upstream, connected(upstream) as connection:
        upstream.play(Status(307, headers={"Location": "/elsewhere"}))
        upstream.play(Status(204))
        upstream.play(Status(429, '{"later": 1}', headers={"content-type": "application/json"}))
        response = post(connection)
        assert (response.status, response.headers["location"]) == (307, "/elsewhere")
        response.read()
        assert post(connection).read() == b""
        assert json.loads(post(connection).read()) == {"later": 1}
        assert upstream.exchanges.wait(2).wait_gone()
        assert {each.connection for each in upstream.exchanges} == {0}
        assert [each.how for each in upstream.exchanges] == ["http:307", "http:204", "http:429"]


def test_an_early_status_waits_for_no_body() -> None:
    """It is there while the client still uploads, and so is the end."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(EarlyStatus(413, "too much"))
        host, _, port = upstream.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
            assert rest_of(connection).endswith(b"\r\n\r\ntoo much")
            connection.sendall(b"x" * 100_000)  # nobody minds
        exchange = upstream.exchanges.wait()
        assert exchange.wait_gone()
        assert (exchange.messages, exchange.closed_by, exchange.how) == ([], "server", "http:413")


@pytest.mark.parametrize(
    ("steps", "ending"),
    [
        (("a", HangUp()), A + b"\r\n0\r\n\r\n"),
        (("a", CutFrame(0)), A + b"\r\n"),
        (("a", CutFrame(0.5)), A + b'\r\na\r\ndata: {"te\r\n'),
        (("a", Garbage("chunk"), CutFrame(0)), A + b"\r\nlength\r\n{}\r\n"),
        ((Garbage("text"), CutFrame(0)), b"data: {not json\n\n\r\n"),
        ((Garbage("binary"), CutFrame(0)), b"data: \x00\x01\x02\n\n\r\n"),
    ],
    ids=["hang-up", "cut", "cut-amid", "chunk", "text", "binary"],
)
def test_a_fault_byte_by_byte(steps: tuple[Step, ...], ending: bytes) -> None:
    """As RFC 9112 calls them, section 7.1."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(*steps)
        with opened(upstream) as connection:
            head_of(connection)
            if isinstance(steps[-1], HangUp):
                told = b""
                while not told.endswith(b"0\r\n\r\n"):
                    told += connection.recv(1 << 16)
            else:
                told = rest_of(connection)
        assert told.endswith(ending)


def test_a_reset_is_one() -> None:
    """The client's system says so."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play("a", Gate("seen"), Reset())
        with opened(upstream) as connection:
            assert upstream.wait_reached("seen")
            upstream.release("seen")
            with pytest.raises(ConnectionResetError):
                rest_of(connection)
        assert (upstream.exchanges[0].closed_by, upstream.exchanges[0].how) == ("server", "rst")


def test_who_is_refused_isnt_seen() -> None:
    """Until something else is played."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(Refuse())
        with pytest.raises(ConnectionRefusedError):
            opened(upstream)
        upstream.play(Finish())
        assert ask(upstream) == (200, DONE)
        assert len(upstream.exchanges) == 1


def test_comments_keep_a_response_alive() -> None:
    """One after the other, and nothing else."""
    with HttpUpstream(PlainCodec()) as upstream:
        upstream.play(KeepAlive(0.001))
        with opened(upstream) as connection:
            head_of(connection)
            with connection.makefile("rb") as stream:
                assert stream.read(24) == b"3\r\n:\n\n\r\n" * 3


@pytest.mark.parametrize(
    "step", [CloseCode(1000), Garbage("opcode"), Garbage("masked")], ids=["code", "opcode", "mask"]
)
def test_what_only_a_websocket_has_is_not_played(step: Step) -> None:
    """And why not is told."""
    upstream = HttpUpstream(PlainCodec())
    assert upstream.cannot(step).startswith("HTTP has no ")
    with upstream, pytest.raises(ValueError, match="HTTP has no "):
        upstream.play(step)


def test_it_speaks_tls() -> None:
    """With a certificate that a client can be told to trust."""
    with HttpUpstream(PlainCodec(), tls=True) as upstream:
        upstream.play("a", Finish())
        host = upstream.url.removeprefix("https://")
        trust = ssl.create_default_context(cafile=upstream.ca_file)
        connection = http.client.HTTPSConnection(host, timeout=10, context=trust)
        assert post(connection).read() == A + DONE
        connection.close()
        stranger = http.client.HTTPSConnection(host, timeout=10)
        with pytest.raises(ssl.SSLCertVerificationError):
            post(stranger)
        stranger.close()
        assert upstream.exchanges.wait(1).wait_gone()
        assert (upstream.exchanges[1].closed_by, upstream.exchanges[1].how) == ("client", "tls")


class Emulator(HttpUpstream):
    """Answers by itself: a list of models, and an echo."""

    async def answer(self, connection: HttpConnection, request: RawRequest) -> None:
        """Whole, or in messages."""
        if (request.method, request.path) == ("GET", "/models"):
            listed = json.dumps({"data": [{"id": "one"}]})
            headers = {"content-type": "application/json"}
            await connection.respond(Status(200, listed, headers=headers))
        else:
            await connection.begin(headers={"X-Own": "1"})
            await connection.say(request.body, b"[DONE]")
            await connection.end()


def test_an_emulator_has_an_answer_of_its_own() -> None:
    """For what nobody queued a script for."""
    with Emulator(PlainCodec()) as upstream, connected(upstream) as connection:
        connection.request("GET", "/models")
        assert json.loads(connection.getresponse().read())["data"] == [{"id": "one"}]
        response = post(connection, b"{}")
        assert (response.headers["x-own"], response.read()) == (
            "1",
            b"data: {}\n\ndata: [DONE]\n\n",
        )
        upstream.play(Finish())
        assert post(connection).read() == DONE


def test_what_nobody_queued_is_told() -> None:
    """With 500."""
    with HttpUpstream(PlainCodec()) as upstream:
        assert ask(upstream) == (500, b"nothing was queued for this request")
