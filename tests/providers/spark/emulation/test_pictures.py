"""The image of a question, as the service judges it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from modelplug_spark.emulation.pictures import wrong_images
from modelplug_spark.images import IMAGE_BYTES
from modelplug_spark.models import find
from tests.providers.spark.emulation.test_inquiry import inquired
from tests.providers.spark.wire import encoded, golden

FIRST = "one image must be the first content"
DATA = "image is not base64, or too large"


def image(data: bytes = b"hi") -> dict[str, str]:
    """An image."""
    return {"content": b64encode(data).decode(), "content_type": "image"}


def png(width: int, height: int) -> bytes:
    """As much of a PNG as tells its size."""
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    return header + width.to_bytes(4, "big") + height.to_bytes(4, "big")


def found(*items: dict[str, str], model: str = "image", **settings: Any) -> list[Any]:
    """Codes and details of all that is wrong with a conversation."""
    message: Any = json.loads(encoded(golden("request_minimal")[0]))
    message["payload"]["message"]["text"] = [{"role": "user", **item} for item in items]
    inquiry = inquired(encoded(message), model=find(model), **settings)
    return [(wrong.code, wrong.text.partition(") ")[2]) for wrong in wrong_images(inquiry)]


QUESTION = {"content": "x"}

IMAGES: dict[str, tuple[list[dict[str, str]], str]] = {
    "none": ([QUESTION], FIRST),
    "late": ([QUESTION, image(), QUESTION], FIRST),
    "two": ([image(), image(), QUESTION], FIRST),
    "url": ([{**image(), "content": "https://x.example"}, QUESTION], DATA),
    "empty": ([image(b""), QUESTION], DATA),
    "large": ([image(bytes(IMAGE_BYTES + 1)), QUESTION], DATA),
    "alone": ([image()], "a question must follow the image"),
}


@pytest.mark.row("3.4 first item", "3.4 one image")
@pytest.mark.parametrize(("items", "told"), IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("model", ["image", "imagev3"])
def test_one_image_comes_first(model: str, items: list[dict[str, str]], told: str) -> None:
    """In base64, with a question behind it."""
    assert [(10163, told)] == found(*items, model=model)


@pytest.mark.parametrize("data", [b"hi", bytes(IMAGE_BYTES), png(51, 50), png(5999, 6000)])
def test_an_image_within_the_limits_is_taken(data: bytes) -> None:
    """What can't be measured as well."""
    assert found(image(data), QUESTION) == []


@pytest.mark.row("3.4 side", "3.4 pixels", "5.1 10029", "5.1 10041")
@pytest.mark.parametrize(
    ("width", "height", "codes"),
    [
        (50, 50, [10041]),
        (6000, 6000, [10041]),
        (12_801, 100, [10029]),
        (12_801, 12_801, [10029, 10041]),
    ],
)
def test_an_image_has_its_pixels_counted(width: int, height: int, codes: list[int]) -> None:
    """Sides give 10029, the whole gives 10041."""
    assert codes == [code for code, _ in found(image(png(width, height)), QUESTION)]


def test_a_text_model_takes_no_image() -> None:
    """Nor misses one."""
    told = "content_type image is not supported"
    assert [(10163, told)] == found(image(), QUESTION, model="max")
    assert found(QUESTION, model="max") == []


def test_the_code_is_a_setting() -> None:
    """As for all that the engine refuses."""
    assert found(QUESTION, engine_code=10005) == [(10005, FIRST)]
