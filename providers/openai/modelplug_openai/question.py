"""A request of the contract as the body of a chat completion.

https://platform.openai.com/docs/api-reference/chat/create, in the preset's spelling. What a
backend's capabilities don't have never comes here: the core has refused it, or left it out. What
is left to decide is what only this wire knows, by the same policy.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modelplug import BadRequestError, Call, ModelMessage, ModelRequest, UnsupportedOptionError
from modelplug_openai.options import OpenAIOptions
from modelplug_openai.parts import content_of
from modelplug_openai.plainjson import plain
from modelplug_openai.preset import Preset
from modelplug_openai.reasoning import reasoning_of
from modelplug_openai.tools import choice_of, tools_of

__all__ = ["question"]

_encode = msgspec.json.Encoder().encode

_PARAMETERS = (
    *("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"),
    *("stop_token_ids", "echo"),
)
"""Fields of a request that go out as they are, under their own names or the preset's."""

_OPTIONS = (
    *("user", "service_tier", "parallel_tool_calls", "logprobs", "top_logprobs", "logit_bias"),
    "verbosity",
)
"""Options that go out as they are."""


def question(
    request: ModelRequest,
    preset: Preset,
    *,
    model: str,
    options: OpenAIOptions,
    call: Call,
) -> bytes:
    """The body of the one request of a call, as JSON.

    Args:
        request: with converted messages.
        preset: what is particular to the service.
        model: which is asked.
        options: the backend's own.
        call: is told of what was left out, where the request wants a warning for it.

    Raises:
        UnsupportedOptionError: a role, a part or a parameter that can't be sent, or an extra
            field of the body that would replace one of the contract's.
        BadRequestError: a tool, a part or a text that can't be one.
    """
    body = _body(request, preset, model=model, options=options, call=call)
    try:
        return _encode(body)
    except UnicodeEncodeError:
        pass
    raise BadRequestError(
        "a text of the request has half a surrogate pair, which can't be sent",
        sent="no",
        hint="decode the text with errors='replace' where it comes from",
    )


def _body(
    request: ModelRequest,
    preset: Preset,
    *,
    model: str,
    options: OpenAIOptions,
    call: Call,
) -> dict[str, object]:
    """The same before it is encoded. None is never in it, but where a caller's own JSON has it."""
    body: dict[str, object] = {"model": model}
    body["messages"] = [
        _message(message, preset, f"messages[{number}]")
        for number, message in enumerate(request.messages)
    ]
    body |= _streaming(preset, options)
    body |= _parameters(request, preset, options)
    body |= _tools(request)
    if request.response_format:
        body["response_format"] = plain(request.response_format, "response_format")
    body |= reasoning_of(request, preset, call)
    said = ((name, getattr(options, name)) for name in _OPTIONS)
    body |= {name: plain(value, name) for name, value in said if value is not None}
    body = {**preset.body, **body}
    return body | _extra(options.extra_body, body)


def _message(message: ModelMessage, preset: Preset, where: str) -> dict[str, object]:
    if not message.pass_to_model:
        raise UnsupportedOptionError(f"no message of role {message.role!r} can be sent")
    # An empty content goes out, too: next to tool calls, some services refuse a null or a gap.
    sent = {**message.to_common(), "content": content_of(message.content, f"{where}.content")}
    if preset.echoes_reasoning and message.tool_calls:
        sent["reasoning_content"] = plain(message.reasoning, f"{where}.reasoning")
    return sent


def _streaming(preset: Preset, options: OpenAIOptions) -> dict[str, object]:
    if not options.stream:
        return {"stream": False}
    if (options.usage or preset.usage) == "asked":
        return {"stream": True, "stream_options": {"include_usage": True}}
    return {"stream": True}


def _parameters(request: ModelRequest, preset: Preset, options: OpenAIOptions) -> dict[str, object]:
    """Those that are set. 0 is sent, as is False."""
    given = {name: getattr(request, name) for name in _PARAMETERS}
    given["stop"] = [text for text in request.stop_sequences if text] or None
    for name in ("stop_token_ids", "echo"):  # where they ask for nothing they aren't sent
        given[name] = given[name] or None
    found = {
        preset.fields.get(name, name): _number(name, value)
        for name, value in given.items()
        if value is not None
    }
    if request.max_new_tokens is not None:
        limit = options.limit_field or preset.limit_field
        found[limit] = _number("max_new_tokens", request.max_new_tokens)
    return found


def _number(name: str, value: object) -> object:
    if isinstance(value, bool) and name != "echo":
        raise UnsupportedOptionError(f"{name} is {value!r}, and not a number")
    return plain(value, name)


def _tools(request: ModelRequest) -> dict[str, object]:
    """The tools and the choice among them; a choice among none says nothing."""
    if not request.tools:
        return {}
    tools = tools_of(request.tools)
    if not request.tool_choice:
        return {"tools": tools}
    return {"tools": tools, "tool_choice": choice_of(request.tool_choice, tools)}


def _extra(extra: Mapping[str, object], body: Mapping[str, object]) -> dict[str, object]:
    """Fields that the contract doesn't know, as long as they replace nothing."""
    if taken := sorted(extra.keys() & body.keys()):
        raise UnsupportedOptionError(
            f"extra_body would replace {', '.join(taken)}, which the request says already",
            hint="say it in one place",
        )
    return {**extra}
