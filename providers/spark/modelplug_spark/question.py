"""A request of the contract as the message that Spark takes: who asks, what, and with what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import takewhile

from msgspec import UNSET

from modelplug import Call, ModelMessage, ModelRequest, UnsupportedOptionError
from modelplug_spark.chat import chat
from modelplug_spark.frames import (
    Message,
    Parameter,
    Request,
    RequestHeader,
    RequestPayload,
    Turn,
)
from modelplug_spark.images import image_turn, without_images
from modelplug_spark.options import SparkOptions
from modelplug_spark.sparkmodel import SparkModel
from modelplug_spark.tools import functions

__all__ = ["question", "user_id"]

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}

_UID_LENGTH = 32


def question(
    request: ModelRequest,
    model: SparkModel,
    *,
    app_id: str,
    options: SparkOptions,
    call: Call,
) -> Request:
    """The one message of a conversation (section 3 of the protocol notes).

    Args:
        request: with converted messages.
        model: which is asked.
        app_id: who asks.
        options: the backend's own.
        call: is told of what was left out, where the request wants a warning for it.

    Raises:
        UnsupportedOptionError: a parameter out of the documented range, a role or a content
            that can't be sent, something that the model doesn't have.
        BadRequestError: a tool or an image that can't be one.
    """
    header = RequestHeader(
        app_id=app_id,
        uid=user_id(request.context.user_name) or UNSET,
        patch_id=[*options.patch_id] or UNSET,
    )
    return Request(
        header=header,
        parameter=Parameter(chat=chat(request, model, options=options, call=call)),
        payload=RequestPayload(
            message=Message(text=_conversation(request.messages, model)),
            functions=functions(request, model, call),
        ),
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


def _conversation(messages: Sequence[ModelMessage], model: SparkModel) -> list[Turn]:
    """The turns, behind the image where the model is asked about one (section 3.4)."""
    if not model.images:
        return _turns(messages)
    return [image_turn(messages), *_turns(without_images(messages))]


def _turns(messages: Sequence[ModelMessage]) -> list[Turn]:
    """System messages at the start become the one that may be there (D-Web; section 3.3)."""
    systems = [*takewhile(lambda message: message.role == "system", messages)]
    first = [Turn(role="system", content="\n".join(map(_text, systems)))] if systems else []
    return [*first, *map(_turn, messages[len(systems) :])]


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
    if isinstance(message.content, str):
        return message.content
    odd = next((part for part in message.content if not _is_text(part)), None)
    if odd is not None:
        raise UnsupportedOptionError(
            f"Spark's text models take no part of type {odd.get('type')!r}",
            hint="send parts of type 'text' only",
        )
    return message.text


def _is_text(part: Mapping[str, object]) -> bool:
    return part.get("type", "text") == "text" and isinstance(part.get("text"), str)
