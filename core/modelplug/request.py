"""What is asked of a model: one frozen value, the same for every backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast, get_args

from modelplug.capabilities import REQUEST_CAPABILITIES
from modelplug.messages import MessageLike, ModelMessage, as_messages
from modelplug.timeouts import STANDARD, Timeouts

__all__ = [
    "REQUEST_DEFAULTS",
    "ModelRequest",
    "ModelRequestContext",
    "OnUnsupported",
    "RequestLike",
]

T = TypeVar("T")

_Kinds: TypeAlias = tuple[tuple[type, ...], str]

_FLOAT: _Kinds = ((int, float), "a number")
_INT: _Kinds = ((int,), "a number")
_WORD: _Kinds = ((str, Mapping), "a text or a mapping")
_KINDS: Mapping[str, _Kinds] = {
    "temperature": _FLOAT,
    "top_p": _FLOAT,
    "presence_penalty": _FLOAT,
    "frequency_penalty": _FLOAT,
    "max_new_tokens": _INT,
    "context_len": _INT,
    "top_k": _INT,
    "seed": _INT,
    "stop": ((str, Sequence), "a text or a list of texts"),
    "stop_token_ids": ((Sequence,), "a list of numbers"),
    "tool_choice": _WORD,
    "response_format": ((Mapping,), "a mapping"),
    "reasoning": _WORD,
}
"""By field its types, and how an error calls them. Tools are the plugin's to judge."""

_ITEMS: Mapping[str, type] = {"stop": str, "stop_token_ids": int}
"""What fields that are lists have in them."""

OnUnsupported: TypeAlias = Literal["error", "warn", "drop"]
"""What happens to a parameter that the model can't honour."""

_WAYS = (None, *get_args(OnUnsupported))

Tools: TypeAlias = Sequence[Mapping[str, object]]

if TYPE_CHECKING:

    class _Messages:
        """Tells type checkers that messages may be given in many forms and are read in one."""

        def __get__(self, request: object, owner: object) -> tuple[ModelMessage, ...]: ...

        def __set__(self, request: object, given: str | Iterable[MessageLike]) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequestContext:
    """Who asks, and on whose behalf: passed along, never sent unless a backend says so."""

    stream: bool = False
    cache_enable: bool = False
    user_name: str | None = None
    sys_code: str | None = None
    conv_uid: str | None = None
    span_id: str | None = None
    chat_mode: str | None = None
    chat_param: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """One request. None means *not set* and is never sent; 0 is set and is sent.

    Attributes:
        model: which model; None is the client's default.
        messages: the conversation; a plain string is one human message.
        temperature, top_p, top_k, seed, presence_penalty, frequency_penalty: sampling.
        max_new_tokens: tokens of answer at the most.
        stop: a text, or several, that end the answer; stop_token_ids: the same by token.
        context_len: tokens of input to keep, for converters that trim.
        echo: whether the answer repeats the prompt.
        tools, tool_choice, response_format, reasoning: as OpenAI's chat completions spell them.
        timeout: seconds for the whole call, or Timeouts for each clock.
        on_unsupported: what to do with a parameter that the model can't honour.
        options: by backend name, whatever that backend has and the contract hasn't.
        context: who asks.

    Raises:
        ValueError: messages can't be read as messages, a value is of another type than its
            field's, ``timeout`` can't be a limit, or ``on_unsupported`` is none of its three
            words.
    """

    model: str | None = None
    if TYPE_CHECKING:
        messages: _Messages = _Messages()
    else:
        messages: tuple[ModelMessage, ...] = ()
    temperature: float | None = None
    max_new_tokens: int | None = None
    stop: str | Sequence[str] | None = None
    stop_token_ids: Sequence[int] | None = None
    context_len: int | None = None
    echo: bool | None = None
    span_id: str | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    tools: Tools | None = None
    tool_choice: str | Mapping[str, object] | None = None
    response_format: Mapping[str, object] | None = None
    reasoning: str | Mapping[str, object] | None = None
    timeout: float | Timeouts | None = None
    on_unsupported: OnUnsupported | None = None
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    context: ModelRequestContext = field(default_factory=ModelRequestContext)

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", as_messages(self.messages))
        object.__setattr__(self, "context", _as_context(self.context))
        object.__setattr__(self, "options", _as_options(self.options))
        for name in _KINDS:
            if (value := getattr(self, name)) is not None:
                _check_kind(name, value)
        if (self.max_new_tokens or 0) < 0:
            raise ValueError("max_new_tokens is 0 or more")
        if self.timeout is not None:
            STANDARD.over(self.timeout)  # refuses what can't be a limit now, not in the call
        if self.on_unsupported not in _WAYS:
            raise ValueError(f"on_unsupported is one of {', '.join(get_args(OnUnsupported))}")

    @classmethod
    def build_request(
        cls,
        model: str | None = None,
        messages: str | Iterable[MessageLike] = (),
        context: ModelRequestContext | Mapping[str, object] | None = None,
        *,
        stream: bool = False,
        **parameters: object,
    ) -> ModelRequest:
        """A request from loose parts, with DB-GPT's signature.

        A mapping as ``context`` gets ``stream`` only where it has none of its own.

        Raises:
            TypeError: a parameter that requests don't have.
            ValueError: messages can't be read as messages.
        """
        if context is None or isinstance(context, Mapping):
            context = _as_context({"stream": stream, **(context or {})})
        return cls(model=model, messages=as_messages(messages), context=context, **parameters)  # type: ignore[arg-type]  # loose parts

    @property
    def stream(self) -> bool:
        """Whether the context asks for a stream."""
        return self.context.stream

    @property
    def question(self) -> str:
        """The text of the last human message; empty if there is none."""
        asked = [message.text for message in self.messages if message.role == "human"]
        return asked[-1] if asked else ""

    @property
    def stop_sequences(self) -> tuple[str, ...]:
        """``stop`` as a tuple, whether it was given as one text or several."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    def copy(self, **changes: object) -> ModelRequest:
        """The same request with some fields changed; the request itself never changes.

        Raises:
            TypeError: a field that requests don't have.
        """
        return replace(self, **changes)  # type: ignore[arg-type]  # loose parts

    def detached(self, *, model: str | None = None) -> ModelRequest:
        """The same request, with lists and mappings of its own: a plugin may write into them.

        Args:
            model: instead of the request's own.
        """
        messages = [
            message
            if isinstance(message.content, str)
            else replace(message, content=_own(message.content))
            for message in self.messages
        ]
        loose = zip(_LOOSE, _loose(self), strict=True)
        return _twin(
            self,
            model=model or self.model,
            messages=tuple(messages),
            context=_twin(self.context, extra=_own(self.context.extra)),
            **{name: _own(value) for name, value in loose if value is not None},
        )

    def with_defaults(self, defaults: Mapping[str, object]) -> ModelRequest:
        """The request with ``defaults`` for those fields that it leaves unset."""
        unset = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return self.copy(**unset) if unset else self

    def asked_for(self) -> tuple[str, ...]:
        """Names of the capabilities that this request needs a model to have."""
        values = zip(REQUEST_CAPABILITIES, _wishes(self), strict=True)
        # An empty list or text asks for nothing; the number 0 does.
        names = [name for name, value in values if value or type(value) in (int, float)]
        roles = {message.role for message in self.messages}
        if any(message.tool_calls for message in self.messages):
            roles.add("tool")  # what it called goes with what came of it
        names += [f"{role}_role" for role in ("system", "tool") if role in roles]
        if any(_has_image(message) for message in self.messages):
            names.append("images")
        return tuple(names)

    def to_common_messages(
        self, support_system_role: bool = True
    ) -> list[dict[str, object]]:  # DB-GPT's signature
        """The messages with the role names that most services use: system, user, assistant, tool.

        Raises:
            ValueError: a message can't be sent: a ``view`` message, or a system message where
                ``support_system_role`` is false. None is ever dropped in silence.
        """
        for message in self.messages:
            if not message.pass_to_model or (message.role == "system" and not support_system_role):
                raise ValueError(f"a message of role {message.role!r} can't be sent to this model")
        return [message.to_common() for message in self.messages]

    def to_dict(self) -> dict[str, object]:
        """The fields that are set, by name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


RequestLike: TypeAlias = ModelRequest | str | Iterable[MessageLike]
"""A request, a plain question, or a list of messages."""


REQUEST_DEFAULTS = (
    "temperature",
    "max_new_tokens",
    "stop",
    "stop_token_ids",
    "context_len",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "reasoning",
    "timeout",
    "on_unsupported",
)
"""Fields of a request for which a config string or a client may give defaults."""


_wishes = attrgetter(*REQUEST_CAPABILITIES)

_NOTHING = ("response_format", "reasoning", "tool_choice")
"""Fields that ask for nothing where they are empty, of whatever type."""


def _check_kind(name: str, value: object) -> None:
    kinds, words = _KINDS[name]
    if name in _NOTHING and value in ("", [], (), {}):
        return
    if not isinstance(value, kinds):
        raise ValueError(f"{name} is {words}, not a {type(value).__name__}")
    if name in _ITEMS and isinstance(value, Sequence):
        for item in value:
            if not isinstance(item, _ITEMS[name]):
                raise ValueError(f"{name} is {words}: there is a {type(item).__name__} in it")


def _as_context(context: object) -> ModelRequestContext:
    if isinstance(context, ModelRequestContext):
        return context
    if context is not None and not isinstance(context, Mapping):
        raise ValueError(f"a context is a mapping, not a {type(context).__name__}")
    return ModelRequestContext(**(context or {}))


def _as_options(options: object) -> Mapping[str, Mapping[str, object]]:
    options = {} if options is None else options
    if options == {}:
        return options
    if not isinstance(options, Mapping) or not all(
        isinstance(its, Mapping) for its in options.values()
    ):
        raise ValueError("options are a mapping of mappings, by the names of backends")
    return options


_LOOSE = (
    "stop",
    "stop_token_ids",
    "tools",
    "tool_choice",
    "response_format",
    "reasoning",
    "options",
)
"""Fields that may hold what can be changed in its place."""

_loose = attrgetter(*_LOOSE)


def _twin(value: T, **changes: object) -> T:
    """A dataclass' value with some fields changed to what needn't be looked at once more.

    With ``replace``, which does look, it takes five times as long: one copy is made a call.
    """
    twin = object.__new__(type(value))
    for name in value.__dataclass_fields__:  # type: ignore[attr-defined]  # it is a dataclass
        changed = changes[name] if name in changes else getattr(value, name)
        object.__setattr__(twin, name, changed)
    return twin


def _own(value: T) -> T:
    """A copy of lists and mappings, whatever else is in them."""
    given: object = value
    if isinstance(given, Mapping):
        return cast(T, {name: _own(each) for name, each in given.items()})
    if isinstance(given, list):
        return cast(T, [_own(each) for each in given])
    if isinstance(given, tuple):
        return cast(T, tuple(_own(each) for each in given))
    return value


def _has_image(message: ModelMessage) -> bool:
    return not isinstance(message.content, str) and any(
        str(part.get("type", "")).startswith(("image", "input_image")) for part in message.content
    )
