"""Frames and requests as plain JSON, made without the product's own types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from modelplug import Delta, Finish

GOLDEN = Path(__file__).parent / "golden"

SID = "cht000b0c24@dx1916602ea10b808550"

COUNTS = {"question_tokens": 2, "prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


def golden(name: str) -> list[object]:
    """The messages of a golden file."""
    told = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return list(told.get("messages") or [told["message"]])


def encoded(message: object) -> bytes:
    """JSON as bytes, with non-ASCII text as it is."""
    return json.dumps(message, ensure_ascii=False).encode()


def frame(
    text: str | None,
    seq: int,
    *,
    status: int = 1,
    usage: Mapping[str, object] | None = None,
    code: int = 0,
    sid: str = SID,
    **more: object,
) -> bytes:
    """A frame with a piece of the answer; ``more`` goes beside its text."""
    choices = {"status": status, "seq": seq, "text": [{"content": text, **more}]}
    payload: dict[str, object] = {"choices": choices}
    if usage is not None:
        payload["usage"] = {"text": usage}
    header = {"code": code, "message": "Success", "sid": sid, "status": status}
    return encoded({"header": header, "payload": payload})


def error(code: int, message: str = "", *, sid: str = SID) -> bytes:
    """A frame that fails the conversation."""
    return encoded({"header": {"code": code, "message": message, "sid": sid, "status": 2}})


def text_of(pieces: list[Delta | Finish]) -> str:
    """The text of all deltas."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Delta))
