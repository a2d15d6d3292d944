"""Messages, their roles, and the converters that ready them for a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Protocol, TypeAlias, runtime_checkable

from modelplug.capabilities import ModelMetadata

__all__ = [
    "Content",
    "DefaultMessageConverter",
    "MessageConverter",
    "MessageLike",
    "ModelMessage",
]

Content: TypeAlias = str | Sequence[Mapping[str, object]]
"""Plain text, or parts such as ``{"type": "text", "text": ...}`` and
``{"type": "image_url", "image_url": {...}}`` (OpenAI's names)."""

COMMON_ROLES = {
    "system": "system",
    "developer": "system",
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "tool": "tool",
    "view": "view",
}
"""Every role that is understood, with the name that most services use for it."""

OWN_ROLES = {"system": "system", "user": "human", "assistant": "ai", "tool": "tool", "view": "view"}
"""The other way round: a service's name to ours."""


@dataclass(frozen=True, slots=True)
class ModelMessage:
    """One turn of a conversation.

    Attributes:
        role: ``system``, ``human``, ``ai``, ``tool`` or ``view``; OpenAI's names (``user``,
            ``assistant``, ``developer``) are accepted and kept as one of these.
        content: text, or a list of parts.
        round_index: which round of the conversation it belongs to, from 0.

    Raises:
        ValueError: the role is unknown, or the content is neither text nor parts.
    """

    role: str
    content: Content
    _: KW_ONLY
    round_index: int = 0

    def __post_init__(self) -> None:
        common = COMMON_ROLES.get(str(self.role))
        if common is None:
            raise ValueError(f"unknown role {self.role!r}; known are {', '.join(COMMON_ROLES)}")
        if not isinstance(self.content, str):
            object.__setattr__(self, "content", _parts(self.content))
        object.__setattr__(self, "role", OWN_ROLES[common])

    @property
    def pass_to_model(self) -> bool:
        """Whether the message is for the model; ``view`` messages are for people only."""
        return self.role != "view"

    @property
    def text(self) -> str:
        """The content's text: all of it, or its text parts joined by line breaks."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part["text"]) for part in self.content if "text" in part)

    def to_common(self) -> dict[str, object]:
        """The message as ``{"role": ..., "content": ...}`` with the names of most services."""
        content = self.content if isinstance(self.content, str) else [*map(dict, self.content)]
        return {"role": COMMON_ROLES[self.role], "content": content}


def _parts(content: object) -> tuple[Mapping[str, object], ...]:
    if isinstance(content, Sequence) and not isinstance(content, bytes | bytearray):
        parts = tuple(content)
        if all(isinstance(part, Mapping) for part in parts):
            return parts
    raise ValueError("content is a string or a list of parts (mappings)")


MessageLike: TypeAlias = ModelMessage | Mapping[str, object]
"""A message, or a mapping with ``role`` and ``content``."""


def as_messages(messages: str | Iterable[MessageLike]) -> tuple[ModelMessage, ...]:
    """Messages out of a plain string (one human message), mappings or messages.

    Raises:
        ValueError: a role is unknown, or a mapping lacks ``role`` or ``content``.
    """
    if isinstance(messages, str):
        return (ModelMessage("human", messages),)
    given: object = messages
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise ValueError(f"messages are a text or a list, not a {type(messages).__name__}")
    return tuple(map(_as_message, messages))


def _as_message(message: MessageLike) -> ModelMessage:
    if isinstance(message, ModelMessage):
        return message
    if not isinstance(message, Mapping):
        raise ValueError(f"a message is a ModelMessage or a mapping, not {type(message).__name__}")
    unknown = sorted(set(message) - {"role", "content", "round_index"})
    if unknown:
        raise ValueError(f"a message has role, content and round_index, not {', '.join(unknown)}")
    try:
        role, content = message["role"], message["content"]
    except KeyError as missing:
        raise ValueError(f"a message lacks {missing}") from None
    index = message.get("round_index") or 0
    return ModelMessage(str(role), content, round_index=index)  # type: ignore[arg-type]  # checked there


@runtime_checkable
class MessageConverter(Protocol):
    """Rewrites the messages of a request before a model sees them.

    Called once for a logical call, whatever the number of attempts. It returns new messages
    and changes none of those that it is given.
    """

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        """The messages for the model that ``metadata`` describes."""
        ...  # pragma: no cover


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultMessageConverter:
    """The converter of a call that names none: only what a model needs to be asked at all.

    Messages that are not for the model go. Where the plugin emulates the system role, system
    messages are put in front of the last human message, joined by ``prompt_sep``.
    """

    prompt_sep: str = "\n"

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        """See the class."""
        kept = [message for message in messages if message.pass_to_model]
        if metadata is None or metadata.capabilities["system_role"] != "emulated":
            return kept
        if any(message.role == "system" and has_more_than_text(message) for message in kept):
            return kept  # it can't be folded without a loss, and so will be refused
        return self._fold_system(kept)

    def _fold_system(self, messages: list[ModelMessage]) -> list[ModelMessage]:
        systems = [message.text for message in messages if message.role == "system"]
        rest = [message for message in messages if message.role != "system"]
        for at in reversed(range(len(rest))):
            if systems and rest[at].role == "human":
                rest[at] = _preceded(rest[at], self.prompt_sep.join(systems), self.prompt_sep)
                return rest
        # Nothing to put them in front of: the instructions themselves are the question.
        return [*rest, *(ModelMessage("human", text) for text in systems)]


def has_more_than_text(message: ModelMessage) -> bool:
    """Whether a message has parts, such as images, that its ``text`` leaves out."""
    return not isinstance(message.content, str) and any(
        "text" not in part for part in message.content
    )


def _preceded(message: ModelMessage, text: str, separator: str) -> ModelMessage:
    if isinstance(message.content, str):
        return replace(message, content=f"{text}{separator}{message.content}")
    return replace(message, content=({"type": "text", "text": text}, *message.content))
