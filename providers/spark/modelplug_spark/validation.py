"""What the service finds wrong with a message before it thinks: codes and texts.

The order is section 5.3's of the protocol notes (R). The form of the texts is section 5.2's:
``<Name>:(HH:MM:SS.mmm) <detail>``, in Beijing's time. ``ClientMsgError``, ``AppIdNoAuthError``
and ``RequestParamsError`` were seen live with the details that stand here for a wrong domain, a
wrong type and a missing grant (L-Cow2252, L-pageagent261, L-nonebot8); the others are invented.

What a model doesn't have, such as functions or thinking, is ignored where it is asked for:
fields that nobody knows are accepted silently in all clients' experience (R; section 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec import UNSET

from modelplug_spark.answers import tokens
from modelplug_spark.frames import Misfit, Request
from modelplug_spark.images import IMAGE_BYTES, image_data
from modelplug_spark.models import MODELS, Range, SparkModel

__all__ = ["Fault", "faults", "misfit", "stamped"]

BEIJING = timedelta(hours=8)

_UID_LENGTH = 32

_THINKING = ("enabled", "disabled", "auto")
_SEARCHES = (UNSET, "normal", "deep")

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


class Fault(NamedTuple):
    """A service code and its text."""

    code: int
    text: str


def stamped(name: str, detail: str, now: float) -> str:
    """A text in the service's form."""
    there = datetime.fromtimestamp(now, UTC) + BEIJING
    return f"{name}:({there:%H:%M:%S}.{there.microsecond // 1000:03}) {detail}"


def misfit(wrong: Misfit, now: float) -> Fault:
    """What the service says of a message that is no request."""
    if wrong.kind == "json":
        return Fault(10003, stamped("ClientMsgError", "invalid message format", now))
    return Fault(10004, stamped("RequestParamsError", _in_json_path(wrong.reason), now))


def _in_json_path(reason: str) -> str:
    """The decoder's words as the service's validator has them: ``'$.a.b' type must be string;``."""
    path = _found(r"at `([^`]*)`", reason) or "$"
    missing = _found(r"missing required field `([^`]*)`", reason)
    if missing:
        return f"'{path}.{missing}' param is required;"
    wanted = _found(r"Expected `(\w+)", reason) or "other"
    return f"'{path}' type must be {_TYPES.get(wanted, wanted)};"


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match[1] if match else None


def faults(
    request: Request, model: SparkModel, *, app_id: str, now: float, strict_uid: bool = False
) -> Iterator[Fault]:
    """Everything that is wrong with a request, in the order in which the service looks.

    Args:
        request: what was asked.
        model: the model that path and domain belong to, or one of the path's.
        app_id: the app that the key belongs to.
        now: seconds since the epoch.
        strict_uid: whether a ``uid`` of more than 32 characters is refused. The documentation
            forbids it, working clients send 36 (section 3.1).
    """
    if strict_uid and len(request.header.uid or "") > _UID_LENGTH:
        yield _schema("$.header.uid", now)
    if not request.payload.message.text:
        yield _schema("$.payload.message.text", now)
    yield from _words(request, now)
    yield from _ranges(request, model, now)
    yield from _roles(request, model, now)
    yield from _images(request, model, now)
    yield from _domains(request, model, now)
    if request.header.app_id != app_id:
        yield _unlicensed(request, now)
    texts = [
        turn.content or ""
        for turn in request.payload.message.text
        if turn.content_type != "image"  # what an image counts for is not documented
    ]
    if tokens(*texts) > model.context_length:
        yield Fault(10907, stamped("TokenLimitError", "token over limit", now))


def _words(request: Request, now: float) -> Iterator[Fault]:
    """Words out of the documented ones: the platform's schema (section 3.2, R)."""
    chat = request.parameter.chat
    if any(len(each) > _UID_LENGTH for each in request.header.patch_id or ()):
        yield _schema("$.header.patch_id", now)
    if chat.thinking and chat.thinking.type not in _THINKING:
        yield _schema("$.parameter.chat.thinking.type", now)
    for number, tool in enumerate(chat.tools or ()):
        if tool.web_search and tool.web_search.search_mode not in _SEARCHES:
            path = f"$.parameter.chat.tools[{number}].web_search.search_mode"
            yield _schema(path, now)


def _domains(request: Request, model: SparkModel, now: float) -> Iterator[Fault]:
    domain = request.parameter.chat.domain
    if domain == "general" != model.domain:
        # Spark Lite's until October 2024; nobody has a licence for it since (L-oneapi1886).
        yield _unlicensed(request, now)
    if domain not in {each.domain for each in MODELS}:
        yield _schema("$.parameter.chat.domain", now)
    if domain != model.domain:
        yield Fault(10003, stamped("ClientMsgError", "invalid model domain", now))


def _unlicensed(request: Request, now: float) -> Fault:
    domain = request.parameter.chat.domain
    return Fault(11200, stamped("AppIdNoAuthError", f"domain.{domain}", now))


def _schema(path: str, now: float) -> Fault:
    return Fault(10004, stamped("RequestParamsError", f"'{path}' value is invalid", now))


def _engine(detail: str, now: float) -> Fault:
    return Fault(10163, stamped("EngineParamsError", detail, now))


def _ranges(request: Request, model: SparkModel, now: float) -> Iterator[Fault]:
    """Values out of range: the engine's schema, not the platform's (section 5.1, R)."""
    chat = request.parameter.chat
    told: tuple[tuple[str, object, Range | None], ...] = (
        ("temperature", chat.temperature, model.temperature),
        ("top_k", chat.top_k, model.top_k),
        ("top_p", chat.top_p, model.top_p),
        ("max_tokens", chat.max_tokens, model.max_tokens),
        ("presence_penalty", chat.presence_penalty, model.presence_penalty),
        ("frequency_penalty", chat.frequency_penalty, model.frequency_penalty),
    )
    for name, value, allowed in told:
        if isinstance(value, int | float) and allowed is not None and value not in allowed:
            yield _engine(f"'$.parameter.chat.{name}' must be in {allowed}", now)


def _roles(request: Request, model: SparkModel, now: float) -> Iterator[Fault]:
    """Roles that no documentation knows, or not there: a system message first, a question last."""
    roles = [turn.role for turn in request.payload.message.text]
    known = {"user", "assistant", *(["system"] if model.system_role != "none" else [])}
    if not known.issuperset(roles):
        yield _engine("unknown role", now)
    elif "system" in roles[1:]:
        yield _engine("system must be the first role", now)
    elif roles and roles[-1] != "user":
        yield _engine("user must be the last role", now)


def _images(request: Request, model: SparkModel, now: float) -> Iterator[Fault]:
    """Exactly one image, first, where the model is asked about one, else none (section 3.4, R)."""
    images = [turn.content_type == "image" for turn in request.payload.message.text]
    if not model.images:
        if any(images):
            yield _engine("content_type image is not supported", now)
        return
    if sum(images) != 1 or not images[0]:
        yield _engine("one image must be the first content", now)
        return
    data = image_data(request.payload.message.text[0].content or "")
    if not data or len(data) > IMAGE_BYTES:
        yield _engine("image is not base64, or too large", now)
