"""What a model is: where it is asked, under which name, and what it takes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from modelplug import Capabilities, ModelMetadata

__all__ = ["NATIVE", "UNSUPPORTED", "Level", "Range", "SparkModel"]

Level: TypeAlias = Literal["native", "disputed", "none"]
"""``native`` if the documentation says so, ``none`` if nobody does, and ``disputed`` where it
says no, or nothing, and the official Java SDK says yes (section 1.1 of the protocol notes)."""

NATIVE = ("streaming", "usage", "temperature", "max_new_tokens", "top_k")
"""What every model takes."""

UNSUPPORTED = ("seed", "stop", "stop_token_ids", "response_format", "echo", "tool_role")
"""What no model takes: section 3.2 lists every parameter of the WebSocket form, section 3.3
every role (D-Web, D-MaaS-WS)."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a parameter may have, as the documentation writes them: ``[1,6]``, ``(0,1]``.

    Attributes:
        low, high: the bounds.
        above_low: whether ``low`` itself is outside.
    """

    low: float
    high: float
    _: KW_ONLY
    above_low: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether ``value`` is allowed; NaN never is."""
        return self.low <= value <= self.high and not (self.above_low and value == self.low)

    def __str__(self) -> str:
        """With a round bracket where a bound is outside."""
        return f"{'(' if self.above_low else '['}{self.low:g},{self.high:g}]"


@dataclass(frozen=True, kw_only=True)  # without slots: what is derived once is kept in it
class SparkModel:
    """One model.

    Attributes:
        name: what requests call it; the same as its domain where the documentation has no other.
        product: what the console calls it.
        url: where it is asked.
        domain: its name on the wire. Path and domain belong together: a wrong pair is refused
            with 10003, 10004 or 11200 (L-Cow2252, C-10004, L-Cow1740; section 0.5).
        context_length: tokens that the contents of a request may have together.
        max_tokens, temperature, top_k: the ranges of section 3.2.
        top_p, presence_penalty, frequency_penalty: the same; None where the model has no such
            parameter: they came with X1 (D-X1HTTP, S-Java).
        aliases: other names that are understood, for people who think in versions.
        system_role: whether it takes a system message.
        functions: whether it calls functions.
        thinking: whether it thinks before it answers, and can be told not to (section 3.2).
        search: whether it looks things up, and can name the pages where it did (section 4.3);
            ``switch`` for a hosted model's, which is on or off and no more (section 3.2).
        images: whether it is for questions about an image, and only those (section 3.4).
    """

    name: str
    product: str
    url: str
    domain: str
    context_length: int
    max_tokens: Range
    temperature: Range = Range(0, 1, above_low=True)
    top_k: Range = Range(1, 6)
    top_p: Range | None = None
    presence_penalty: Range | None = None
    frequency_penalty: Range | None = None
    aliases: tuple[str, ...] = ()
    system_role: Level = "native"
    functions: Level = "none"
    thinking: bool = False
    search: Literal["sources", "plain", "switch", "none"] = "none"
    images: bool = False

    @property
    def path(self) -> str:
        """The path of its URL: what a signature covers."""
        return urlsplit(self.url).path

    @cached_property
    def capabilities(self) -> Capabilities:
        """What this plugin can do with the model. What is disputed is not relied upon."""
        has = {
            "system_role": self.system_role == "native",
            "top_p": self.top_p is not None,
            "presence_penalty": self.presence_penalty is not None,
            "frequency_penalty": self.frequency_penalty is not None,
            "reasoning": self.thinking,
            "tools": self.functions == "native",
            "tool_choice": self.functions == "native",
            "images": self.images,
        }
        lacking = {name for name, there in has.items() if not there} - {"system_role"}
        return Capabilities(
            native=(*NATIVE, *(name for name, there in has.items() if there)),
            emulated=() if has["system_role"] else ("system_role",),
            unsupported=(*UNSUPPORTED, *lacking),
        )

    @cached_property
    def metadata(self) -> ModelMetadata:
        """The model, as listings show it."""
        return ModelMetadata(
            model=self.name,
            context_length=self.context_length,
            capabilities=self.capabilities,
            ext_metadata=MappingProxyType(  # shared by all that ask
                {
                    "product": self.product,
                    "domain": self.domain,
                    "aliases": self.aliases,
                    "max_tokens": int(self.max_tokens.high),
                }
            ),
        )
