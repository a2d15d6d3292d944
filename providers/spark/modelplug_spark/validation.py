"""What the service finds wrong with a message before it thinks: codes and texts.

The order is section 5.3's of the protocol notes (R). The form of the texts is section 5.2's:
``<Name>:(HH:MM:SS.mmm) <detail>``, in Beijing's time. ``ClientMsgError``, ``AppIdNoAuthError``
and ``RequestParamsError`` were seen live with the details that stand here for a wrong domain, a
wrong type and a missing grant (L-Cow2252, L-pageagent261, L-nonebot8); the others are invented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from modelplug_spark.answers import tokens
from modelplug_spark.frames import Misfit, Request
from modelplug_spark.models import MODELS, Range, SparkModel

__all__ = ["Fault", "faults", "misfit", "stamped"]

BEIJING = timedelta(hours=8)

_UID_LENGTH = 32

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
        model: the model that the path belongs to.
        app_id: the app that the key belongs to.
        now: seconds since the epoch.
        strict_uid: whether a ``uid`` of more than 32 characters is refused. The documentation
            forbids it, working clients send 36 (section 3.1).
    """
    if strict_uid and len(request.header.uid or "") > _UID_LENGTH:
        yield _schema("$.header.uid", now)
    if not request.payload.message.text:
        yield _schema("$.payload.message.text", now)
    yield from _ranges(request, model, now)
    yield from _roles(request, model, now)
    yield from _domains(request, model, now)
    if request.header.app_id != app_id:
        yield _unlicensed(request, now)
    texts = [turn.content or "" for turn in request.payload.message.text]
    if tokens(*texts) > model.context_length:
        yield Fault(10907, stamped("TokenLimitError", "token over limit", now))


def _domains(request: Request, model: SparkModel, now: float) -> Iterator[Fault]:
    domain = request.parameter.chat.domain
    if domain == "general":
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
    told: tuple[tuple[str, object, Range], ...] = (
        ("temperature", chat.temperature, model.temperature),
        ("top_k", chat.top_k, model.top_k),
        ("max_tokens", chat.max_tokens, model.max_tokens),
    )
    for name, value, allowed in told:
        if isinstance(value, int | float) and value not in allowed:
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
