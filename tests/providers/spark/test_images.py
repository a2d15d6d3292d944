"""The image of a request."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from modelplug import BadRequestError, ModelMessage, ProxyLLMError, UnsupportedOptionError
from modelplug_spark.images import IMAGE_BYTES, image_data, image_turn, without_images


def part(url: object) -> dict[str, Any]:
    """A part of a message."""
    return {"type": "image_url", "image_url": {"url": url}}


def data_url(data: bytes, kind: str = "image/png") -> str:
    """Bytes as a data URL."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


TEXT = {"type": "text", "text": "What is it?"}


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


@pytest.mark.parametrize(("parts", "kind", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_image_is_refused(
    parts: list[dict[str, Any]], kind: type[ProxyLLMError], told: str
) -> None:
    """Before the wire, without its data."""
    with pytest.raises(kind, match=told) as caught:
        image_turn([ModelMessage("human", parts)])
    assert "secret" not in str(caught.value)


def test_the_largest_image_is_taken() -> None:
    """4 MB are within the limit."""
    turn = image_turn([ModelMessage("human", [part(data_url(bytes(IMAGE_BYTES)))])])
    assert len(image_data(turn.content or "") or b"") == IMAGE_BYTES


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
