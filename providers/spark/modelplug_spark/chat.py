"""``parameter.chat`` of a request: which model, in which ranges, with which of its extras.

Section 3.2 of the protocol notes (D-Web, D-X1HTTP, D-Android, D-MaaS-WS).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from modelplug import ModelRequest
from modelplug_spark.frames import Chat, ChatTool, Thinking, WebSearch
from modelplug_spark.options import SparkOptions
from modelplug_spark.policy import Policy
from modelplug_spark.sparkmodel import SparkModel

__all__ = ["chat"]


def chat(
    request: ModelRequest, model: SparkModel, *, options: SparkOptions, policy: Policy
) -> Chat:
    """The parameters of a request for a model.

    Raises:
        UnsupportedOptionError: one is out of its range, or the model doesn't have it.
    """
    name = model.name
    return Chat(
        domain=model.domain,
        temperature=policy.within(
            "temperature", request.temperature, model.temperature, model=name
        ),
        top_k=policy.within("top_k", request.top_k, model.top_k, model=name),
        top_p=policy.within("top_p", request.top_p, model.top_p, model=name),
        max_tokens=policy.within(
            "max_new_tokens", request.max_new_tokens, model.max_tokens, model=name
        ),
        presence_penalty=policy.within(
            "presence_penalty", request.presence_penalty, model.presence_penalty, model=name
        ),
        frequency_penalty=policy.within(
            "frequency_penalty", request.frequency_penalty, model.frequency_penalty, model=name
        ),
        chat_id=options.chat_id or UNSET,
        auditing=options.auditing or UNSET,
        thinking=_thinking(request, model, options=options, policy=policy),
        tools=_search(model, options, policy),
        search_disable=_switch(model, options, policy),
    )


def _thinking(
    request: ModelRequest, model: SparkModel, *, options: SparkOptions, policy: Policy
) -> Thinking | UnsetType:
    """The contract's ``reasoning``, which goes before the option of our own.

    The service knows on, off and its own choice, and no degrees: ``"none"``, or a mapping whose
    ``effort`` is that, is off; every other word or mapping is on (D-X1HTTP).
    """
    wanted: str | None = options.thinking
    if request.reasoning:
        effort: object = request.reasoning
        if isinstance(effort, Mapping):
            effort = effort.get("effort")
        wanted = "disabled" if effort == "none" else "enabled"
    if wanted is None:
        return UNSET
    if model.thinking:
        return Thinking(type=wanted)
    policy.refuse(
        f"{model.name} can't be told whether to think",
        hint="leave thinking and reasoning out, or ask spark-x or x2",
    )
    return UNSET


def _search(model: SparkModel, options: SparkOptions, policy: Policy) -> list[ChatTool] | UnsetType:
    """A search where the model has one; to switch off what isn't there is no fault."""
    if options.search is None or model.search == "switch":
        return UNSET
    if model.search == "none":
        if options.search:
            policy.refuse(
                f"{model.name} has no web search",
                hint="leave search out, or ask generalv3.5, 4.0Ultra or spark-x",
            )
        return UNSET
    if options.search is False:
        return [ChatTool(type="web_search", web_search=WebSearch(enable=False))]
    has_sources = options.show_sources and model.search == "sources"
    if options.show_sources and not has_sources:
        policy.refuse(
            f"{model.name} doesn't name the sources of its search",
            hint="leave show_sources out, or ask generalv3.5, 4.0Ultra or spark-x",
        )
    mode = "normal" if options.search is True else options.search
    search = WebSearch(enable=True, show_ref_label=has_sources, search_mode=mode)
    return [ChatTool(type="web_search", web_search=search)]


def _switch(model: SparkModel, options: SparkOptions, policy: Policy) -> bool | UnsetType:
    """What a hosted model has for a search: it is off, or on and no more (D-MaaS-WS)."""
    if options.search is None or model.search != "switch":
        return UNSET
    if options.search and (options.search == "deep" or options.show_sources):
        policy.refuse(
            f"{model.name} has no other search than a plain one",
            hint="say search=true, without show_sources",
        )
    return not options.search
