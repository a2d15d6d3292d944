"""A response's bytes: what is understood, what is refused, and where it ends."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.errors import ConnectionLostError, HandshakeError, ProtocolError, ProxyLLMError
from modelplug.transport import Endpoint
from modelplug.transport.httpparser import HEAD_LIMIT, HEADER_LINES, ResponseParser

ENDPOINT = Endpoint(scheme="https", host="127.0.0.1", port=443, path="/v1")

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"5\r\nhello\r\n1;name=value\r\n!\r\n0\r\n\r\n"
UNTIL_CLOSE = OK + b"X: y\r\n\r\nhello"


def parsed(data: bytes, *, size: int = 1 << 20, eof: bool = False) -> ResponseParser:
    """A parser that was fed ``data`` in parts of ``size``."""
    parser = ResponseParser(ENDPOINT)
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
    if eof:
        parser.feed_eof()
    return parser


def outcome(parser: ResponseParser) -> tuple[object, ...]:
    """All that a parser has to say."""
    failure = parser.failure()
    return (
        parser.status,
        parser.headers,
        parser.taken(),
        parser.is_complete,
        parser.idle_seconds,
        None if failure is None else (type(failure), str(failure)),
    )


def failure_of(data: bytes, *, eof: bool = False) -> ProxyLLMError:
    """The error that ``data`` makes."""
    failure = parsed(data, eof=eof).failure()
    assert failure is not None
    return failure


GOOD = {
    "length": (LENGTH, 200, b"hello", 15.0),
    "chunks": (CHUNKS, 200, b"hello!", 15.0),
    "trailers": (CHUNKS[:-2] + b"X-Sum: 1\r\n\r\n", 200, b"hello!", 15.0),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", 200, b"", 15.0),
    "until close": (UNTIL_CLOSE, 200, b"hello", 0.0),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", 15.0),
    "interim": (b"HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n" * 3 + LENGTH, 200, b"hello", 15.0),
    "interim that closes": (
        b"HTTP/1.1 103 Hint\r\nConnection: close\r\n\r\n" * 2 + LENGTH,
        200,
        b"hello",
        15.0,
    ),
    "line ends before it": (b"\r\n\r\n" + LENGTH, 200, b"hello", 15.0),
    "close": (LENGTH.replace(b"\r\n", b"\r\nConnection: Close\r\n", 1), 200, b"hello", 0.0),
    "HTTP/1.0": (LENGTH.replace(b"1.1", b"1.0"), 200, b"hello", 0.0),
    "no reason": (LENGTH.replace(b" OK", b""), 200, b"hello", 15.0),
    "an offer to upgrade": (
        LENGTH.replace(b"\r\n", b"\r\nUpgrade: h2c\r\nConnection: upgrade\r\n", 1),
        200,
        b"hello",
        15.0,
    ),
    "identity": (
        LENGTH.replace(b"\r\n", b"\r\nContent-Encoding: identity\r\n", 1),
        200,
        b"hello",
        15.0,
    ),
    "a compressed refusal": (
        LENGTH.replace(b"200", b"502").replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1),
        502,
        b"hello",
        15.0,
    ),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_good_response_is_understood(name: str, size: int) -> None:
    """Status, body and how long the connection is good for, however the bytes come."""
    data, status, body, idle = GOOD[name]
    parser = parsed(data, size=size, eof=name == "until close")
    assert (status, body) == (parser.status, parser.taken())
    assert (True, False, idle) == (parser.is_complete, parser.has_failed, parser.idle_seconds)


PROTOCOL = {
    "another service": b"SSH-2.0-OpenSSH_9.6\r\n",
    "RTSP": LENGTH.replace(b"HTTP/1.1", b"RTSP/1.0"),
    "ICE": LENGTH.replace(b"HTTP/1.1", b"ICE/1.0"),
    "HTTP/2.0": LENGTH.replace(b"1.1", b"2.0"),
    "HTTP/0.9": LENGTH.replace(b"1.1", b"0.9"),
    "a TLS alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a header without colon": OK + b"nonsense\r\n\r\n",
    "a blank before the colon": OK + b"Name : value\r\n\r\n",
    "a NUL in a header": OK + b"Name: va\0lue\r\n\r\n",
    "a line end alone": OK.replace(b"\r", b"") + b"\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a length twice": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "a length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "a negative length": OK + b"Content-Length: -5\r\n\r\n",
    "a length beyond bounds": OK + b"Content-Length: 99999999999999999999\r\n\r\n",
    "a coding of the transfer": OK + b"Transfer-Encoding: gzip\r\n\r\n",
    "a coding before chunks": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "compression": OK + b"Content-Encoding: br\r\nContent-Length: 5\r\n\r\nhello",
    "a size that is none": CHUNKED + b"xyz\r\n",
    "a chunk without its end": CHUNKED + b"2\r\nhello\r\n",
    "a size beyond bounds": CHUNKED + b"fffffffffffffffff\r\n",
    "endless extensions": CHUNKED + b"5;" + b"x" * 200_000,
    "endless trailers": CHUNKED + b"0\r\n" + b"X: y\r\n" * 40_000,
}


@pytest.mark.parametrize("name", PROTOCOL)
@pytest.mark.parametrize("size", [1 << 13, 1 << 20])
def test_what_breaks_http_is_a_protocol_error(name: str, size: int) -> None:
    """At once, with where it came from, and without what was sent."""
    parser = parsed(PROTOCOL[name], size=size)
    assert type(parser.failure()) is ProtocolError
    assert str(ENDPOINT) in str(parser.failure())
    assert (parser.is_complete, parser.idle_seconds) == (False, 0.0)


@pytest.mark.parametrize("status", [b"000", b"002", b"099"])
def test_a_status_below_100_is_none(status: bytes) -> None:
    """The parser below takes any three digits (RFC 9110, section 15, does not)."""
    failure = failure_of(b"HTTP/1.1 " + status + b" OK\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(failure, ProtocolError)
    assert "a status that is none" in str(failure)


CUT = {
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
    "short of the length": LENGTH[:-1],
    "short of the last chunk": CHUNKS[:-5],
    "short of the last line": CHUNKS[:-2],
    "amid a chunk": CHUNKED + b"5\r\nhe",
}


@pytest.mark.parametrize("name", CUT)
def test_a_body_that_is_cut_short_is_a_lost_connection(name: str) -> None:
    """What there is of it is delivered; it must not pass for the whole."""
    parser = parsed(CUT[name], eof=True)
    assert isinstance(parser.failure(), ConnectionLostError)
    assert (parser.is_complete, parser.idle_seconds) == (False, 0.0)
    assert b"hello".startswith(parser.taken().rstrip(b"!"))


def test_a_reset_ends_what_would_have_lasted_until_the_close() -> None:
    """Only a proper end is one."""
    parser = parsed(UNTIL_CLOSE)
    parser.lose(ConnectionResetError())
    assert "ConnectionResetError" in str(parser.failure())
    assert parser.taken() == b"hello"


def test_cut_from_this_side_it_says_so() -> None:
    """The server is not to blame."""
    parser = parsed(CHUNKED)
    parser.cut()
    parser.lose(OSError())
    assert "from this side" in str(parser.failure())


class TestLimits:
    def test_a_head_may_have_64_kib(self) -> None:
        """The blank line at its end included."""
        rest = b"Content-Length: 0\r\n\r\n"
        name = b"X: "
        padding = HEAD_LIMIT - len(OK + name + b"\r\n" + rest)
        head = OK + name + b"y" * padding + b"\r\n" + rest
        assert len(head) == HEAD_LIMIT
        assert parsed(head).is_complete
        assert type(failure_of(head.replace(b"y", b"yy", 1))) is HandshakeError

    @pytest.mark.parametrize("size", [1000, 1 << 20])
    def test_an_endless_head_is_refused(self, size: int) -> None:
        """In whatever parts it comes."""
        for data in (OK + b"X: " + b"y" * 200_000, OK + b"x" * 200_000, b"HTTP/1.1 200 " * 9999):
            failure = parsed(data, size=size).failure()
            assert isinstance(failure, HandshakeError | ProtocolError)
        assert isinstance(failure_of(OK + b"X: " + b"y" * 200_000), HandshakeError)

    def test_a_head_may_have_100_lines(self) -> None:
        """One more is refused."""
        lines = [b"X-%d: y\r\n" % number for number in range(HEADER_LINES)]
        good = OK + b"".join(lines[1:]) + b"Content-Length: 0\r\n\r\n"
        assert parsed(good).is_complete
        assert isinstance(failure_of(good.replace(OK, OK + lines[0])), HandshakeError)

    def test_interim_responses_end(self) -> None:
        """Their lines and bytes count as those of the head that they put off."""
        assert type(failure_of(b"HTTP/1.1 100 Continue\r\n\r\n" * 9999)) is HandshakeError
        assert type(failure_of(b"HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n" * 101)) is HandshakeError

    def test_an_interim_response_leaves_no_headers(self) -> None:
        """What it says is not said of the response."""
        interim = b"HTTP/1.1 103 Hint\r\nLink: x\r\nContent-Encoding: br\r\n\r\n"
        assert parsed(interim + LENGTH).headers == {"content-length": "5"}

    def test_trailers_are_no_headers(self) -> None:
        """What a server says after the body changes nothing that was judged before it."""
        trailers = b"".join(b"X-%d: y\r\n" % number for number in range(200))
        parser = parsed(CHUNKS[:-2] + trailers + b"Content-Type: evil\r\n\r\n")
        assert (parser.is_complete, parser.headers) == (True, {"transfer-encoding": "chunked"})


class TestAfterTheEnd:
    def test_an_interim_response_says_nothing_of_what_follows_the_next(self) -> None:
        """The leave that it has doesn't last: a closing response is the last."""
        interim = b"HTTP/1.1 103 Hint\r\nConnection: close\r\n\r\n"
        parser = parsed(interim + GOOD["close"][0] + LENGTH)
        assert (parser.taken(), parser.idle_seconds) == (b"hello", 0.0)

    @pytest.mark.parametrize("surplus", [b"x", LENGTH, b"\0", b"HTTP/1.1"])
    @pytest.mark.parametrize("good", [LENGTH, CHUNKS])
    def test_what_follows_a_response_spoils_the_connection(
        self, good: bytes, surplus: bytes
    ) -> None:
        """Nobody has asked for it; the response itself stays as it was."""
        at_once, later = parsed(good + surplus), parsed(good)
        later.feed(surplus)
        for parser in (at_once, later):
            assert (parser.is_complete, parser.has_failed) == (True, False)
            assert parser.taken() in (b"hello", b"hello!")
            assert parser.idle_seconds == 0.0

    def test_a_switch_of_protocols_is_no_response(self) -> None:
        """Nobody has asked for one: status 101 ends it, and what follows isn't read."""
        parser = parsed(
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x01a"
        )
        assert (parser.status, parser.taken(), parser.idle_seconds) == (101, b"", 0.0)
        assert parser.has_ended

    def test_an_end_that_comes_later_changes_nothing(self) -> None:
        """The response is whole."""
        parser = parsed(LENGTH, eof=True)
        parser.lose(OSError())
        parser.cut()
        assert (parser.is_complete, parser.failure()) == (True, None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", 4.0),
        (b"timeout=5, max=100", 4.0),
        (b"max=100,TIMEOUT = 3", 2.0),
        (b"timeout=75", 15.0),
        (b"timeout=1", 0.0),
        (b"timeout=0", 0.0),
        (b"timeout=-1", 15.0),
        (b"notimeout=1", 15.0),
        (b"nonsense", 15.0),
    ],
)
def test_the_server_may_shorten_the_wait(value: bytes, seconds: float) -> None:
    """Its limit less a second: it mustn't hang up on a request that is on its way."""
    head = OK + b"Keep-Alive: " + value + b"\r\nContent-Length: 0\r\n\r\n"
    assert seconds == parsed(head).idle_seconds


def test_names_are_lower_case_and_lists_are_joined() -> None:
    """A header that comes twice is a list (RFC 9110, section 5.3)."""
    head = OK + b"X-ID:  a b \r\nx-id: \xe4\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
    headers = {"x-id": "a b, \xe4", "empty": "", "content-length": "0"}
    assert headers == parsed(head).headers


def test_pieces_are_taken_once() -> None:
    """And together, whatever they came in."""
    parser = parsed(CHUNKS)
    assert (parser.taken(), parser.taken()) == (b"hello!", b"")


SAMPLES = [*(good[0] for good in GOOD.values()), *PROTOCOL.values(), *CUT.values()]
SAMPLES = [sample for sample in SAMPLES if len(sample) < 1000]


@given(sample=st.sampled_from(SAMPLES), cuts=st.lists(st.integers(0, 300)), eof=st.booleans())
def test_any_split_gives_what_the_whole_gives(sample: bytes, cuts: list[int], eof: bool) -> None:
    """Where a read ends says nothing."""
    whole, parts = parsed(sample, eof=eof), ResponseParser(ENDPOINT)
    edges = [0, *sorted(cut for cut in cuts if cut < len(sample)), len(sample)]
    for start, end in pairwise(edges):
        if start < end:
            parts.feed(sample[start:end])
    if eof:
        parts.feed_eof()
    assert outcome(whole) == outcome(parts)


@given(data=st.binary(max_size=400), head=st.sampled_from([b"", OK, CHUNKED, LENGTH]))
def test_any_bytes_make_a_response_or_a_typed_error(data: bytes, head: bytes) -> None:
    """Nothing that a server sends makes this raise."""
    parser = parsed(head + data, size=50, eof=True)
    assert parser.has_ended
    assert parser.is_complete != isinstance(parser.failure(), ProxyLLMError)


def test_without_its_library_it_says_what_to_install() -> None:
    """The extra has its name."""
    code = (
        "import sys; sys.modules['httptools'] = None\n"
        "from modelplug.errors import MissingDependencyError\n"
        "try:\n    import modelplug.transport.http\n"
        "except MissingDependencyError as error:\n    sys.exit('modelplug[http]' in error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 1
