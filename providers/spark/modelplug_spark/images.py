"""The image of a request, as the first item that the service wants.

Section 3.4 of the protocol notes (S-Java imgunderstandapi.md, S-Py): one image a request, in
base64, before all of the conversation; no URL. The size limit is from older documentation (G).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from modelplug import BadRequestError, ModelMessage, UnsupportedOptionError
from modelplug_spark.frames import Turn

__all__ = ["IMAGE_BYTES", "image_data", "image_turn", "without_images"]

IMAGE_BYTES = 4 * 2**20
"""Of an image at the most, before it is base64 (older documentation, G; section 3.4)."""

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
    if len(data) > IMAGE_BYTES:
        raise BadRequestError(
            f"an image has {len(data)} bytes; Spark takes {IMAGE_BYTES} at the most",
            sent="no",
            hint="scale the image",
        )
    return url[head.end() :]
