"""What the emulated service says: an answer made from the question, so that input shows.

A model that thinks does so first; one that was offered a function whose name is in the question
calls it; one that is to answer in JSON gives the least that fits the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

import msgspec

from modelplug import Delta, Finish, ToolCallDelta, Usage
from modelplug_openai.emulation.inquiry import Asked, Tool, tokens

__all__ = ["reply"]

_PIECE = re.compile(r"\s*\S+|\s+$")
_THINKERS = ("reason", "think")


def reply(asked: Asked, *, forbidden: tuple[str, ...] = ()) -> list[Delta | Finish]:
    """The pieces of the answer to a request that is right, and its end.

    Args:
        asked: the request.
        forbidden: words that an answer may not have.
    """
    thinking = _thinking(asked)
    called = _called(asked)
    if called is not None:
        calls = [Delta(tool_call=piece) for piece in _call(called, asked)]
        cost = tokens(*(piece.tool_call.arguments for piece in calls if piece.tool_call))
        return [*_thought(thinking), *calls, _end(asked, "tool_calls", cost)]
    pieces = _PIECE.findall(_said(asked))
    reason = "stop"
    limit = asked.limit
    if limit is not None and len(pieces) > limit:
        pieces, reason = pieces[:limit], "length"
    text, stopped = _until("".join(pieces), asked.stops)
    text, filtered = _until(text, list(forbidden))
    reason = "content_filter" if filtered else "stop" if stopped else reason
    said = [Delta(piece) for piece in _PIECE.findall(text)]
    return [*_thought(thinking), *said, _end(asked, reason, len(said) + tokens(thinking), thinking)]


def _said(asked: Asked) -> str:
    question = asked.messages[-1].text
    if asked.response_format and asked.response_format.type != "text":
        schema = asked.response_format.json_schema
        fits = _fitting(schema.schema, question) if schema else {"answer": question}
        return msgspec.json.encode(fits).decode()
    told = f"This is the local stand-in of {asked.model}; no model thinks here. "
    if asked.messages[0].role in ("system", "developer"):
        told += f"The instructions were: “{asked.messages[0].text}”. "
    verb = "The tool said" if asked.messages[-1].role == "tool" else "The question was"
    return f"{told}Messages received: {len(asked.messages)}. {verb}: “{question}”"


def _thinking(asked: Asked) -> str:
    thinks = any(word in asked.model for word in _THINKERS)
    if asked.reasoning_effort == "none" or not (thinks or asked.reasoning_effort):
        return ""
    return f"Somebody asks: “{asked.messages[-1].text}”. I had better say so."


def _thought(thinking: str) -> Iterator[Delta]:
    return (Delta(reasoning=piece) for piece in _PIECE.findall(thinking))


def _called(asked: Asked) -> Tool | None:
    """The function that the question names, or that is to be called in any case."""
    if not asked.tools or asked.tool_choice == "none" or asked.messages[-1].role == "tool":
        return None
    if isinstance(asked.tool_choice, Mapping):
        function = asked.tool_choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        return next((tool for tool in asked.tools if tool.function.name == name), None)
    question = asked.messages[-1].text
    named = [tool for tool in asked.tools if tool.function.name in question]
    if not named and asked.tool_choice == "required":
        named = asked.tools
    return named[0] if named else None


def _call(tool: Tool, asked: Asked) -> Iterator[ToolCallDelta]:
    """A call in pieces: its id and name first, its arguments then."""
    question = asked.messages[-1].text
    digest = sha256(f"{len(asked.messages)} {question}".encode()).hexdigest()
    yield ToolCallDelta(0, id=f"call_{digest[:24]}", name=tool.function.name)
    arguments = msgspec.json.encode(_fitting(tool.function.parameters, question)).decode()
    for at in range(0, len(arguments), 12):
        yield ToolCallDelta(0, arguments=arguments[at : at + 12])


def _fitting(schema: Mapping[str, object], question: str) -> object:
    """The least value that fits a schema; the question where a text is wanted."""
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return options[0]
    kind = schema.get("type", "object")
    if kind == "object":
        properties, required = schema.get("properties"), schema.get("required")
        known = properties if isinstance(properties, Mapping) else {}
        names = required if isinstance(required, list) else list(known)
        of = {name: known.get(name) for name in names if isinstance(name, str)}
        return {
            name: _fitting(each if isinstance(each, Mapping) else {"type": "string"}, question)
            for name, each in of.items()
        }
    return {"integer": 1, "number": 1, "boolean": True, "array": [], "null": None}.get(
        str(kind), question
    )


def _until(text: str, words: list[str]) -> tuple[str, bool]:
    """A text up to the first of some words, and whether there was one."""
    at = min((place for word in words if (place := text.find(word)) >= 0), default=None)
    return (text, False) if at is None else (text[:at], True)


def _end(asked: Asked, reason: str, completion: int, thinking: str = "") -> Finish:
    prompt = tokens(*(turn.text for turn in asked.messages))
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        reasoning_tokens=tokens(thinking) if thinking else None,
    )
    return Finish(reason, usage=usage)  # type: ignore[arg-type]  # one of the words above
