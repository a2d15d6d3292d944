"""Chunks and requests as plain JSON, made without the product's own types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelplug import Delta, Finish, ToolCallDelta
from modelplug_openai.preset import Preset
from modelplug_openai.presets import OPENAI, find

GOLDEN = Path(__file__).parent / "golden"

ID = "chatcmpl-123"

COUNTS = {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}

DONE = b"[DONE]"


def golden(name: str) -> dict[str, Any]:
    """What a golden file has."""
    told: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return told


def encoded(message: object) -> bytes:
    """JSON as bytes, with non-ASCII text as it is."""
    return json.dumps(message, ensure_ascii=False).encode()


def chunk(delta: object = None, reason: str | None = None, **more: object) -> bytes:
    """A chunk with a piece of the answer; ``more`` goes beside its choices."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": reason}
    return encoded(
        {"id": ID, "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}
    )


def said(text: str) -> bytes:
    """A chunk with text."""
    return chunk({"content": text})


def counted(usage: object) -> bytes:
    """A chunk with counts and no choice."""
    return encoded({"id": ID, "object": "chat.completion.chunk", "choices": [], "usage": usage})


def whole(message: object, reason: str | None = "stop", **more: object) -> bytes:
    """A whole completion."""
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return encoded(
        {"id": ID, "object": "chat.completion", "model": "m", "choices": [choice], **more}
    )


def preset(name: str) -> Preset:
    """A row of the table."""
    return find(name) or OPENAI


def text_of(pieces: list[Delta | Finish]) -> str:
    """The text of all deltas."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Delta))


def thinking_of(pieces: list[Delta | Finish]) -> str:
    """The thinking of all deltas."""
    return "".join(piece.reasoning for piece in pieces if isinstance(piece, Delta))


def calls_of(pieces: list[Delta | Finish]) -> list[tuple[int, str | None, str | None, str]]:
    """The tool calls of all deltas, put together: number, id, name, arguments."""
    calls: dict[int, list[ToolCallDelta]] = {}
    for piece in pieces:
        if isinstance(piece, Delta) and piece.tool_call is not None:
            calls.setdefault(piece.tool_call.index, []).append(piece.tool_call)
    return [
        (
            number,
            next((part.id for part in parts if part.id), None),
            next((part.name for part in parts if part.name), None),
            "".join(part.arguments for part in parts),
        )
        for number, parts in calls.items()
    ]
