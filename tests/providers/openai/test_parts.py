"""Contents that have more than text."""

from __future__ import annotations

from typing import Any

import pytest

from modelplug import BadRequestError, UnsupportedOptionError
from modelplug_openai.parts import content_of

PARTS: list[dict[str, Any]] = [
    {"type": "text", "text": ""},
    {"type": "image_url", "image_url": {"url": "https://a.example/a.png", "detail": "low"}},
    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "f"}},
    {"type": "video_url", "video_url": {"url": "https://a.example/a.mp4"}},
    {"type": "audio_url", "audio_url": {"url": "https://a.example/a.mp3"}},
    {"type": "refusal", "refusal": "no"},
    {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
]


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_part_goes_out_as_it_is(part: dict[str, Any]) -> None:
    """With whatever is beside it."""
    assert [part] == content_of((part,), "content")


def test_text_is_text() -> None:
    """And a part without a type is, too."""
    assert content_of("hi", "content") == "hi"
    assert content_of([{"text": "hi"}], "content") == [{"type": "text", "text": "hi"}]


@pytest.mark.parametrize("kind", ["image", "tool_use", "", 7, None, ["text"]], ids=repr)
def test_a_part_of_another_type_is_refused(kind: object) -> None:
    """Never dropped in silence."""
    with pytest.raises(UnsupportedOptionError, match=r"content\[1\]"):
        content_of([PARTS[0], {"type": kind, "text": "x"}], "content")


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ({"type": "text"}, r"content\[0\].text is no text"),
        ({"type": "text", "text": 7}, r"content\[0\].text is no text"),
        ({"type": "image_url", "image_url": "https://a.example"}, "image_url is no mapping"),
        ({"type": "image_url", "image_url": {}}, "image_url.url is no text"),
        ({"type": "input_audio", "input_audio": {"data": b"RIFF"}}, "input_audio.data is no text"),
        ({"type": "file", "file": {"file_data": b"x"}}, "file.file_data is a bytes"),
    ],
    ids=str,
)
def test_a_part_of_another_shape_is_refused_by_its_place(part: dict[str, Any], where: str) -> None:
    """Before anything is sent."""
    with pytest.raises(BadRequestError, match=where):
        content_of([part], "content")
