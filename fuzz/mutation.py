"""Changes to inputs that stay near the language: lines, each of them a JSON message.

Blind changes of bytes mostly break the JSON, and then all that is tried is the decoder. These
leave it whole and break what it says: an order, a type, a place, a number.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeAlias

__all__ = ["json_lines"]

Slot: TypeAlias = tuple[Any, Any]
"""A list or mapping, and the index or key of one of its values."""

_VALUES: tuple[Any, ...] = (
    *(0, 1, 2, 3, -1, 10019, 10013, 11200, 2**53, 2**64, 10**400, 0.5, -0.0, 1e308),
    *("", "x", "stop", "\u4f60\u597d", "\U0001f600", "\ud800", "\x00", "https://example.org", "[]"),
    *(None, True, False, [], {}, [[]], {"text": []}, [{"content": "y"}], [[[[[[[[]]]]]]]]),
)
"""Numbers that mean something to the service or to a machine, texts at the edges, other shapes."""


def json_lines(data: bytes, random: Random) -> bytes:
    """The input with one to three changes, each to the order of its lines or inside one of them."""
    lines = data.split(b"\n")
    for _ in range(random.randint(1, 3)):
        random.choice(_CHANGES)(lines, random)
    return b"\n".join(lines)


def _repeat(lines: list[bytes], random: Random) -> None:
    lines.insert(random.randrange(len(lines) + 1), random.choice(lines))


def _drop(lines: list[bytes], random: Random) -> None:
    if len(lines) > 1:
        del lines[random.randrange(len(lines))]


def _swap(lines: list[bytes], random: Random) -> None:
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _edit(lines: list[bytes], random: Random) -> None:
    """Change a value in one message: drop it, or put one from elsewhere in it, or from afar."""
    at = random.randrange(len(lines))
    try:
        message = json.loads(lines[at])
    except (ValueError, RecursionError):
        return
    slots = list(_slots(message))
    if not slots:
        return
    container, key = random.choice(slots)
    if random.random() < 0.15:
        del container[key]
    elif random.random() < 0.3:
        donor, place = random.choice(slots)
        container[key] = copy.deepcopy(donor[place])
    elif type(container[key]) is int and random.random() < 0.5:
        container[key] += random.choice((-1, 1))
    else:
        container[key] = copy.deepcopy(random.choice(_VALUES))
    # Half a surrogate pair can be written as an escape alone.
    lines[at] = json.dumps(message, ensure_ascii=random.random() < 0.5).encode(errors="replace")


def _slots(value: object) -> Iterator[Slot]:
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return
    for key in keys:
        yield value, key
        yield from _slots(value[key])


_CHANGES: tuple[Callable[[list[bytes], Random], None], ...] = (
    *(_repeat, _drop, _swap),
    *(_edit,) * 6,
)
