"""How messages stand in a body."""

from __future__ import annotations

import pytest

from modelplug.testing.framing import ndjson, sse
from modelplug.testing.steps import Lines

JSON = b'{"a": "x, y\\" {", "b": [1, 2]}'


@pytest.mark.parametrize(
    ("manner", "told"),
    [
        (Lines(), b"data: {}\n\n"),
        (Lines("\r\n"), b"data: {}\r\n\r\n"),
        (Lines("\r"), b"data: {}\r\r"),
        (Lines(blank=False), b"data:{}\n\n"),
    ],
    ids=str,
)
def test_an_event_ends_with_a_blank_line(manner: Lines, told: bytes) -> None:
    """Whatever ends lines."""
    assert sse.message(b"{}", manner) == told


def test_a_line_end_makes_lines() -> None:
    """An event has one field for each; a value that begins with a blank keeps it."""
    assert sse.message(b"a\r\nb\n c", Lines(blank=False)) == b"data:a\ndata:b\ndata:  c\n\n"


@pytest.mark.parametrize(
    "manner", [Lines(comments=True), Lines(fields=True), Lines(comments=True, fields=True)], ids=str
)
def test_what_means_nothing_changes_no_data(manner: Lines) -> None:
    """Only one block has any, and that has it whole."""
    blocks = sse.message(b"{}", manner).split(b"\n\n")
    data = [line for block in blocks for line in block.split(b"\n") if line.startswith(b"data")]
    assert data == [b"data: {}"]
    assert sse.message(b"{}", manner) != sse.message(b"{}", Lines())


def test_json_is_cut_where_blanks_may_stand() -> None:
    """Never in a text; what is no JSON stays whole."""
    lines = sse.message(JSON, Lines(several=True)).rstrip(b"\n").split(b"\n")
    pieces = [line.removeprefix(b"data: ") for line in lines]
    assert b"".join(pieces) == JSON
    assert b'"x, y\\" {",' in [piece.strip() for piece in pieces]
    assert sse.message(b"[DONE]", Lines(several=True)) == b"data: [DONE]\n\n"


def test_a_line_of_ndjson_has_no_end_within() -> None:
    """A blank stands for it, as in JSON; pings are blank lines."""
    assert ndjson.message(b'{\n"a": 1}', Lines()) == b'{ "a": 1}\n'
    assert ndjson.message(b"{}", Lines(), ping=True) == b"\n{}\n"
    assert (sse.ping(Lines("\r")), ndjson.ping(Lines())) == (b":\r\r", b"\n")
