"""Contents of messages that have more than text: images, audio, files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelplug import UnsupportedOptionError
from modelplug_openai.plainjson import misshapen, plain

__all__ = ["content_of"]

_FIELDS: Mapping[str, str | None] = {
    # https://platform.openai.com/docs/api-reference/chat/create
    "text": None,
    "refusal": None,
    "image_url": "url",
    "input_audio": "data",
    "file": None,
    # https://docs.vllm.ai/en/latest/features/multimodal_inputs.html
    "audio_url": "url",
    "video_url": "url",
}
"""Types of parts. The value is in the field of that name: text for the first two, else an
object; beside each, which text that must have."""

_TEXTS = ("text", "refusal")


def content_of(content: str | Sequence[Mapping[str, object]], where: str) -> object:
    """A message's content as it goes out.

    Args:
        content: the message's.
        where: its place, for errors.

    Raises:
        UnsupportedOptionError: a part is of a type that nobody takes.
        BadRequestError: a part isn't of its type's shape.
    """
    if isinstance(content, str):
        return content
    return [_part(part, f"{where}[{number}]") for number, part in enumerate(content)]


def _part(part: Mapping[str, object], where: str) -> object:
    kind = part.get("type", "text")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise UnsupportedOptionError(
            f"{where} is a part of type {kind!r}, which can't be sent",
            hint=f"parts are of type {', '.join(_FIELDS)}",
        )
    value = part.get(kind)
    if kind in _TEXTS:
        if not isinstance(value, str):
            raise misshapen(f"{where}.{kind}", "is no text")
    elif not isinstance(value, Mapping):
        raise misshapen(f"{where}.{kind}", "is no mapping")
    elif (needed := _FIELDS[kind]) and not isinstance(value.get(needed), str):
        raise misshapen(f"{where}.{kind}.{needed}", "is no text")
    return plain({"type": kind, **part}, where)
