"""What each step does on the wire, as clients see it that share no code with it."""

from __future__ import annotations

import asyncio
import struct

import pytest
from websockets.protocol import State
from websockets.server import ServerProtocol

from modelplug import Delta, Finish
from modelplug.testing import (
    CutFrame,
    Drip,
    Fail,
    Fragment,
    Garbage,
    GarbageKind,
    Gate,
    HangUp,
    KeepAlive,
    Message,
    Noise,
    RawBytes,
    Reset,
    Silence,
    Split,
    Step,
)
from modelplug.testing.gates import Gates
from modelplug.testing.player import Player, in_pieces
from modelplug.testing.websocket import Connection, WebSocketUpstream
from tests.core.testing.plain import QUESTION, PlainEncoder, ask, head_of, rest_of, upgrade

A = b'\x81\x0d{"text": "a"}'
"""What PlainCodec says for the step "a", as a frame."""


def raw(upstream: WebSocketUpstream, *steps: Step) -> bytes:
    """The bytes that come after the handshake, until the server ends the connection."""
    upstream.play(*steps)
    with upgrade(upstream.url) as connection:
        head_of(connection)
        connection.sendall(QUESTION)
        return rest_of(connection)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("a", {"text": "a"}),
        (Delta("a"), {"text": "a"}),
        (Finish("length"), {"done": "length"}),
        (Fail("quota"), {"failed": "quota"}),
        (Noise(), {}),
        (Message(b'{"own": 1}'), {"own": 1}),
    ],
    ids=["text", "delta", "finish", "fail", "noise", "message"],
)
def test_content_is_said_in_the_codecs_words(
    upstream: WebSocketUpstream, step: Step, said: object
) -> None:
    """A message is said as it is."""
    upstream.play(step, HangUp())
    assert ask(upstream.url) == ([said], 1000)


@pytest.mark.parametrize(
    "manner",
    [Split(1), Split(0), Fragment(5, ping_between=True), Fragment(100), Drip(0.001)],
    ids=["bytes", "whole", "fragments-and-pings", "more-frames-than-bytes", "drip"],
)
def test_a_manner_changes_no_message(upstream: WebSocketUpstream, manner: Step) -> None:
    """Only how its bytes come."""
    upstream.play(manner, "Hel", "lo", HangUp())
    assert ask(upstream.url) == ([{"text": "Hel"}, {"text": "lo"}], 1000)


def test_fragments_are_frames_of_one_message(upstream: WebSocketUpstream) -> None:
    """The first says what it is, the last that it is the last; a ping stands between."""
    told = raw(upstream, Fragment(2, ping_between=True), "a", CutFrame(0))
    assert told == b'\x01\x06{"text' + b"\x89\x07between" + b'\x80\x07": "a"}'


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (CutFrame(0), b""),
        (CutFrame(0.5), b'\x81\x0f{"text"'[:8]),
        (RawBytes(b"\x00\x01"), b"\x00\x01"),
        (Garbage("text"), b"\x81\x09{not json"),
        (Garbage("binary"), b"\x82\x03\x00\x01\x02"),
        (Garbage("opcode"), b"\x83\x02{}"),
        (Garbage("reserved"), b"\xc1\x02{}"),
        (Garbage("masked"), b"\x81\x82\x00\x00\x00\x00{}"),
        (Garbage("length"), b"\x81\x7f" + struct.pack("!Q", 1 << 62)),
        (Garbage("continuation"), b"\x80\x02{}"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_a_fault_is_what_the_standard_calls_it(
    upstream: WebSocketUpstream, step: Step, told: bytes
) -> None:
    """Byte by byte (RFC 6455, section 5.2)."""
    upstream.play("a", step, CutFrame(0))
    with upgrade(upstream.url) as connection:
        head_of(connection)
        connection.sendall(QUESTION)
        assert rest_of(connection) == A + told


@pytest.mark.parametrize("kind", ["utf8", "shape"])
def test_garbage_may_be_a_right_frame(upstream: WebSocketUpstream, kind: GarbageKind) -> None:
    """With a content that isn't."""
    told = raw(upstream, Garbage(kind), CutFrame(0))
    assert (told[0], told[1], len(told) - 2) == (0x81, len(told) - 2, told[1])


def test_a_reset_is_one(upstream: WebSocketUpstream) -> None:
    """The client's system says so."""
    with pytest.raises(ConnectionResetError):
        raw(upstream, Reset())
    assert (upstream.exchanges.wait().closed_by, upstream.exchanges.wait().how) == ("server", "rst")


def test_a_gate_holds_back_what_comes_after_it(upstream: WebSocketUpstream) -> None:
    """Until the test releases it."""
    upstream.play("a", Gate("more"), "b", CutFrame(0))
    with upgrade(upstream.url) as connection:
        head_of(connection)
        connection.sendall(QUESTION)
        first = connection.recv(1 << 16)
        assert upstream.wait_reached("more")
        upstream.release("more")
        assert (first, rest_of(connection)) == (A, A.replace(b'"a"', b'"b"'))


@pytest.mark.parametrize(
    "last", ["a", Silence(), KeepAlive(0.001)], ids=["end", "silence", "pings"]
)
def test_after_the_last_step_the_client_has_to_leave(
    upstream: WebSocketUpstream, last: Step
) -> None:
    """The server never does, and sees how the client did."""
    upstream.play(last)
    with upgrade(upstream.url) as connection:
        head_of(connection)
        connection.sendall(QUESTION)
        assert upstream.exchanges.wait().wait_asked()
        assert not upstream.exchanges.wait().wait_gone(0.05)
    assert upstream.exchanges.wait().wait_gone()
    assert upstream.exchanges.wait().closed_by == "client"


def test_pings_are_all_that_comes_of_a_kept_connection(upstream: WebSocketUpstream) -> None:
    """One after the other."""
    upstream.play(KeepAlive(0.001))
    with upgrade(upstream.url) as connection:
        head_of(connection)
        connection.sendall(QUESTION)
        assert [connection.recv(2) for _ in range(3)] == [b"\x89\x00"] * 3


class Recording(Connection):
    """A connection that notes what is written on it, instead of writing it."""

    def __init__(self) -> None:
        self._protocol = ServerProtocol(state=State.OPEN)
        self.written: list[bytes] = []

    async def write(self, *pieces: bytes) -> None:
        """Note it."""
        self.written += pieces


async def written(*steps: Step) -> list[bytes]:
    """The writes of a script."""
    connection = Recording()
    await Player(connection, PlainEncoder(), Gates()).play(steps)
    return connection.written


async def test_split_bounds_every_write() -> None:
    """Of messages, of bytes as they are, of garbage; and the bytes are the same."""
    steps = ("a", RawBytes(b"12345"), Garbage("text"), Garbage("length"))
    whole, split = await written(*steps), await written(Split(3), *steps)
    assert max(map(len, split)) == 3
    assert b"".join(split) == b"".join(whole)
    assert len(whole) == len(steps)


async def test_drip_pauses_before_each_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """From where it stands on."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    await written("a", Drip(7), "b", Noise(), Drip(0), "c")
    assert pauses == [7, 7]


@pytest.mark.parametrize(
    ("size", "pieces"), [(0, [b"abc", b"d"]), (2, [b"ab", b"c", b"d"]), (9, [b"abc", b"d"])]
)
def test_bytes_are_cut_in_pieces(size: int, pieces: list[bytes]) -> None:
    """Of a size, or not at all."""
    assert in_pieces([b"abc", b"d"], size) == pieces
