"""An answer as bytes, made before anybody asks: what a service sends, frame by frame."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import cached_property

from benchmarks.case import Answer

__all__ = ["CHARACTERS", "Script", "script"]

CHARACTERS = 8
"""Those of each delta."""

CHINESE = "你好世界今天天气"
ENGLISH = " w{:06}"
"""It differs from delta to delta: LiteLLM takes one that is repeated for a model gone astray."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """Everything that a server sends for one question.

    Attributes:
        frames: one for each delta, the last with what ends the answer.
        gap: seconds between them; 0 sends all at once.
    """

    frames: tuple[bytes, ...]
    gap: float

    @cached_property
    def whole(self) -> bytes:
        """All frames in one."""
        return b"".join(self.frames)


def script(answer: Answer) -> Script:
    """What is sent for ``answer``; one that is held stops after its first delta."""
    made = _spark(answer.deltas) if answer.wire == "spark" else _openai(answer.deltas)
    frames = made[:1] if answer.held else made
    return Script(frames=tuple(frames), gap=answer.gap)


def _spark(deltas: int) -> list[bytes]:
    """Frames of text as Spark's web document shows them, 8 characters and about 213 bytes each."""
    return [_text_frame(_spark_message(at, last=at == deltas - 1)) for at in range(deltas)]


def _spark_message(at: int, *, last: bool) -> bytes:
    status = 2 if last else min(at, 1)
    text = [{"content": CHINESE, "role": "assistant", "index": 0}]
    payload: dict[str, object] = {"choices": {"status": status, "seq": at, "text": text}}
    if last:
        counts = {"question_tokens": 4, "prompt_tokens": 5, "completion_tokens": 9}
        payload["usage"] = {"text": {**counts, "total_tokens": 14}}
    header = {"code": 0, "message": "Success", "sid": "cht000704fa@dx16ade44e4d87a1c802"}
    told = {"header": {**header, "status": status}, "payload": payload}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _text_frame(payload: bytes) -> bytes:
    """A whole text message, unmasked, as servers send them (RFC 6455, 5.2)."""
    short = len(payload) < 126
    length = bytes([len(payload)]) if short else b"\x7e" + struct.pack("!H", len(payload))
    return b"\x81" + length + payload


def _openai(deltas: int) -> list[bytes]:
    """Events of about 220 bytes, each an HTTP chunk of its own, as OpenAI sends them."""
    pieces = [{"content": ENGLISH.format(at)} for at in range(deltas)]
    pieces[0]["role"] = "assistant"
    frames = [_chunk(_event(_completion(piece))) for piece in pieces]
    counts = {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}
    end = _completion({}, finish_reason="stop") | {"usage": counts}
    frames[-1] += _chunk(_event(end)) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    frames[0] = HEAD + frames[0]
    return frames


HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"date: Sat, 21 Nov 2026 19:00:00 GMT\r\nx-request-id: req_1\r\ntransfer-encoding: chunked\r\n"
    b"\r\n"
)


def _completion(delta: dict[str, str], *, finish_reason: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-BxYz0123456789",
        "object": "chat.completion.chunk",
        "created": 1763737479,
        "model": "some-model",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [choice],
    }


def _event(told: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
