"""What a service says where it fails: the same few facts out of every shape that is known.

The shapes, each with who sends it:

- ``{"error": {"message", "type", "code", "param"}}``: OpenAI and most others
  (https://platform.openai.com/docs/guides/error-codes); with ``status`` and ``details``, also in
  a list of one, Gemini (https://cloud.google.com/apis/design/errors); with ``innererror`` Azure
  (https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter); with ``metadata``
  OpenRouter (https://openrouter.ai/docs/api-reference/errors); within ``{"type": "error"}``
  Anthropic (https://docs.anthropic.com/en/api/errors).
- ``{"error": "text"}``: Ollama (https://github.com/ollama/ollama/blob/main/docs/api.md); with
  ``error_type`` TGI
  (https://huggingface.co/docs/text-generation-inference/reference/api_reference); with ``code``
  xAI (https://docs.x.ai/docs/key-information/debugging).
- ``{"object": "error", "message", "type", "code"}``: vLLM before 0.10, SGLang, Mistral
  (https://github.com/vllm-project/vllm/issues/4667).
- ``{"code", "message", "request_id"}``: DashScope
  (https://help.aliyun.com/zh/model-studio/error-code); ``{"message": "..."}``: gateways.
- ``{"base_resp": {"status_code", "status_msg"}}``: MiniMax
  (https://platform.minimaxi.com/document/ChatCompletion_v2).
- ``{"detail": "text"}`` or ``{"detail": [{"loc", "msg", "type"}]}``: FastAPI
  (https://fastapi.tiangolo.com/tutorial/handling-errors/); with ``title`` RFC 9457, NVIDIA.
- ``{"errors": [...]}``: of any of these, Cloudflare's and others' gateways.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

__all__ = ["Said", "said_by"]

_DEPTH = 4
"""Envelopes in envelopes that are opened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """The facts of a failure, in the service's own words.

    Attributes:
        message: for people.
        words: its code, type and status, the most telling first; a number as its digits.
        request_id: its name for the request.
        retry_after: seconds to wait, where the body says so (Gemini's ``RetryInfo``).
        has_answered: whether the body is JSON of a known shape, and so the service's own.
    """

    message: str = ""
    words: tuple[str, ...] = ()
    request_id: str | None = None
    retry_after: float | None = None
    has_answered: bool = True


_NOTHING = Said()


def said_by(body: bytes) -> Said:
    """What a body says; what is no JSON of a known shape is its own message."""
    try:
        value: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        value = None
    return _read(value) or Said(message=body.decode(errors="replace"), has_answered=False)


def _read(value: object, depth: int = 0) -> Said | None:
    """The facts in a JSON value; None if there are none."""
    if depth > _DEPTH:
        return None
    if isinstance(value, str):
        return Said(message=value) if value else None
    if isinstance(value, list):
        return next((said for item in value if (said := _read(item, depth + 1))), None)
    if not isinstance(value, Mapping):
        return None
    inner = next(
        (value[name] for name in ("error", "errors", "base_resp") if value.get(name)), None
    )
    message, detail = _message(value), value.get("detail") or value.get("details")
    within = (_read(inner, depth + 1) if inner is not None else None) or _NOTHING
    if within is _NOTHING and not message and isinstance(detail, list):
        message = "; ".join(map(_of_validation, detail))
    words = (*within.words, *_words(value))
    message = within.message or message
    if not (message or words):
        return None
    return Said(
        message=message,
        words=tuple(dict.fromkeys(words)),
        request_id=_text(value, "request_id", "requestId", "sid") or within.request_id,
        retry_after=_delay(detail) or within.retry_after,
    )


def _message(value: Mapping[str, object]) -> str:
    names = ("message", "msg", "status_msg", "error_msg", "error_message", "detail", "title")
    return _text(value, *names) or ""


def _words(value: Mapping[str, object]) -> list[str]:
    """The codes in an object, those of what is within it first: they tell more."""
    inner = value.get("innererror")
    words = _words(inner) if isinstance(inner, Mapping) else []
    details = value.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping) and (reason := _word(detail.get("reason"))):
            words.append(reason)  # Google's ErrorInfo
    metadata = value.get("metadata")
    if isinstance(metadata, Mapping) and "flagged_input" in metadata:
        words.append("flagged_input")  # OpenRouter's, of its moderation
    names = ("code", "status_code", "error_code", "type", "error_type", "status")
    found = [_word(value.get(name)) for name in names]
    # These say that it is a failure, and not which; 0 is Spark's and MiniMax's for none.
    return words + [word for word in found if word and word not in ("error", "about:blank", "0")]


def _word(value: object) -> str:
    if type(value) is int:
        return str(value) if abs(value) < 2**53 else ""
    return value if isinstance(value, str) else ""


def _text(value: Mapping[str, object], *names: str) -> str | None:
    """The first of some fields that has text in it."""
    texts = (value.get(name) for name in names)
    return next((text for text in texts if isinstance(text, str) and text), None)


def _of_validation(detail: object) -> str:
    """One of FastAPI's complaints, as ``body.messages: field required``."""
    if not isinstance(detail, Mapping):
        return str(detail) if isinstance(detail, str) else ""
    place = detail.get("loc")
    where = ".".join(map(str, place)) if isinstance(place, Sequence) else ""
    return ": ".join(part for part in (where, _message(detail)) if part)


_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s", re.ASCII)


def _delay(details: object) -> float | None:
    """Google's ``retryDelay`` (https://cloud.google.com/apis/design/errors#error_details)."""
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str) and (found := _SECONDS.fullmatch(delay)):
            seconds = float(found[1])
            return seconds if math.isfinite(seconds) and seconds <= 86_400 else None
    return None
