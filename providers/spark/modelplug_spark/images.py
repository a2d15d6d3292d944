"""The image of a request, as the first item that the service wants.

Section 3.4 of the protocol notes (S-Java imgunderstandapi.md, S-Py): one image a request, in
base64, before all of the conversation; no URL. The size limit is from older documentation (G).
Of the limits in pixels the service is the judge: what can't be measured here is sent.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from modelplug import BadRequestError, ModelMessage, UnsupportedOptionError
from modelplug_spark.frames import Turn

__all__ = ["IMAGE_BYTES", "image_data", "image_turn", "measured", "without_images"]

IMAGE_BYTES = 4 * 2**20
"""Of an image at the most, before it is base64 (older documentation, G; section 3.4)."""

_SIDE, _FEWEST, _MOST = 12_800, 50 * 50, 6_000 * 6_000
"""Pixels of a side, and of a whole image; more or fewer give 10029 and 10041 (S-Java)."""

_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""What begins a JPEG's own description, of whatever coding (ITU T.81, table B.1)."""

_DATA_URL = re.compile(r"data:image/[\w.+-]+(?:;[\w.+-]+=[\w.+-]+)*;base64,", re.IGNORECASE)


def image_turn(messages: Sequence[ModelMessage]) -> Turn:
    """The one image of a conversation, wherever in it a human sent it.

    Raises:
        BadRequestError: there is none, it can't be read, or it is too large.
        UnsupportedOptionError: there are several, or it is a URL to be fetched.
    """
    parts = [part for message in messages for part in _images(message)]
    if not parts:
        raise BadRequestError(
            "this model is asked about an image, and there is none",
            sent="no",
            hint="add a part of type 'image_url' to a human message, or ask another model",
        )
    if len(parts) > 1:
        raise UnsupportedOptionError(
            f"Spark takes one image a request, not {len(parts)}", hint="ask about one at a time"
        )
    return Turn(role="user", content=_base64(parts[0]), content_type="image")


def without_images(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """The messages without images; one that was nothing else goes.

    Raises:
        BadRequestError: the last was nothing else, so that nothing is asked.
    """
    kept: list[ModelMessage] = []
    asks = True
    for message in messages:
        parts = message.content
        if not isinstance(parts, str) and any(_images(message)):
            parts = [part for part in parts if not _is_image(part)]
        asks = bool(parts) or message.content == ""
        if asks:
            kept.append(replace(message, content=parts))
    if not asks:
        raise BadRequestError(
            "the image comes without a question",
            sent="no",
            hint="add a part of type 'text' behind it",
        )
    return kept


def image_data(text: str) -> bytes | None:
    """The bytes that base64 stands for; None if it is none."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return None


def measured(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or a JPEG, as its header has them; None of anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    place = 2 if data.startswith(b"\xff\xd8") else len(data)
    while len(data) >= place + 9 and data[place] == 0xFF:
        if data[place + 1] in _FRAME_MARKERS:
            height, width = data[place + 5 : place + 7], data[place + 7 : place + 9]
            return int.from_bytes(width), int.from_bytes(height)
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return None


def _images(message: ModelMessage) -> list[Mapping[str, object]]:
    if message.role != "human" or isinstance(message.content, str):
        return []
    return [part for part in message.content if _is_image(part)]


def _is_image(part: Mapping[str, object]) -> bool:
    return part.get("type") == "image_url"


def _base64(part: Mapping[str, object]) -> str:
    """The data of a data URL, checked; nothing of it shows in an error."""
    inner = part.get("image_url")
    url = inner.get("url") if isinstance(inner, Mapping) else inner
    if not isinstance(url, str):
        raise BadRequestError(
            "an image has no URL",
            sent="no",
            hint='write {"type": "image_url", "image_url": {"url": "data:image/png;base64,..."}}',
        )
    head = _DATA_URL.match(url)
    if head is None:
        raise UnsupportedOptionError(
            "Spark takes an image as a data URL in base64 only",
            hint="fetch the image and send it as 'data:image/png;base64,...'",
        )
    data = image_data(url[head.end() :])
    if not data:
        raise BadRequestError("an image's base64 can't be read", sent="no", hint="encode it anew")
    _check_size(data)
    return url[head.end() :]


def _check_size(data: bytes) -> None:
    """Refuse what has too many bytes, or too many pixels, or too few."""
    told = f"{len(data)} bytes; Spark takes {IMAGE_BYTES} at the most"
    fits, size = len(data) <= IMAGE_BYTES, measured(data)
    if fits and size is not None:
        width, height = size
        told = f"{width}x{height} pixels; Spark takes 50x50 to 6000x6000, no side over {_SIDE}"
        fits = max(size) <= _SIDE and _FEWEST <= width * height <= _MOST
    if not fits:
        raise BadRequestError(f"an image has {told}", sent="no", hint="scale the image")
