"""Requests that ask for something, and what becomes of them where it isn't claimed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from modelplug.capabilities import Support
from modelplug.conformance.lab import Lab
from modelplug.errors import BadRequestError, ConfigError, UnsupportedOptionError
from modelplug.messages import MessageLike
from modelplug.request import ModelRequest

__all__ = ["REFUSALS", "TOOL", "Turns", "refuses", "said_by", "support", "wish"]

Turns: TypeAlias = Sequence[tuple[str, str]]
"""Role and text of each message."""

REFUSALS = (BadRequestError, ConfigError)
"""What a value out of range is refused with; an UnsupportedOptionError is a ConfigError."""

TOOL: Mapping[str, object] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "what the sky does",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "enum": ["Köln", "北京"]}},
            "required": ["place"],
        },
    },
}
"""A tool to be offered."""


def wish(**fields: object) -> ModelRequest:
    """A question that asks for something besides, or other messages."""
    return ModelRequest(messages="hi").copy(**fields)


def said_by(turns: Turns) -> list[MessageLike]:
    """Messages of these turns."""
    return [{"role": role, "content": text} for role, text in turns]


def support(lab: Lab, capability: str) -> Support:
    """How the model that is checked has a capability."""
    with lab.made() as client:
        return client.capabilities(lab.harness.model or client.default_model)[capability]


def refuses(what: str, **fields: object) -> Callable[[Lab], None]:
    """The twin of a check of something: where that isn't claimed, a wish for it is refused."""

    def refused(lab: Lab) -> None:
        lab.refused(wish(**fields), UnsupportedOptionError, what=f"{what}, not claimed")

    return refused
