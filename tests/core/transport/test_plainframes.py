"""The fast way through frames: it gives what the library's own parser gives, however it is fed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from modelplug.transport.plainframes import CLOSE as CLOSING
from modelplug.transport.plainframes import TEXT, PlainFrames, farewell, masked
from tests.core.transport.peers import BINARY, CLOSE, CONTINUED, PING, PONG, closing, frame

UNTIMED = run_with(deadline=None)
MOST = 70_000

texts = st.binary(max_size=200) | st.sampled_from([b"x" * size for size in (125, 126, 65_535)])
plain = texts.map(frame)
others = st.sampled_from(
    [
        frame(b"ping", opcode=PING),
        frame(b"", opcode=PONG),
        frame(b"a", opcode=BINARY),
        frame(b"b", opcode=CONTINUED),
        closing(1000),
        frame(b"x" * 65_536),  # its length takes eight bytes
        b"\x01\x01a",  # the first of several frames
        b"\x81\x81\x00\x00\x00\x00a",  # masked
        b"\xc1\x01a",  # a reserved bit
        b"\x83\x01a",  # an unknown opcode
        b"\x81\x7e\x00\x05hello",  # a length in more bytes than it needs
        b"\x81\x7f" + b"\xff" * 8,  # an impossible length
        b"\x00",
    ]
)
conversations = st.lists(plain | others, max_size=12).map(b"".join)


def split(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The same bytes in several reads."""
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(at)]


def library(reads: Sequence[bytes]) -> list[bytes]:
    """The whole text messages that come before anything else, by websockets' parser."""
    uri = WebSocketURI(secure=False, host="h", port=1, path="/", query="")
    protocol = ClientProtocol(uri, state=OPEN, max_size=MOST)
    messages: list[bytes] = []
    for read in reads:
        protocol.receive_data(read)
        for event in protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode is not Opcode.TEXT or not event.fin:
                return messages
            messages.append(bytes(event.data))
    return messages


def cut(reads: Sequence[bytes], *, max_size: int = MOST) -> tuple[list[bytes], bytes, bytes]:
    """The messages, what was left at the first other frame, and what was kept."""
    frames = PlainFrames(max_size=max_size)
    messages: list[bytes] = []
    for number, read in enumerate(reads):
        left = frames.cut(read, messages)
        if left:
            return messages, left + b"".join(reads[number + 1 :]), frames.rest()
    return messages, b"", frames.rest()


@given(conversations, st.lists(st.integers(0, 1 << 18), max_size=12))
@UNTIMED
def test_it_cuts_what_the_library_parses(data: bytes, places: list[int]) -> None:
    """Whatever comes, in whatever pieces: the same messages, and not a byte lost behind them."""
    reads = split(data, places)
    messages, left, kept = cut(reads)
    theirs = library(reads)
    assert messages == theirs[: len(messages)]
    assert data == b"".join(map(frame, messages)) + (left or kept)
    if not left:
        assert messages == theirs


@given(st.lists(plain, max_size=8).map(b"".join), st.binary(max_size=12))
@UNTIMED
def test_what_is_left_begins_with_the_first_other_frame(data: bytes, rest: bytes) -> None:
    """The library gets all of it, from its first byte on."""
    ping = frame(b"", opcode=PING)
    _, left, _ = cut([data + ping + rest])
    assert left == ping + rest


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535])
def test_all_lengths_that_two_bytes_can_say_are_cut(size: int) -> None:
    """The borders between the ways to write a length."""
    messages, left, kept = cut([frame(b"x" * size)])
    assert ([b"x" * size], b"", b"") == (messages, left, kept)


@pytest.mark.parametrize("size", [10, 126, 300])
def test_a_message_that_is_too_large_is_left(size: int) -> None:
    """Refusing it is the library's part; what came before it is cut."""
    large = frame(b"x" * size)
    messages, left, _ = cut([frame(b"a") + large], max_size=size - 1)
    assert ([b"a"], large) == (messages, left)
    assert ([b"a", b"x" * size], b"", b"") == cut([frame(b"a") + large], max_size=size)


def test_a_length_that_is_written_too_long_is_left() -> None:
    """Whether to take it is the library's part."""
    long = b"\x81\x7e\x00\x05hello"
    assert ([b"a"], long) == cut([frame(b"a") + long])[:2]


def test_a_close_frame_is_left() -> None:
    """It ends a conversation, which isn't for here."""
    assert ([b"a"], closing(1000)) == cut([frame(b"a"), closing(1000)])[:2]
    assert frame(b"", opcode=CLOSE) == cut([frame(b"", opcode=CLOSE)])[1]


@given(st.integers(0, 140), st.binary(max_size=140), st.integers(0, 160))
@UNTIMED
def test_a_farewell_is_what_the_library_takes_for_one(size: int, data: bytes, end: int) -> None:
    """Whole, unmasked and in one frame, whatever comes behind it; a part of one is none."""
    received = (bytes([0x88, size]) + data)[:end]
    told = farewell(received)
    if told is not None:
        uri = WebSocketURI(secure=False, host="h", port=1, path="/", query="")
        protocol = ClientProtocol(uri, state=OPEN)
        protocol.receive_data(received)
        frames = protocol.events_received()
        held = [bytes(each.data) for each in frames if isinstance(each, Frame)]
        assert held == ([] if protocol.parser_exc else [told])  # a bad code, or text that isn't
    assert (told is not None) == (size < 126 and len(received) >= 2 + size)


@pytest.mark.parametrize("other", [b"", b"\x88", frame(b"", opcode=PING), frame(b"a"), b"\x08\x00"])
def test_anything_else_is_no_farewell(other: bytes) -> None:
    """It is for the library, like a masked one."""
    assert farewell(other) is None
    assert farewell(b"\x88\x80\x00\x00\x00\x00") is None


borders = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]
payloads = st.binary(max_size=300) | st.sampled_from([b"x" * size for size in borders])


@given(st.sampled_from([(TEXT, Opcode.TEXT), (CLOSING, Opcode.CLOSE)]), payloads)
@UNTIMED
def test_a_masked_frame_is_what_the_library_writes(first: tuple[int, Opcode], data: bytes) -> None:
    """But for the mask, which is four bytes of chance in both."""
    data = data[:125] if first[0] == CLOSING else data  # no close frame holds more
    ours, theirs = masked(first[0], data), Frame(first[1], data).serialize(mask=True)
    begin = len(theirs) - len(data)
    assert (ours[: begin - 4], len(ours)) == (theirs[: begin - 4], len(theirs))
    mask = ours[begin - 4 : begin]
    plain = bytes(byte ^ mask[place % 4] for place, byte in enumerate(ours[begin:]))
    assert data == plain


@given(st.lists(payloads, max_size=5))
@UNTIMED
def test_a_server_reads_what_was_masked(messages: list[bytes]) -> None:
    """Whatever their sizes, one behind the other."""
    server = ServerProtocol(state=OPEN)
    server.receive_data(b"".join(masked(TEXT, each) for each in messages))
    frames = [each for each in server.events_received() if isinstance(each, Frame)]
    assert [(Opcode.TEXT, True, each) for each in messages] == [
        (each.opcode, each.fin, bytes(each.data)) for each in frames
    ]


def test_each_frame_has_a_mask_of_its_own() -> None:
    """Nobody who hears one knows the next (section 5.3)."""
    assert len({masked(TEXT, b"")[2:6] for _ in range(20)}) > 1
