"""The models, one row each: where a model is asked, under which name, and what it takes.

Facts cite their source by the keys of the project's protocol notes (section 10 there): the
addresses, domains, context lengths and ranges are D-Web's and S-Java's table (section 1.1).
Where the documentation changed over time, the newest value stands here.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from difflib import get_close_matches
from typing import Literal
from urllib.parse import urlsplit

from modelplug import Capabilities, ModelMetadata, ModelNotFoundError

__all__ = ["COMMON", "DEFAULT", "MODELS", "Range", "SparkModel", "find", "with_base"]

DEFAULT = "generalv3.5"


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


@dataclass(frozen=True, kw_only=True, slots=True)
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
        aliases: other names that are understood, for people who think in versions.
        system_role: ``native`` if the documentation says so, ``none`` if nobody does, and
            ``disputed`` where it says no and the official Java SDK says yes (section 1.1).
    """

    name: str
    product: str
    url: str
    domain: str
    context_length: int
    max_tokens: Range
    temperature: Range = Range(0, 1, above_low=True)
    top_k: Range = Range(1, 6)
    aliases: tuple[str, ...] = ()
    system_role: Literal["native", "disputed", "none"] = "native"

    @property
    def path(self) -> str:
        """The path of its URL: what a signature covers."""
        return urlsplit(self.url).path

    @property
    def capabilities(self) -> Capabilities:
        """What this plugin can do with the model. A disputed system role is not relied upon."""
        native = self.system_role == "native"
        return Capabilities(
            native=_NATIVE + (("system_role",) if native else ()),
            emulated=() if native else ("system_role",),
            unsupported=_UNSUPPORTED,
        )

    @property
    def metadata(self) -> ModelMetadata:
        """The model, as listings show it."""
        return ModelMetadata(
            model=self.name,
            context_length=self.context_length,
            capabilities=self.capabilities,
            ext_metadata={
                "product": self.product,
                "domain": self.domain,
                "aliases": self.aliases,
                "max_tokens": int(self.max_tokens.high),
            },
        )


_NATIVE = ("streaming", "usage", "temperature", "max_new_tokens", "top_k")

# Section 3.2 lists every parameter of the WebSocket form. top_p and the penalties came with X1
# (D-X1HTTP, S-Java); there is no stop, seed or response format, and no role for a tool's result.
_UNSUPPORTED = (
    "top_p",
    "seed",
    "stop",
    "stop_token_ids",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "reasoning",
    "echo",
    "tool_role",
    "images",
)

_HOST = "wss://spark-api.xf-yun.com"
_4K, _8K, _32K, _128K = 4096, 8192, 32 * 1024, 128 * 1024

MODELS = (
    SparkModel(
        name="lite",
        product="Spark Lite",
        url=f"{_HOST}/v1.1/chat",
        domain="lite",  # "general" until October 2024; refused since (L-oneapi1886, section 0.6)
        context_length=_8K,
        max_tokens=Range(1, _4K),
        aliases=("general", "v1.1", "v1.5"),
        system_role="none",
    ),
    SparkModel(
        name="generalv3",
        product="Spark Pro",
        url=f"{_HOST}/v3.1/chat",
        domain="generalv3",
        context_length=_8K,
        max_tokens=Range(1, _8K),
        aliases=("v3", "v3.0", "v3.1", "pro"),
        system_role="disputed",
    ),
    SparkModel(
        name="pro-128k",
        product="Spark Pro-128K",
        url=f"{_HOST}/chat/pro-128k",
        domain="pro-128k",
        context_length=_128K,
        max_tokens=Range(1, _4K),
        system_role="disputed",
    ),
    SparkModel(
        name="generalv3.5",
        product="Spark Max",
        url=f"{_HOST}/v3.5/chat",
        domain="generalv3.5",
        context_length=_8K,
        max_tokens=Range(1, _8K),
        aliases=("v3.5", "max"),
    ),
    SparkModel(
        name="max-32k",
        product="Spark Max-32K",
        url=f"{_HOST}/chat/max-32k",
        domain="max-32k",
        context_length=_32K,
        max_tokens=Range(1, _8K),
    ),
    SparkModel(
        name="4.0Ultra",
        product="Spark 4.0 Ultra",
        url=f"{_HOST}/v4.0/chat",
        domain="4.0Ultra",  # with this capital U; "spark-ultra" gives 10004 (C-10004)
        context_length=_32K,  # 8192 until it was upgraded to X1.5 in 2026 (D-Web newest)
        max_tokens=Range(1, _32K),
        aliases=("v4", "v4.0", "ultra"),
    ),
)

COMMON = Capabilities(native=_NATIVE, emulated=("system_role",), unsupported=_UNSUPPORTED)
"""What holds for every model of the table."""

# casefold, because people write 4.0ultra and Pro-128K; the wire gets the table's own spelling.
_BY_NAME = {
    spelling.casefold(): model for model in MODELS for spelling in (model.name, *model.aliases)
}


def find(name: str) -> SparkModel:
    """The model called ``name``, or known by that alias; case doesn't matter.

    Raises:
        ModelNotFoundError: there is none; it names the nearest, and all.
    """
    model = _BY_NAME.get(name.casefold())
    if model is not None:
        return model
    near = get_close_matches(name.casefold(), _BY_NAME, n=1)
    meant = f"did you mean {_BY_NAME[near[0]].name}? " if near else ""
    raise ModelNotFoundError(
        f"there is no Spark model {name!r}",
        hint=f"{meant}known are {', '.join(model.name for model in MODELS)}",
    )


def with_base(model: SparkModel, api_base: str) -> SparkModel:
    """The same model at another address; it keeps its domain, which is a fact about the model.

    Args:
        model: any model.
        api_base: a full URL, or an origin such as ``ws://127.0.0.1:8080`` to which the model's
            path is added.
    """
    base = api_base.strip()
    origin = base.rstrip("/")
    is_origin = "/" not in origin.partition("://")[2]
    return replace(model, url=origin + model.path if is_origin else base)
