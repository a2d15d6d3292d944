"""What the service finds wrong with the image of a question (section 3.4 of the protocol notes)."""

from __future__ import annotations

from collections.abc import Iterator

from modelplug_spark.emulation.faults import Fault, fault
from modelplug_spark.emulation.inquiry import Inquiry
from modelplug_spark.images import IMAGE_BYTES, image_data, measured

__all__ = ["wrong_images"]

_SIDE, _FEWEST, _MOST = 12_800, 50 * 50, 6_000 * 6_000
"""Pixels of a side, and of an image (S-Java imgunderstandapi.md). The client has these numbers of
its own: neither side shall be right because the other makes the same mistake."""


def wrong_images(inquiry: Inquiry) -> Iterator[Fault]:
    """One image, first, and a question, where a model is asked about one, else none (R)."""
    turns = inquiry.request.payload.message.text
    images = [turn.content_type == "image" for turn in turns]
    if not inquiry.model.images:
        if any(images):
            yield inquiry.unfit("content_type image is not supported")
    elif sum(images) != 1 or not images[0]:
        yield inquiry.unfit("one image must be the first content")
    elif len(turns) == 1:
        yield inquiry.unfit("a question must follow the image")
    else:
        yield from _wrong_data(turns[0].content or "", inquiry)


def _wrong_data(text: str, inquiry: Inquiry) -> Iterator[Fault]:
    data = image_data(text)
    if not data or len(data) > IMAGE_BYTES:
        yield inquiry.unfit("image is not base64, or too large")
        return
    width, height = measured(data) or (0, 0)
    if max(width, height) > _SIDE:
        yield fault(10029, inquiry.now)
    if width and not _FEWEST < width * height < _MOST:
        yield fault(10041, inquiry.now)
