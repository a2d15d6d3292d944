"""Events out of bytes, however they are cut, by the letter of the standard."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelplug import TooLargeError
from modelplug_openai.sse import MAX_EVENT, Events


def found(*reads: bytes) -> list[bytes]:
    """The data of all events in some reads."""
    events = Events()
    return [event for read in reads for event in events.feed(read)]


def by_the_letter(stream: bytes) -> list[bytes]:
    """The standard's algorithm in the shortest words, for a whole stream."""
    data: list[bytes] = []
    events = []
    *lines, _ = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines:
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value[1:] if value[:1] == b" " else value)
        elif not line and data:
            events.append(b"\n".join(data))
            data = []
    return events


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """A stream in pieces."""
    borders = sorted({0, len(stream), *(place for place in places if place < len(stream))})
    return [stream[start:end] for start, end in itertools.pairwise(borders)]


LINES = st.sampled_from(
    [
        *(b"data: {}", b"data:{}", b"data:  two", b"data", b"data:", b"data: ", b"data: a: b"),
        *(b"", b"", b"", b":", b": note", b"id: 1", b"event: error", b"retry: 3", b" data: x"),
        *(b"dat", b"data x", b"DATA: x", b"\xef\xbb\xbfdata: x", b"data: \xff\x85\x0b\x1c"),
    ]
)
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r", b"\r\n"])
STREAMS = st.builds(
    lambda mark, lines, rest: mark + b"".join(line + end for line, end in lines) + rest,
    st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(st.tuples(LINES, ENDS), max_size=20),
    st.sampled_from([b"", b"data: cut", b"\r"]),
)
PLACES = st.lists(st.integers(0, 200), max_size=20)


@given(STREAMS, PLACES)
@example(b"data: a\r\n\r\ndata: b\n\n", [8, 9, 10])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
@example(b"data: a\r\r\n\ndata: b\n\n", [9])
def test_any_split_gives_the_events_of_the_standard(stream: bytes, places: list[int]) -> None:
    """Where a read ends makes no difference; runs and single lines are read alike."""
    expected = by_the_letter(stream)
    assert expected == found(stream)
    assert expected == found(*cut(stream, places))
    assert expected == found(*(stream[at : at + 1] for at in range(len(stream))))


@given(st.lists(st.binary(max_size=6).filter(lambda data: not re.search(rb"[\r\n]", data))), PLACES)
def test_a_run_of_events_is_read_at_once(data: list[bytes], places: list[int]) -> None:
    """What nearly every server sends: an event a line, whatever is in it."""
    stream = b"".join(b"data: %s\n\n" % each for each in data)
    assert data == found(stream)
    assert data == found(*cut(stream, places))


@given(st.binary(max_size=60), PLACES)
def test_hostile_bytes_are_read_alike(stream: bytes, places: list[int]) -> None:
    """Nothing raises, and nothing hangs on how they come."""
    assert by_the_letter(stream) == found(*cut(stream, places))


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data:{}\n\n", [b"{}"]),
        (b"data: {}\r\n\r\n", [b"{}"]),
        (b"data: {}\r\r", [b"{}"]),
        (b"\xef\xbb\xbfdata: {}\n\n", [b"{}"]),
        (b": ping\n\ndata: {}\n\n", [b"{}"]),
        (b"event: x\nid: 7\nretry: 1\ndata: {}\n\n", [b"{}"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:a\n\ndata: b\n\ndata:  c\n\n", [b"a", b"b", b" c"]),
        (b"data: a\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data\n\n", [b""]),
        (b"data: cut", []),
        (b"data: cut\n", []),
    ],
    ids=repr,
)
def test_what_the_standard_allows_is_understood(stream: bytes, events: list[bytes]) -> None:
    """Servers use most of it."""
    assert events == found(stream)


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * MAX_EVENT + b"\n\n",
        b": " + b"x" * MAX_EVENT + b"\n\n",
        (b"data: " + b"x" * 1023 + b"\n") * 1025 + b"\n",
        b"x" * (MAX_EVENT + (1 << 15)),
    ],
    ids=["line", "comment", "event", "no end"],
)
@pytest.mark.parametrize("size", [1 << 14, 1 << 22])
def test_what_is_too_large_ends_the_stream(stream: bytes, size: int) -> None:
    """Nothing before it is lost, and nothing is kept of it."""
    events = Events()
    stream = b"data: before\n\n" + stream + b"data: after\n\n"
    seen: list[bytes] = []
    for start in range(0, len(stream), size):
        if events.failure is None:
            seen += events.feed(stream[start : start + size])
    assert seen == [b"before"]
    with pytest.raises(TooLargeError, match="more than 1048576 bytes"):
        events.feed(b"data: after\n\n")


def test_the_largest_event_is_taken() -> None:
    """To the byte, whole or in pieces."""
    line = b"data: " + b"x" * (MAX_EVENT - 6)
    assert [line[6:]] == found(line + b"\n\n") == found(line[:999], line[999:] + b"\n\n")


def test_many_events_of_one_read_may_be_large_together() -> None:
    """The limit is each one's."""
    data = b"x" * 1000
    stream = b"data: %s\n\n" % data * 3000
    assert [data] * 3000 == found(stream)


def test_a_line_in_many_pieces_is_put_together_once() -> None:
    """Each byte of a long line may come alone; what is kept is no copy a byte."""
    line = b"data: " + b"x" * 50_000 + b"\n\n"
    assert found(*(line[at : at + 1] for at in range(len(line)))) == [b"x" * 50_000]
