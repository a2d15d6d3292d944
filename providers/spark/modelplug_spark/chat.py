"""``parameter.chat`` of a request: which model, in which ranges, with which of its extras.

Section 3.2 of the protocol notes (D-Web, D-X1HTTP, D-Android, D-MaaS-WS).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from msgspec import UNSET, UnsetType

from modelplug import Call, ModelRequest
from modelplug_spark.frames import Chat, ChatTool, Thinking, WebSearch
from modelplug_spark.options import SparkOptions
from modelplug_spark.sparkmodel import Range, SparkModel

__all__ = ["chat"]

NumberT = TypeVar("NumberT", int, float)

_Asked: TypeAlias = tuple[ModelRequest, SparkModel, Call]


def chat(request: ModelRequest, model: SparkModel, *, options: SparkOptions, call: Call) -> Chat:
    """The parameters of a request for a model.

    Raises:
        UnsupportedOptionError: one is out of its range, or the model doesn't have it.
    """
    asked = (request, model, call)
    return Chat(
        domain=model.domain,
        temperature=_within("temperature", request.temperature, model.temperature, asked),
        top_k=_within("top_k", request.top_k, model.top_k, asked),
        top_p=_within("top_p", request.top_p, model.top_p, asked),
        max_tokens=_within("max_new_tokens", request.max_new_tokens, model.max_tokens, asked),
        presence_penalty=_within(
            "presence_penalty", request.presence_penalty, model.presence_penalty, asked
        ),
        frequency_penalty=_within(
            "frequency_penalty", request.frequency_penalty, model.frequency_penalty, asked
        ),
        chat_id=options.chat_id or UNSET,
        auditing=options.auditing or UNSET,
        thinking=_thinking(options, asked),
        tools=_search(options, asked),
        search_disable=_switch(options, asked),
    )


def _within(
    name: str, value: NumberT | None, allowed: Range | None, asked: _Asked
) -> NumberT | UnsetType:
    """``value`` if it may be sent, else nothing.

    Raises:
        UnsupportedOptionError: it is out of range; it says what the range is.
    """
    if value is None:
        return UNSET
    request, model, call = asked
    if allowed is None:
        call.leave_out(request, f"{model.name} has no {name}", hint="leave it out")
    elif value in allowed and not isinstance(value, bool):
        return value
    else:
        told = f"{name} {value!r} is outside {allowed}, the range of {model.name}"
        call.leave_out(request, told, hint=f"give one in {allowed}, or leave it out")
    return UNSET


def _thinking(options: SparkOptions, asked: _Asked) -> Thinking | UnsetType:
    """The contract's ``reasoning``, which goes before the option of our own.

    The service knows on, off and its own choice, and no degrees: ``"none"``, or a mapping whose
    ``effort`` is that, is off; every other word or mapping is on (D-X1HTTP).
    """
    request, model, call = asked
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
    call.leave_out(
        request,
        f"{model.name} can't be told whether to think",
        hint="leave thinking and reasoning out, or ask spark-x or x2",
    )
    return UNSET


def _search(options: SparkOptions, asked: _Asked) -> list[ChatTool] | UnsetType:
    """A search where the model has one; to switch off what isn't there is no fault."""
    request, model, call = asked
    if options.search is None or model.search == "switch":
        return UNSET
    if model.search == "none":
        if options.search:
            call.leave_out(
                request,
                f"{model.name} has no web search",
                hint="leave search out, or ask generalv3.5, 4.0Ultra or spark-x",
            )
        return UNSET
    if options.search is False:
        return [ChatTool(type="web_search", web_search=WebSearch(enable=False))]
    has_sources = options.show_sources and model.search == "sources"
    if options.show_sources and not has_sources:
        call.leave_out(
            request,
            f"{model.name} doesn't name the sources of its search",
            hint="leave show_sources out, or ask generalv3.5, 4.0Ultra or spark-x",
        )
    mode = "normal" if options.search is True else options.search
    search = WebSearch(enable=True, show_ref_label=has_sources, search_mode=mode)
    return [ChatTool(type="web_search", web_search=search)]


def _switch(options: SparkOptions, asked: _Asked) -> bool | UnsetType:
    """What a hosted model has for a search: it is off, or on and no more (D-MaaS-WS)."""
    request, model, call = asked
    if options.search is None or model.search != "switch":
        return UNSET
    if options.search and (options.search == "deep" or options.show_sources):
        call.leave_out(
            request,
            f"{model.name} has no other search than a plain one",
            hint="say search=true, without show_sources",
        )
    return not options.search
