"""A request as the service reads it: typed, with what is wrong with it.

The ranges are OpenAI's (https://platform.openai.com/docs/api-reference/chat/create).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from modelplug_openai.codec import FAILURES, Failure

__all__ = ["Asked", "Function", "Tool", "Turn", "inquiry", "tokens"]

_STOPS = 4
"""Texts of ``stop`` at the most."""


class Part(Struct):
    """A part of a content."""

    type: str
    text: str | None = None


class Called(Struct):
    """The function of a call."""

    name: str
    arguments: str


class Call(Struct):
    """What a model has called."""

    id: str
    function: Called
    type: Literal["function"]


class Turn(Struct):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """What is said in it."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class Function(Struct):
    """A function that may be called."""

    name: str
    parameters: dict[str, object] = {}


class Tool(Struct):
    """A tool that is offered."""

    type: Literal["function"]
    function: Function


class Schema(Struct):
    """What an answer in JSON is to look like."""

    name: str
    schema: dict[str, object] = {}


class Format(Struct):
    """What an answer is to be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


class Options(Struct):
    """Of a stream."""

    include_usage: bool = False


class Asked(Struct):
    """A request; what the service takes no notice of isn't in it."""

    model: str
    messages: list[Turn]
    stream: bool = False
    stream_options: Options | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: object = None
    response_format: Format | None = None
    reasoning_effort: str | None = None

    @property
    def limit(self) -> int | None:
        """Tokens of the answer at the most."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """The texts that end the answer; an empty one is in every answer, and ends none."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in stops if text]


_decode = msgspec.json.Decoder(Asked).decode


def inquiry(body: bytes) -> Asked | Failure:
    """The request in a body, or what is wrong with that."""
    try:
        asked = _decode(body)
    except (ValueError, RecursionError) as error:
        wrong = msgspec.ValidationError
        return _bad(str(error) if isinstance(error, wrong) else "We could not parse the JSON body.")
    return next(_faults(asked), asked)


def _faults(asked: Asked) -> Iterator[Failure]:
    if not asked.messages:
        yield _bad("[] is too short - 'messages'", "messages")
    if asked.n not in (None, 1):
        yield _bad("Only one answer is given here.", "n")
    ranges = (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("frequency_penalty", -2, 2),
    )
    for name, least, most in ranges:
        value = getattr(asked, name)
        if value is not None and not least <= value <= most:
            yield _bad(f"{value} is not between {least} and {most} - '{name}'", name)
    for name in ("max_tokens", "max_completion_tokens"):
        value = getattr(asked, name)
        if value is not None and value < 1:
            yield _bad(f"{value} is less than the minimum of 1 - '{name}'", name)
    if len(asked.stops) > _STOPS:
        yield _bad(f"too many texts - 'stop' has {_STOPS} at the most", "stop")
    if asked.stream_options and not asked.stream:
        yield _bad("'stream_options' is for streams only", "stream_options")
    yield from _unmatched(asked.messages)


def _unmatched(turns: list[Turn]) -> Iterator[Failure]:
    """Results that answer no call, and calls without a result: the service refuses both."""
    waiting: set[str] = set()
    for turn in turns:
        if turn.role == "tool":
            if turn.tool_call_id not in waiting:
                told = "messages with role 'tool' must be a response to a preceding 'tool_calls'"
                yield _bad(told, "messages")
            waiting.discard(turn.tool_call_id or "")
        elif waiting:
            yield _bad("'tool_calls' must be followed by messages for each 'id'", "messages")
        waiting |= {call.id for call in turn.tool_calls or ()}


def _bad(message: str, param: str | None = None) -> Failure:
    usual = FAILURES["bad_request"]
    return Failure(usual.status, usual.code, usual.type, message, param=param)


def tokens(*texts: str) -> int:
    """About how many tokens some texts have: one for four bytes, and at least one for a text."""
    return sum(-(-len(text.encode()) // 4) for text in texts)
