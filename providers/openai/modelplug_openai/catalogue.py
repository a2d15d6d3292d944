"""A service's own list of its models.

OpenAI's shape is ``{"data": [{"id": ...}]}``
(https://platform.openai.com/docs/api-reference/models/list); Together sends the list alone
(https://docs.together.ai/reference/models-1). Some tell the context: OpenRouter and Mistral as
``context_length`` and ``max_context_length`` (https://openrouter.ai/docs/api-reference/list-available-models,
https://docs.mistral.ai/api/), vLLM as ``max_model_len``
(https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/protocol.py), Groq as
``context_window`` (https://console.groq.com/docs/models).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from modelplug import DecodeError, ProtocolError, SchemaError
from modelplug_openai.remarks import plain

__all__ = ["models_in"]

_CONTEXT = ("context_length", "max_context_length", "max_model_len", "context_window")

_NAME_LIMIT = 256
"""Characters of a model's name; the longest, of Fireworks' own, have about 80."""


def models_in(body: bytes, scrub: Callable[[str], str]) -> dict[str, int | None] | ProtocolError:
    """The names in a list of models, in its order, with their tokens of context where it tells.

    Where the body is no such list, that error is given, and not raised: the frames here hold
    the body, which may repeat what it answers, key and all. A name that isn't plain text is
    left out: nobody could ask for it.

    Args:
        body: all of it.
        scrub: takes secrets out; a name that has one is no name either.
    """
    try:
        found: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return DecodeError("the service's list of models isn't JSON")
    listed = found.get("data") if isinstance(found, Mapping) else found
    if not isinstance(listed, list):
        return SchemaError("the service's list of models is none")
    return {name: _context(each) for each in listed if (name := _name(each, scrub))}


def _name(entry: object, scrub: Callable[[str], str]) -> str | None:
    name = entry.get("id") if isinstance(entry, Mapping) else None
    is_plain = isinstance(name, str) and name == plain(name, scrub, limit=_NAME_LIMIT)
    return name if is_plain else None


def _context(entry: Mapping[str, object]) -> int | None:
    numbers = (entry.get(name) for name in _CONTEXT)
    return next((n for n in numbers if type(n) is int and n > 0), None)
