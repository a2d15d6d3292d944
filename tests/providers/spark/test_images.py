"""The image of a request."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import BadRequestError, ModelMessage, ProxyLLMError, UnsupportedOptionError
from modelplug_spark.images import (
    IMAGE_BYTES,
    image_data,
    image_turn,
    measured,
    without_images,
)


def part(url: object) -> dict[str, Any]:
    """A part of a message."""
    return {"type": "image_url", "image_url": {"url": url}}


def data_url(data: bytes, kind: str = "image/png") -> str:
    """Bytes as a data URL."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


TEXT = {"type": "text", "text": "What is it?"}


@pytest.mark.row("3.4 first item", "3.4 base64")
@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "IMAGE/svg+xml", "image/png;a=b"])
def test_an_image_is_sent_as_its_base64(kind: str) -> None:
    """Without what a data URL has before it."""
    turn = image_turn([ModelMessage("human", [TEXT, part(data_url(b"hi", kind))])])
    assert (turn.role, turn.content, turn.content_type) == ("user", "aGk=", "image")


def test_a_url_may_stand_alone() -> None:
    """Some clients leave the inner mapping out."""
    bare = {"type": "image_url", "image_url": data_url(b"hi")}
    assert image_turn([ModelMessage("human", [bare])]).content == "aGk="


REFUSED: dict[str, tuple[list[dict[str, Any]], type[ProxyLLMError], str]] = {
    "none": ([TEXT], BadRequestError, "there is none"),
    "two": ([part(data_url(b"a"))] * 2, UnsupportedOptionError, "one image a request, not 2"),
    "remote": ([part("https://x.example/a.png")], UnsupportedOptionError, "data URL in base64"),
    "no image": ([part(data_url(b"a", "text/plain"))], UnsupportedOptionError, "data URL"),
    "no url": ([part(None)], BadRequestError, "has no URL"),
    "no base64": ([part("data:image/png;base64,secret!")], BadRequestError, "can't be read"),
    "empty": ([part("data:image/png;base64,")], BadRequestError, "can't be read"),
    "large": (
        [part(data_url(bytes(IMAGE_BYTES + 1)))],
        BadRequestError,
        "has 4194305 bytes; Spark takes 4194304",
    ),
}


FACTS = {"two": "3.4 one image", "remote": "3.4 base64", "large": "3.4 file size"}


@pytest.mark.parametrize(
    ("parts", "kind", "told"),
    [
        pytest.param(*case, id=name, marks=[pytest.mark.row(FACTS[name])] if name in FACTS else [])
        for name, case in REFUSED.items()
    ],
)
def test_what_is_no_image_is_refused(
    parts: list[dict[str, Any]], kind: type[ProxyLLMError], told: str
) -> None:
    """Before the wire, without its data."""
    with pytest.raises(kind, match=told) as caught:
        image_turn([ModelMessage("human", parts)])
    assert "secret" not in str(caught.value)


@pytest.mark.row("3.4 file size")
def test_the_largest_image_is_taken() -> None:
    """4 MB are within the limit."""
    turn = image_turn([ModelMessage("human", [part(data_url(bytes(IMAGE_BYTES)))])])
    assert len(image_data(turn.content or "") or b"") == IMAGE_BYTES


def png(width: int, height: int) -> bytes:
    """The beginning of an image."""
    size = width.to_bytes(4) + height.to_bytes(4)
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + size + b"\x08\x06\0\0\0"


def jpeg(width: int, height: int, marker: int = 0xC0) -> bytes:
    """The beginning of an image: a comment, a table, and then its size."""
    frame = bytes([0xFF, marker, 0, 17, 8]) + height.to_bytes(2) + width.to_bytes(2)
    return b"\xff\xd8\xff\xfe\0\x06\xff\xc0ab\xff\xc4\0\x02" + frame + bytes(10)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(640, 480), (640, 480)),
        (jpeg(640, 480), (640, 480)),
        (jpeg(640, 480, 0xC2), (640, 480)),
        (png(640, 480)[:23], None),
        (jpeg(640, 480)[:20], None),
        (b"\xff\xd8\xff", None),
        (b"\xff\xd8 no marker there", None),
        (b"GIF89a", None),
        (b"", None),
    ],
    ids=["png", "jpeg", "progressive", "cut", "cut jpeg", "bare", "odd", "gif", "empty"],
)
def test_an_image_is_measured_by_its_header(data: bytes, size: tuple[int, int] | None) -> None:
    """A PNG or a JPEG; what is neither, or not whole, has no size."""
    assert size == measured(data)


@given(st.binary() | st.binary().map(lambda data: b"\xff\xd8\xff" + data))
def test_any_bytes_can_be_measured(data: bytes) -> None:
    """Whatever they are."""
    assert measured(data) is None or len(data) > 8


SIZES: dict[str, tuple[bytes, str, str]] = {
    "side": (png(12_801, 100), "12801x100 pixels", "3.4 side"),
    "long jpeg": (jpeg(100, 12_801), "100x12801 pixels", "3.4 side"),
    "small": (png(49, 50), "49x50 pixels", "3.4 pixels"),
    "large": (png(6_001, 6_000), "6001x6000 pixels", "3.4 pixels"),
}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(data, told, id=name, marks=pytest.mark.row(fact))
        for name, (data, told, fact) in SIZES.items()
    ],
)
def test_an_image_of_another_size_is_refused(data: bytes, told: str) -> None:
    """Before the wire, with what it has and what it may have."""
    with pytest.raises(BadRequestError, match=told) as caught:
        image_turn([ModelMessage("human", [part(data_url(data))])])
    assert (caught.value.sent, "no side over 12800" in str(caught.value)) == ("no", True)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(12_800, 100), marks=pytest.mark.row("3.4 side")),
        pytest.param(png(50, 50), marks=pytest.mark.row("3.4 pixels")),
        pytest.param(jpeg(6_000, 6_000), marks=pytest.mark.row("3.4 pixels")),
        b"GIF89a",
    ],
    ids=["side", "small", "large", "unknown"],
)
def test_an_image_within_the_limits_is_sent(data: bytes) -> None:
    """And so is one that can't be measured."""
    turn = image_turn([ModelMessage("human", [part(data_url(data))])])
    assert image_data(turn.content or "") == data


def test_the_text_beside_an_image_stays() -> None:
    """A message that was nothing else goes; others are left as they are."""
    image = part(data_url(b"a"))
    messages = [
        ModelMessage("human", [image]),
        ModelMessage("ai", "a cat"),
        ModelMessage("human", [image, TEXT]),
    ]
    assert [message.text for message in without_images(messages)] == ["a cat", "What is it?"]


def test_an_image_needs_a_question() -> None:
    """The last message is one."""
    with pytest.raises(BadRequestError, match="without a question"):
        without_images([ModelMessage("human", [part(data_url(b"a"))])])


def test_base64_is_read_strictly() -> None:
    """Line breaks and blanks are none of it."""
    assert (image_data("aGk="), image_data("aG k="), image_data("é")) == (b"hi", None, None)
