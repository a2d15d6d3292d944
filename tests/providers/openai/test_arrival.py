"""What the body of a response is, by its first bytes."""

from __future__ import annotations

import asyncio

import pytest

from modelplug import Delta, Finish
from modelplug_openai import arrival as arrival_module
from modelplug_openai.arrival import Arrival, Shape
from modelplug_openai.presets import OPENAI
from modelplug_openai.protocol import OpenAIProtocol
from tests.providers.openai.wire import chunk, said, text_of, whole

EVENT = b'data: {"a": 1}\n\n'


class Told:
    """A body that comes in these pieces."""

    def __init__(self, content_type: str, *pieces: bytes) -> None:
        self.content_type = content_type
        self.pieces = [*pieces]

    async def take(self) -> bytes:
        """The next piece."""
        return self.pieces.pop(0) if self.pieces else b""

    async def read(self, *, limit: int = 0) -> bytes:
        """All that are left."""
        rest, self.pieces = b"".join(self.pieces), []
        return rest


async def seen(arrival: Arrival) -> tuple[Shape, bytes]:
    """What it is, and all of it."""
    shape, taken = await arrival.shape(), b""
    while data := await arrival.take():
        taken += data
    return shape, taken


@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "application/json"])
@pytest.mark.parametrize(
    "begin",
    [EVENT, b": hello\n\n" + EVENT, b"event: x\n" + EVENT, b"id: 1\n" + EVENT, b"retry: 1\n"],
    ids=repr,
)
def test_events_are_seen_whatever_they_are_called(kind: str, begin: bytes) -> None:
    """And nothing of them is lost, also where the first byte comes alone."""
    for pieces in ([begin], [begin[:1], begin[1:]]):
        assert ("events", begin) == asyncio.run(seen(Arrival(Told(kind, *pieces))))


@pytest.mark.parametrize("kind", ["", "text/plain", "text/html", "application/json"])
def test_an_object_is_a_whole_answer(kind: str) -> None:
    """Behind the blank lines that kept the connection alive, too."""
    for pieces in ([b'{"a": 1}'], [b"\n", b" \n", b'{"a"', b": 1}"], [b'\xef\xbb\xbf{"a": 1}']):
        assert asyncio.run(seen(Arrival(Told(kind, *pieces)))) == ("whole", b'{"a": 1}')


@pytest.mark.parametrize(
    "body", [b"<html>", b"not now", b"denied", b"", b"\n", b"[]", b"\x00"], ids=repr
)
@pytest.mark.parametrize(
    ("kind", "shape"), [("", "neither"), ("text/html", "neither"), ("application/json", "whole")]
)
def test_anything_else_is_neither_but_where_it_says_that_it_is(
    kind: str, shape: Shape, body: bytes
) -> None:
    """What calls itself JSON is read as that, and fails as that."""
    assert (shape, body.strip()) == asyncio.run(seen(Arrival(Told(kind, body))))


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (EVENT, "events"),
        (b": hello\n\n", "events"),
        (b"<html>", "events"),
        (b"", "events"),
        (b'{"error": 1}', "whole"),
        (b'[{"error": 1}]', "whole"),
    ],
    ids=repr,
)
def test_what_says_that_it_streams_may_be_whole_all_the_same(body: bytes, shape: Shape) -> None:
    """A line of a stream can't begin so, but a refusal does."""
    assert (shape, body) == asyncio.run(seen(Arrival(Told("text/event-stream", body))))


class Held(Told):
    """A body whose pieces come, and whose end never does."""

    async def take(self) -> bytes:
        """The next piece, if there is one."""
        if not self.pieces:
            await asyncio.get_running_loop().create_future()
        return await super().take()


@pytest.mark.parametrize("more", [[], [b": ping\n\n"] * 3], ids=["silence", "pings"])
def test_a_whole_answer_isnt_lost_to_a_connection_that_is_held(
    monkeypatch: pytest.MonkeyPatch, more: list[bytes]
) -> None:
    """Nobody waits for long for what only ends the stream."""
    monkeypatch.setattr(arrival_module, "_GRACE_SECONDS", 0.01)
    body = b"data: " + said("a") + b"\n\ndata: " + chunk(reason="stop") + b"\n\n"

    async def received() -> list[Delta | Finish]:
        protocol = OpenAIProtocol(preset=OPENAI, scrub=str)
        receive = await Arrival(Held("text/event-stream", body, *more)).receiver(protocol)
        assert receive is not None
        pieces: list[Delta | Finish] = []
        while not protocol.done:
            pieces += await receive()
        return pieces

    assert asyncio.run(received()) == [Delta("a"), Finish("stop", raw="stop")]


def test_what_was_looked_at_is_read_as_well() -> None:
    """All of it, at once."""

    async def read() -> bytes:
        arrival = Arrival(Told("", b"<a", b">"))
        await arrival.shape()
        return await arrival.read()

    assert asyncio.run(read()) == b"<a>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"data: " + said("a") + b"\n\ndata: " + chunk(reason="stop") + b"\n\n", "a"),
        (whole({"content": "a"}), "a"),
        (b"<html>", None),
    ],
    ids=["events", "whole", "neither"],
)
def test_what_comes_is_given_to_the_protocol(body: bytes, text: str | None) -> None:
    """In its shape, to the end; nothing is, where it is no answer."""

    async def received() -> str | None:
        protocol = OpenAIProtocol(preset=OPENAI, scrub=str)
        receive = await Arrival(Told("", body)).receiver(protocol)
        if receive is None:
            return None
        pieces: list[Delta | Finish] = []
        while not protocol.done:
            pieces += await receive()
        return text_of(pieces)

    assert text == asyncio.run(received())
