"""What an answer cost, in the spellings of the services.

``prompt_tokens``, ``completion_tokens``, ``total_tokens`` and their ``_details`` are OpenAI's
(https://platform.openai.com/docs/api-reference/chat/object); DeepSeek's
``prompt_cache_hit_tokens`` (https://api-docs.deepseek.com/guides/kv_cache), Moonshot's
``cached_tokens`` and SGLang's ``reasoning_tokens`` stand beside the counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TypeGuard

from modelplug import Usage
from modelplug_openai.remarks import plain

__all__ = ["usage_of"]

_DEPTH = 3
"""Records within records that are kept."""

_FIELDS, _NAME_LIMIT = 64, 64
"""Fields of a record that are kept, and characters of their names; real ones have about 30."""


def usage_of(record: Mapping[str, object], scrub: Callable[[str], str]) -> Usage | None:
    """The counts of a record; None where they are no counts.

    Args:
        record: as the service sent it.
        scrub: takes secrets out of the names of its fields.
    """
    prompt, completion = record.get("prompt_tokens"), record.get("completion_tokens")
    total = record.get("total_tokens")
    if not (_is_count(prompt) and _is_count(completion) and (total is None or _is_count(total))):
        return None
    thought = _within(record, "completion_tokens_details", "reasoning_tokens")
    cached = _within(record, "prompt_tokens_details", "cached_tokens")
    if cached is None:
        cached = _count(record.get("prompt_cache_hit_tokens"))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        reasoning_tokens=thought,
        cached_tokens=cached,
        raw=_numbers(record, scrub),
    )


def _within(record: Mapping[str, object], details: str, name: str) -> int | None:
    """A count from the details, else from beside them."""
    inner = record.get(details)
    found = _count(inner.get(name)) if isinstance(inner, Mapping) else None
    return _count(record.get(name)) if found is None else found


def _numbers(
    record: Mapping[str, object], scrub: Callable[[str], str], depth: int = 1
) -> dict[str, object]:
    """What is a number in a record: nothing that could repeat what was sent."""
    kept: dict[str, object] = {}
    for said, value in islice(record.items(), _FIELDS):
        name = plain(said, scrub, limit=_NAME_LIMIT)
        if isinstance(value, Mapping) and depth < _DEPTH:
            kept[name] = _numbers(value, scrub, depth + 1)
        elif type(value) is int or (type(value) is float and math.isfinite(value)):
            kept[name] = value
    return kept


def _count(value: object) -> int | None:
    return value if _is_count(value) else None


def _is_count(value: object) -> TypeGuard[int]:
    # Not isinstance: True is an int to Python, and no number of tokens.
    return type(value) is int and 0 <= value < 2**53  # above, it is no count of anything
