"""Messages, their roles, and the converters that ready them for a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Protocol, TypeAlias, runtime_checkable

from modelplug.capabilities import ModelMetadata
from modelplug.delta import ToolCall

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
        content: text, or a list of parts; None, where the model called tools and said nothing,
            is kept as an empty text.
        round_index: which round of the conversation it belongs to, from 0.
        tool_calls: what the model asked for in an ``ai`` message: ``output.tool_calls`` as
            they came, or mappings as OpenAI's chat completions have them.
        reasoning: in an ``ai`` message, what the model thought before it called tools, as
            ``output.reasoning`` has it. Some services want it back with the calls; it is sent
            to those alone.
        tool_call_id: in a ``tool`` message, the ``id`` of the call whose result it has.

    Raises:
        ValueError: the role is unknown, the content is neither text nor parts, or a message of
            another role has what belongs to tools.
    """

    role: str
    content: Content
    _: KW_ONLY
    round_index: int = 0
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None
    reasoning: str = ""

    def __post_init__(self) -> None:
        common = COMMON_ROLES.get(str(self.role))
        if common is None:
            raise ValueError(f"unknown role {self.role!r}; known are {', '.join(COMMON_ROLES)}")
        object.__setattr__(self, "role", OWN_ROLES[common])
        if self.tool_calls != ():
            object.__setattr__(self, "tool_calls", _calls(self.tool_calls))
        if (self.tool_calls or self.reasoning) and self.role != "ai":
            raise ValueError(f"a model thinks and calls tools in role ai, not {self.role}")
        if self.tool_call_id is not None and self.role != "tool":
            raise ValueError(f"a call's result is in a message of role tool, not {self.role}")
        content: object = self.content
        if content is None and self.tool_calls:
            object.__setattr__(self, "content", "")
        elif not isinstance(content, str):
            object.__setattr__(self, "content", _parts(content))

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
        """The message as ``{"role": ..., "content": ...}`` with the names of most services.

        A call without arguments has those of an empty object: services want JSON there.
        """
        content = self.content if isinstance(self.content, str) else [*map(dict, self.content)]
        common: dict[str, object] = {"role": COMMON_ROLES[self.role], "content": content}
        if self.tool_calls:
            common["tool_calls"] = [*map(_common_call, self.tool_calls)]
        if self.tool_call_id is not None:
            common["tool_call_id"] = self.tool_call_id
        return common


def _parts(content: object) -> tuple[Mapping[str, object], ...]:
    if isinstance(content, Sequence) and not isinstance(content, bytes | bytearray):
        parts = tuple(content)
        if all(isinstance(part, Mapping) for part in parts):
            return parts
    raise ValueError("content is a string or a list of parts (mappings)")


def _calls(given: object) -> tuple[ToolCall, ...]:
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise ValueError("tool_calls are a list")
    return tuple(_call(each, index) for index, each in enumerate(given))


def _call(given: object, index: int) -> ToolCall:
    if isinstance(given, ToolCall):
        return replace(given, index=index)
    function = given.get("function") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(function, Mapping):
        raise ValueError("a tool call is a ToolCall, or a mapping with id and function")
    name, arguments = function.get("name"), function.get("arguments") or ""
    if not isinstance(name, str) or not isinstance(arguments, str):
        raise ValueError("the function of a tool call has a name, and arguments in JSON's text")
    id_ = given.get("id")
    return ToolCall(
        index=index, id=None if id_ is None else str(id_), name=name, arguments=arguments
    )


def _common_call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name or "", "arguments": call.arguments or "{}"}
    named = {} if call.id is None else {"id": call.id}
    return {**named, "type": "function", "function": function}


MessageLike: TypeAlias = ModelMessage | Mapping[str, object]
"""A message, or a mapping with its fields by name; ``role`` and ``content`` must be there."""

_KEYS = frozenset({"role", "content", "round_index", "tool_calls", "tool_call_id", "reasoning"})

_MESSAGES = frozenset({ModelMessage})
"""Exact types, compared without a loop in Python; a subclass goes the longer way to the same."""


def as_messages(messages: str | Iterable[MessageLike]) -> tuple[ModelMessage, ...]:
    """Messages out of a plain string (one human message), mappings or messages.

    Raises:
        ValueError: a role is unknown, or a mapping lacks ``role`` or ``content``.
    """
    if isinstance(messages, str):
        return (ModelMessage("human", messages),)
    if type(messages) is tuple and {*map(type, messages)} <= _MESSAGES:
        return messages  # as most are, each time that a request is copied
    given: object = messages
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise ValueError(f"messages are a text or a list, not a {type(messages).__name__}")
    return tuple(map(_as_message, messages))


def _as_message(message: MessageLike) -> ModelMessage:
    if isinstance(message, ModelMessage):
        return message
    if not isinstance(message, Mapping):
        raise ValueError(f"a message is a ModelMessage or a mapping, not {type(message).__name__}")
    if unknown := sorted(set(message) - _KEYS):
        known = "role, content, round_index, tool_calls, tool_call_id and reasoning"
        raise ValueError(f"a message has {known}, not {', '.join(unknown)}")
    needed = {"role"} if message.get("tool_calls") else {"role", "content"}
    if missing := sorted(needed - set(message)):
        raise ValueError(f"a message lacks {' and '.join(map(repr, missing))}")
    values = {name: value for name, value in message.items() if name not in ("role", "content")}
    values["round_index"] = values.get("round_index") or 0
    return ModelMessage(str(message["role"]), message.get("content"), **values)  # type: ignore[arg-type]  # checked there


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
