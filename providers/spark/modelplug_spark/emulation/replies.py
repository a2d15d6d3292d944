"""What the emulated service says to a request: text, and what goes with it.

A model that thinks does so first, one that was given a function whose name is in the question
calls it, one that is to name its sources makes one up, and one that is asked about an image
tells its size (sections 3.2 to 3.4, 4.1 to 4.3 of the protocol notes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import msgspec
from msgspec import UNSET

from modelplug_spark.emulation.answers import compose, cut
from modelplug_spark.emulation.ranges import given
from modelplug_spark.frames import FunctionCall, Request, Turn, WebSearch
from modelplug_spark.images import image_data
from modelplug_spark.sparkmodel import SparkModel
from modelplug_spark.tokens import tokens

__all__ = ["Reply", "reply"]

_SOURCE = "https://spark.example/"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is cut into frames.

    Attributes:
        text: the answer; empty where a function is called instead.
        usage: the counts of the last frame; ``total_tokens`` is what is billed (section 4.1).
        thinking: what comes before the text.
        call: the function to be called.
        sources: what a search found.
    """

    text: str
    usage: Mapping[str, int]
    _: KW_ONLY
    thinking: str = ""
    call: FunctionCall | None = None
    sources: Sequence[Mapping[str, object]] = ()


def reply(request: Request, model: SparkModel) -> Reply:
    """The answer to a request that is right."""
    turns = request.payload.message.text
    question = turns[-1].content or ""
    search = _search(request, model)
    call = _call(request, model, question)
    if call is not None:
        return Reply("", _usage(turns, "", search), call=call)
    thinking, text = _cut(request, _thought(request, model, question), _said(request, model))
    labelled = search is not None and search.show_ref_label is True and model.search == "sources"
    sources = _sources(question) if labelled else []
    usage = _usage(turns, thinking + text, search)
    return Reply(text, usage, thinking=thinking, sources=sources)


def _said(request: Request, model: SparkModel) -> str:
    settings = given(request.parameter.chat)
    turns = request.payload.message.text
    said = compose(_spoken(turns), product=model.product, domain=model.domain, settings=settings)
    images = [turn.content or "" for turn in turns if turn.content_type == "image"]
    sizes = [len(image_data(image) or b"") for image in images]
    return "".join([*(f"The image has {size} bytes. " for size in sizes), said])


def _thought(request: Request, model: SparkModel, question: str) -> str:
    thinking = request.parameter.chat.thinking
    if not model.thinking or (thinking and thinking.type == "disabled"):
        return ""
    return f"Somebody asks “{question[:200]}”; nobody thinks here, but an answer is due."


def _cut(request: Request, thinking: str, text: str) -> tuple[str, str]:
    """Both within ``max_tokens``: thinking is paid for as well."""
    limit = request.parameter.chat.max_tokens
    if limit is UNSET:
        return thinking, text
    if thinking and tokens(thinking) >= limit:
        return cut(thinking, limit), ""
    return thinking, cut(text, limit - tokens(thinking))


def _call(request: Request, model: SparkModel, question: str) -> FunctionCall | None:
    """A call of the first function whose name is in the question. No bare schema, no call (C)."""
    if model.functions == "none" or not request.payload.functions:
        return None
    for function in request.payload.functions.text:
        name = function.get("name")
        if isinstance(name, str) and name and name in question:
            arguments = _arguments(function.get("parameters"), question)
            return FunctionCall(name, msgspec.json.encode(arguments).decode())
    return None


def _arguments(parameters: object, question: str) -> Mapping[str, object]:
    """A value for each required property, by its type: texts are the question."""
    if not isinstance(parameters, dict) or not isinstance(parameters.get("required"), list):
        return {}
    known = parameters.get("properties")
    made: dict[str, object] = {}
    for name in map(str, parameters["required"]):
        schema = known.get(name) if isinstance(known, dict) else None
        kind = schema.get("type") if isinstance(schema, dict) else None
        made[name] = _BY_TYPE.get(str(kind), question)
    return made


_BY_TYPE: Mapping[str, object] = {
    "integer": 1,
    "number": 1,
    "boolean": True,
    "array": (),
    "object": {},
    "null": None,
}


def _search(request: Request, model: SparkModel) -> WebSearch | None:
    """The search that is switched on, which it is unless somebody says no (D-Web; section 3.2)."""
    if model.search not in ("sources", "plain"):
        return None
    for tool in request.parameter.chat.tools or ():
        if tool.type == "web_search" and tool.web_search and tool.web_search.enable is not False:
            return tool.web_search
    return None


def _sources(question: str) -> list[Mapping[str, object]]:
    return [
        {"index": number, "url": f"{_SOURCE}{number}", "title": f"{number}: {question[:60]}"}
        for number in (1, 2)
    ]


def _usage(turns: Sequence[Turn], answer: str, search: WebSearch | None) -> Mapping[str, int]:
    """The counts (section 4.1). A deep search has one of its own (section 3.2)."""
    texts = [turn.content or "" for turn in _spoken(turns)]
    prompt, completion = tokens(*texts), tokens(answer)
    counts = {
        "question_tokens": tokens(texts[-1]),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if search and search.search_mode == "deep":
        counts["search_prompt"] = tokens(texts[-1])
    return counts


def _spoken(turns: Sequence[Turn]) -> list[Turn]:
    return [turn for turn in turns if turn.content_type != "image"]
