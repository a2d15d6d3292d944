"""The models, one row each, and how a name leads to one.

Facts cite their source by the keys of the project's protocol notes (section 10 there): the
addresses, domains, context lengths and ranges are D-Web's and S-Java's table (section 1.1).
Where the documentation changed over time, the newest value stands here. Left out on purpose are
V2.0 (``generalv2``, retired from the documentation), ``iflycode.ge`` (internal, never
documented) and X2-Flash (seen over HTTP only).
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache

from modelplug import Capabilities, ModelNotFoundError
from modelplug_spark.sparkmodel import NATIVE, UNSUPPORTED, Range, SparkModel

__all__ = [
    "COMMON",
    "DEFAULT",
    "MODELS",
    "Range",
    "SparkModel",
    "find",
    "hosted",
    "placed",
    "with_base",
]

DEFAULT = "generalv3.5"

_HOST = "wss://spark-api.xf-yun.com"
_4K, _8K, _32K, _64K, _128K = (kilo * 1024 for kilo in (4, 8, 32, 64, 128))

_X15 = SparkModel(
    name="spark-x",
    product="Spark X1.5",
    url=f"{_HOST}/v1/x1",
    domain="spark-x",
    context_length=_64K,
    max_tokens=Range(1, 65_535),  # D-X1HTTP 2025-11-03
    temperature=Range(0, 2, above_low=True),
    top_p=Range(0, 1, above_low=True),
    # As documented (D-X1HTTP 2025-11-03); the Java SDK's comment has [-2,10] for both.
    presence_penalty=Range(0, 3),
    frequency_penalty=Range(0, 1),
    aliases=("x1.5",),
    system_role="disputed",  # the roles that are listed are user, assistant and tool
    functions="native",
    thinking=True,
    search="sources",
)

_IMAGE = SparkModel(
    name="image",
    product="Spark image understanding (basic)",
    url="wss://spark-api.cn-huabei-1.xf-yun.com/v2.1/image",
    domain="general",
    context_length=_8K,  # with the image (S-Java imgunderstandapi.md)
    max_tokens=Range(1, _8K),
    system_role="none",
    images=True,
)

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
        functions="disputed",
        search="plain",  # the list of sources is Max's and Ultra's (D-Web newest)
    ),
    SparkModel(
        name="pro-128k",
        product="Spark Pro-128K",
        url=f"{_HOST}/chat/pro-128k",
        domain="pro-128k",
        context_length=_128K,
        max_tokens=Range(1, _4K),
        system_role="disputed",
        functions="disputed",
    ),
    SparkModel(
        name="generalv3.5",
        product="Spark Max",
        url=f"{_HOST}/v3.5/chat",
        domain="generalv3.5",
        context_length=_8K,
        max_tokens=Range(1, _8K),
        aliases=("v3.5", "max"),
        functions="native",
        search="sources",
    ),
    SparkModel(
        name="max-32k",
        product="Spark Max-32K",
        url=f"{_HOST}/chat/max-32k",
        domain="max-32k",
        context_length=_32K,
        max_tokens=Range(1, _8K),
        functions="disputed",
    ),
    SparkModel(
        name="4.0Ultra",
        product="Spark 4.0 Ultra",
        url=f"{_HOST}/v4.0/chat",
        domain="4.0Ultra",  # with this capital U; "spark-ultra" gives 10004 (C-10004)
        context_length=_32K,  # 8192 until it was upgraded to X1.5 in 2026 (D-Web newest)
        max_tokens=Range(1, _32K),
        aliases=("v4", "v4.0", "ultra"),
        functions="native",
        search="sources",
    ),
    # Routed to X1.5 by now (D-X1HTTP), so it takes what that takes, but for the length of the
    # answer, which was never documented otherwise under this name (D-X1WS).
    replace(
        _X15, name="x1", product="Spark X1", domain="x1", max_tokens=Range(1, _32K), aliases=()
    ),
    _X15,
    # Its WebSocket form is known by its address, its domain and thinking (D-Android); lengths,
    # functions and search are from clients' code (C; section 11.7), ranges X1.5's for want of own.
    replace(
        _X15,
        name="x2",
        product="Spark X2",
        url=f"{_HOST}/x2",
        context_length=192_000,
        max_tokens=Range(1, 192_000),
        aliases=("spark-x2",),
    ),
    SparkModel(
        name="kjwx",
        product="Spark science literature",
        url="wss://spark-openapi-n.cn-huabei-1.xf-yun.com/v1.1/chat_kjwx",
        domain="kjwx",
        context_length=_8K,
        max_tokens=Range(1, _4K),  # not stated: Lite's (section 1.1)
        system_role="none",
    ),
    SparkModel(
        name="multilang",
        product="Spark multilingual",
        url="wss://spark-api-n.xf-yun.com/v1.1/chat_multilang",
        domain="multilang",
        context_length=_8K,  # neither length is documented: Lite's (G)
        max_tokens=Range(1, _4K),
        system_role="none",
    ),
    _IMAGE,
    replace(
        _IMAGE,
        name="imagev3",
        product="Spark image understanding (advanced)",
        domain="imagev3",
    ),
)

COMMON = Capabilities(native=NATIVE, emulated=("system_role",), unsupported=UNSUPPORTED)
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
        hint=f"{meant}known are {', '.join(model.name for model in MODELS)}; "
        "for a hosted or fine-tuned one configure api_base, a full URL, and domain",
    )


def hosted(name: str, *, url: str, domain: str) -> SparkModel:
    """A model of the MaaS platform, fine-tuned or a third party's (D-MaaS-WS; section 1.1).

    Its functions are HTTP's alone, and of its search there is a switch. That prompt and answer
    share 32767 tokens is left to the service, which counts them.
    """
    return SparkModel(
        name=name,
        product="Spark MaaS",
        url=url,
        domain=domain,
        context_length=_8K,
        max_tokens=Range(1, _32K),
        temperature=Range(0, 1),
        search="switch",
    )


@lru_cache(maxsize=64)  # asked for three times a request, and nearly always the same
def placed(name: str, *, api_base: str | None = None, domain: str | None = None) -> SparkModel:
    """The model called ``name`` where a configuration puts it.

    Args:
        name: as for ``find``; any name where both of the others say enough.
        api_base: see ``with_base``.
        domain: its name on the wire, where it isn't the table's.

    Raises:
        ModelNotFoundError: it isn't in the table, and there is no full URL or no domain.
    """
    if name.casefold() not in _BY_NAME and domain and api_base and not _is_origin(api_base):
        return hosted(name, url=api_base.strip(), domain=domain)
    model = find(name)
    if domain:
        model = replace(model, domain=domain)
    return with_base(model, api_base) if api_base else model


def with_base(model: SparkModel, api_base: str) -> SparkModel:
    """The same model at another address; it keeps its domain, which is a fact about the model.

    Args:
        model: any model.
        api_base: a full URL, or an origin such as ``ws://127.0.0.1:8080`` to which the model's
            path is added.
    """
    base = api_base.strip()
    url = base.rstrip("/") + model.path if _is_origin(base) else base
    return replace(model, url=url)


def _is_origin(base: str) -> bool:
    return "/" not in base.strip().rstrip("/").partition("://")[2]
