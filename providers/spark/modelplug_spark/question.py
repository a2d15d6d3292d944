"""A request of the contract as the message that Spark takes: roles, ranges, the user's name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import TypeVar

from msgspec import UNSET, UnsetType

from modelplug import ModelMessage, ModelRequest, UnsupportedOptionError
from modelplug_spark.frames import (
    Chat,
    Message,
    Parameter,
    Request,
    RequestHeader,
    RequestPayload,
    Turn,
)
from modelplug_spark.models import Range, SparkModel

__all__ = ["question", "user_id"]

NumberT = TypeVar("NumberT", int, float)

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}

_UID_LENGTH = 32


def question(
    request: ModelRequest,
    model: SparkModel,
    *,
    app_id: str,
    warn: Callable[[str], None],
) -> Request:
    """The one message of a conversation (section 3 of the protocol notes).

    Args:
        request: with converted messages.
        model: which is asked.
        app_id: who asks.
        warn: is told of what was left out, where the request wants a warning for it.

    Raises:
        UnsupportedOptionError: a parameter out of the documented range, a role or a content
            that can't be sent.
    """

    def within(name: str, value: NumberT | None, allowed: Range) -> NumberT | UnsetType:
        """``value`` if it may be sent; else the request's own policy decides."""
        if value is None or _fits(value, allowed, whole=name != "temperature"):
            return UNSET if value is None else value
        told = f"{name} {value!r} is outside {allowed}, the range of {model.name}"
        if request.on_unsupported in (None, "error"):
            raise UnsupportedOptionError(told, hint=f"give one in {allowed}, or leave it out")
        if request.on_unsupported == "warn":
            warn(f"left out: {told}")
        return UNSET

    chat = Chat(
        domain=model.domain,
        temperature=within("temperature", request.temperature, model.temperature),
        top_k=within("top_k", request.top_k, model.top_k),
        max_tokens=within("max_new_tokens", request.max_new_tokens, model.max_tokens),
    )
    header = RequestHeader(app_id=app_id, uid=user_id(request.context.user_name) or UNSET)
    text = Message(text=_turns(request.messages))
    return Request(
        header=header, parameter=Parameter(chat=chat), payload=RequestPayload(message=text)
    )


def user_id(name: str | None) -> str | None:
    """``name`` as the service's ``uid``, of 32 characters at the most (D-MaaS-WS; section 3.1).

    A longer one becomes the first 32 hex digits of its SHA-256, not its beginning: two users
    must not become one. None and an empty name stay out of the message.
    """
    if not name:
        return None
    if len(name) <= _UID_LENGTH:
        return name
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_UID_LENGTH]


def _fits(value: object, allowed: Range, *, whole: bool) -> bool:
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and value in allowed


def _turns(messages: Sequence[ModelMessage]) -> list[Turn]:
    """System messages at the start become the one that may be there (D-Web; section 3.3)."""
    systems = [*takewhile(lambda message: message.role == "system", messages)]
    first = "\n".join(_text(message) for message in systems)
    turns = [Turn(role="system", content=first)] if systems else []
    return turns + [_turn(message) for message in messages[len(systems) :]]


def _turn(message: ModelMessage) -> Turn:
    if message.role == "system":
        raise UnsupportedOptionError(
            "Spark takes a system message at the start only", hint="move it there"
        )
    role = _ROLES.get(message.role)
    if role is None:
        raise UnsupportedOptionError(
            f"Spark takes no message of role {message.role!r}",
            hint="give a tool's result in a human message" if message.role == "tool" else None,
        )
    return Turn(role=role, content=_text(message))


def _text(message: ModelMessage) -> str:
    if not isinstance(message.content, str):
        odd = next((part for part in message.content if not _is_text(part)), None)
        if odd is not None:
            raise UnsupportedOptionError(
                f"Spark's text models take no part of type {odd.get('type')!r}",
                hint="send parts of type 'text' only",
            )
    return message.text


def _is_text(part: Mapping[str, object]) -> bool:
    return part.get("type", "text") == "text" and isinstance(part.get("text"), str)
