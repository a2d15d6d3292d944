"""What is particular to one service that speaks OpenAI's chat completions: data, never code.

The wire's own words (``max_tokens``, ``enable_thinking``) are values here, so that one client
serves all. What a service has in common with OpenAI isn't said: the defaults are OpenAI's.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, TypeAlias

from modelplug import Capabilities, ModelMetadata
from modelplug_openai.kinds import Kind

__all__ = [
    "REASONING_FIELDS",
    "Ending",
    "KeyHeader",
    "LimitField",
    "Preset",
    "Reasoning",
    "UsageAsked",
]

KeyHeader: TypeAlias = Literal["authorization", "api-key"]
"""Where the key goes: ``Authorization: Bearer KEY``, or ``api-key: KEY``."""

LimitField: TypeAlias = Literal["max_tokens", "max_completion_tokens"]
"""The field of the body that limits the answer's tokens."""

UsageAsked: TypeAlias = Literal["asked", "always", "never"]
"""Usage in a stream comes with ``stream_options: {"include_usage": true}``; comes without being
asked for, and the field isn't sent; or doesn't come, and the field isn't sent."""

Ending: TypeAlias = Literal["reason", "done"]
"""What makes a stream's answer whole: a ``finish_reason``; or ``[DONE]`` as well, where a service
is documented to stream none, which then counts as ``stop``."""

Reasoning: TypeAlias = Literal[
    "effort", "thinking", "thinking_effort", "enable_thinking", "object", "template"
]
"""The field of the body that says how much the model thinks first:

- ``effort``: ``reasoning_effort: "high"``.
- ``thinking``: ``thinking: {"type": "enabled"}``, or ``"disabled"``; there are no degrees, nor
  are there in ``enable_thinking`` and ``template``.
- ``thinking_effort``: that, and where it is enabled ``reasoning_effort: "high"`` beside it.
- ``enable_thinking``: ``enable_thinking: true``, or false, and ``thinking_budget: 1000``.
- ``object``: ``reasoning: {"effort": "high"}``.
- ``template``: ``chat_template_kwargs: {"enable_thinking": true}``, or false.
"""

REASONING_FIELDS = (
    *("reasoning_effort", "thinking", "enable_thinking", "thinking_budget", "reasoning"),
    "chat_template_kwargs",
)
"""Fields of the body in which one of them or another says it."""

_NATIVE = frozenset(
    {
        *("temperature", "max_new_tokens", "top_p", "seed", "stop", "tools", "tool_choice"),
        *("presence_penalty", "frequency_penalty", "response_format", "reasoning", "streaming"),
        *("system_role", "tool_role", "images", "usage"),
    }
)
"""What OpenAI's own service does (https://platform.openai.com/docs/api-reference/chat)."""

_FOREIGN = frozenset({"top_k", "stop_token_ids", "echo"})
"""What the wire has no field for; ``Preset.fields`` may give one."""


# Without slots, as what is computed from the fields is kept.
@dataclass(frozen=True, kw_only=True)
class Preset:
    """One service: where it is, whose key it takes, and in what it differs from OpenAI.

    Attributes:
        name: the backend's name in config strings, and its entry point's.
        summary: one line for listings.
        source: the public document that says how to call it, an https URL.
        base: its address without a slash at the end, to which ``path`` is added; None where
            everybody has one of their own, which must be configured.
        key: the environment variable that holds the key, as the service's own documents or
            SDK call it; None where there is none.
        needs_key: whether it answers only to a key. One that is given is sent in any case.
        base_variable: the environment variable for another address in place of ``base``;
            only where the vendor's own client reads a URL of this same form from it. Like any
            address that is configured, it may end in a slash.
        version_variable: the same for ``api_version``.
        aliases: further names of the backend: those by which DB-GPT knew it.
        models: names with their tokens of context, as ``source`` has them. The first is the
            default; where there are none, a model must be named. None of tokens: the source
            doesn't tell.
        key_header: see ``KeyHeader``.
        path: of chat completions; ``{model}`` stands for the percent-encoded model, which is
            then the only place that needs it.
        models_path: of the list of models; None where there is no such list.
        api_version: what ``?api-version=`` says unless ``proxy_api_version`` is configured;
            None where nothing is sent.
        limit_field: see ``LimitField``.
        usage: see ``UsageAsked``.
        ending: see ``Ending``.
        reasoning: see ``Reasoning``; None where no such field is documented.
        echoes_reasoning: whether a message that called tools must be given back with what the
            model thought, as ``reasoning_content``, even if that is nothing.
        unsupported: capabilities, by their names, that the service is documented not to have:
            it refuses what asks for them, or takes no notice of it.
        fields: capabilities for which the service's field has another name than OpenAI's, or
            for which OpenAI has none, and that name: ``{"seed": "random_seed"}``. The limit of
            tokens is in ``limit_field``.
        body: fields of its own that every question has, for an answer in OpenAI's shape.
        failures: what it says in the ``code``, ``type`` or ``status`` of an error, or in
            ``finish_reason`` where it failed, and what it means by that: its numbers, as their
            digits, and words by which it means something else than ``MEANINGS`` has.
    """

    name: str
    summary: str
    source: str
    base: str | None
    key: str | None = None
    needs_key: bool = True
    base_variable: str | None = None
    version_variable: str | None = None
    aliases: tuple[str, ...] = ()
    models: tuple[tuple[str, int | None], ...] = ()
    key_header: KeyHeader = "authorization"
    path: str = "/chat/completions"
    models_path: str | None = "/models"
    api_version: str | None = None
    limit_field: LimitField = "max_completion_tokens"
    usage: UsageAsked = "asked"
    ending: Ending = "reason"
    reasoning: Reasoning | None = "effort"
    echoes_reasoning: bool = False
    unsupported: Set[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: Mapping[str, object] = field(default_factory=dict, hash=False)
    failures: Mapping[str, Kind] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unsupported", frozenset(self.unsupported))
        for name in ("fields", "body", "failures"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the backend, its own first."""
        return (self.name, *self.aliases)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What its models have in common; some may do less, and say so when asked."""
        without = self.unsupported | ({"reasoning"} if self.reasoning is None else set())
        without |= {"usage"} if self.usage == "never" else set()
        native = (_NATIVE | self.fields.keys()) - without
        return Capabilities(native=native, unsupported=(_NATIVE | _FOREIGN) - native)

    @cached_property
    def metadata(self) -> tuple[ModelMetadata, ...]:
        """The models as the core lists them; where no context is told, it is the core's guess."""
        return tuple(
            ModelMetadata(model=name, capabilities=self.capabilities)
            if tokens is None
            else ModelMetadata(model=name, context_length=tokens, capabilities=self.capabilities)
            for name, tokens in self.models
        )
