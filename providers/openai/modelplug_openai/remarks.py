"""What a service says beside an answer, or in the place of one, made fit to be kept and shown.

It may repeat what it was sent, key and all, be of any size, and steer a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from modelplug.transport.faults import printable

__all__ = ["cleaned", "plain"]

_TEXT, _FIELDS, _DEPTH = 256, 64, 6
"""Characters of a text, entries of a record or a list, and levels of them that are kept."""


def plain(said: str, scrub: Callable[[str], str], *, limit: int) -> str:
    """What was said: first without secrets, then in one line, and only then cut.

    Args:
        said: all of it, since half a secret isn't known as one.
        scrub: takes secrets out.
        limit: characters.
    """
    return printable(scrub(said), limit=limit)


def cleaned(value: object, scrub: Callable[[str], str], depth: int = 1) -> object:
    """A value of JSON with all its texts and names plain; what is too deep in it becomes None."""
    if isinstance(value, str):
        return plain(value, scrub, limit=_TEXT)
    if not isinstance(value, Mapping | list):
        return value
    if depth > _DEPTH:
        return None
    if isinstance(value, list):
        return [cleaned(item, scrub, depth + 1) for item in value[:_FIELDS]]
    return {
        plain(name, scrub, limit=_TEXT): cleaned(inner, scrub, depth + 1)
        for name, inner in islice(value.items(), _FIELDS)
    }
