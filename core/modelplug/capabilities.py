"""What a model is and what a backend can do with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

__all__ = [
    "ASSUMED_CONTEXT",
    "CAPABILITY_NAMES",
    "REQUEST_CAPABILITIES",
    "Capabilities",
    "ModelMetadata",
    "Support",
]

ASSUMED_CONTEXT = 4096
"""Tokens of context of a model of which nobody knows them."""

Support: TypeAlias = Literal["native", "emulated", "unsupported", "not_implemented"]
"""``native``: the backend does it. ``emulated``: the plugin makes up for the backend.
``unsupported``: the backend can't. ``not_implemented``: the plugin doesn't, as yet."""

REQUEST_CAPABILITIES = (
    "temperature",
    "max_new_tokens",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "stop_token_ids",
    "presence_penalty",
    "frequency_penalty",
    "tools",
    "tool_choice",
    "response_format",
    "reasoning",
    "echo",
)
"""Capabilities that bear the name of the request's field which asks for them."""

CAPABILITY_NAMES = frozenset(
    (*REQUEST_CAPABILITIES, "streaming", "system_role", "tool_role", "images", "usage")
)
"""Every capability that this version of the contract knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """Which parts of the contract a backend supports, and how.

    ``Capabilities(native=["temperature"], emulated=["system_role"], unsupported=["seed"])``.
    A name that is not mentioned counts as ``not_implemented``, so a plugin that was written
    before a capability had a name never claims it by accident.

    Raises:
        ValueError: a name is claimed twice, or a string stands where a list of names belongs.
    """

    native: Collection[str] = frozenset()
    emulated: Collection[str] = frozenset()
    unsupported: Collection[str] = frozenset()

    def __post_init__(self) -> None:
        claims = (self.native, self.emulated, self.unsupported)
        if any(isinstance(names, str) for names in claims):
            raise ValueError("capabilities are claimed by a list of names, not by a string")
        if len(frozenset().union(*claims)) != sum(map(len, claims)):
            raise ValueError("a capability is claimed twice")
        for state, names in zip(("native", "emulated", "unsupported"), claims, strict=True):
            object.__setattr__(self, state, frozenset(names))

    def __getitem__(self, name: str) -> Support:
        if name in self.native:
            return "native"
        if name in self.emulated:
            return "emulated"
        return "unsupported" if name in self.unsupported else "not_implemented"

    def supports(self, name: str) -> bool:
        """Whether ``name`` works, natively or emulated."""
        return name in self.native or name in self.emulated

    def to_dict(self) -> dict[str, Support]:
        """Every known capability, and every claimed one, with its state."""
        names = CAPABILITY_NAMES.union(self.native, self.emulated, self.unsupported)
        return {name: self[name] for name in sorted(names)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelMetadata:
    """A model that a client can be asked for.

    Attributes:
        model: its name, as a request's ``model`` takes it.
        context_length: tokens of input that it takes in; 4096 where nobody knows.
        capabilities: what it can do.
        ext_metadata: whatever else the provider knows, by name.
    """

    model: str
    context_length: int = ASSUMED_CONTEXT
    capabilities: Capabilities = field(default_factory=Capabilities)
    ext_metadata: Mapping[str, object] = field(default_factory=dict)

    def with_context(self, tokens: int | None) -> ModelMetadata:
        """The same with a context of ``tokens``; None, where nobody set one, changes nothing."""
        return self if tokens is None else replace(self, context_length=tokens)
