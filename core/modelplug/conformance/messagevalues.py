"""The values in the messages of a codec, as far as anybody can tell, and where they stand.

It reads JSON, lines of it as SSE has them, plain text, and any objects and exceptions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

__all__ = ["Value", "differ", "holds", "is_json", "values"]

_DEEPEST = 16
"""Levels of an object that are looked into: nothing that is said lies deeper."""

_TRIES = 5
"""Times that something is said to see what of it the clock, or chance, has a hand in."""


class Value(NamedTuple):
    """A value within an answer.

    Attributes:
        message: the number of its message.
        path: where it stands in there.
        value: a text, a number, bytes, True, False or None.
    """

    message: int
    path: tuple[str, ...]
    value: object


def values(messages: Iterable[object]) -> list[Value]:
    """All values in some messages."""
    return [
        Value(number, path, value)
        for number, message in enumerate(messages)
        for path, value in _within(message, (), {})
    ]


def is_json(message: object) -> bool:
    """Whether a message is JSON, or lines of which each that has data is."""
    if not isinstance(message, bytes):
        return False
    try:
        lines = [_data(line) for line in message.decode().splitlines()]
    except UnicodeDecodeError:
        return False
    return any(_parses(text) for text in (message.decode(), *filter(None, lines)))


def holds(messages: Iterable[object], text: str) -> bool:
    """Whether a text is said, in one piece or in several that follow on each other.

    Bytes that are no text, of a format that is none, may have it in UTF-8.
    """
    said = [each.value for each in values(messages)]
    texts = [each for each in said if isinstance(each, str)]
    raw = text.encode()
    return any(text in each for each in (*texts, "".join(texts))) or any(
        raw in each for each in said if isinstance(each, bytes)
    )


def differ(one: Callable[[], Sequence[object]], other: Callable[[], Sequence[object]]) -> bool:
    """Whether two answers are told apart by more than clock and chance.

    They are said in turn: what changes while it is said again, such as a session's name, tells
    nothing; and what the clock makes of one can't differ from the other's each time otherwise.
    """
    first, second = _Seen(), _Seen()
    for _ in range(_TRIES):
        first.add(one())
        second.add(other())
    steady = [
        place
        for place in first.at.keys() | second.at.keys()
        if first.one(place) or second.one(place)
    ]
    if not steady:
        return bool(first.at or second.at)
    return any(
        first.at.get(place) != second.at.get(place)
        for place in steady
        if first.is_steady(place) and second.is_steady(place)
    )


class _Seen:
    """What stands where, each time that an answer is said."""

    def __init__(self) -> None:
        self.at: dict[tuple[int, tuple[str, ...]], set[str]] = {}

    def add(self, messages: Iterable[object]) -> None:
        """Note an answer."""
        for message, path, value in values(messages):
            self.at.setdefault((message, path), set()).add(repr(value))

    def one(self, place: tuple[int, tuple[str, ...]]) -> bool:
        """Whether the same stands there each time."""
        return len(self.at.get(place, ())) == 1

    def is_steady(self, place: tuple[int, tuple[str, ...]]) -> bool:
        """Whether the same stands there each time, or nothing ever."""
        return place not in self.at or self.one(place)


def _within(
    value: object, path: tuple[str, ...], seen: dict[int, object]
) -> Iterator[tuple[tuple[str, ...], object]]:
    """What a value holds, each part once: objects of a library may know their owners.

    Args:
        value: any.
        path: where it stands.
        seen: what was looked into by now, by its id, which nothing else gets meanwhile.
    """
    if isinstance(value, bytes):
        yield from _in_bytes(value, path)
    elif value is None or isinstance(value, str | int | float):
        yield path, value
    elif id(value) not in seen and len(path) < _DEEPEST:
        parts = _parts(value)
        if not parts:
            yield path, type(value).__name__
            return
        seen[id(value)] = value
        for name, part in parts.items():
            yield from _within(part, (*path, name), seen)


def _in_bytes(value: bytes, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        yield path, value
        return
    if _parses(text):
        yield from _within(json.loads(text), path, {})
        return
    for number, line in enumerate(text.split("\n")):
        data = _data(line)
        told: object = json.loads(data) if _parses(data) else line
        yield from _within(told, (*path, str(number)), {})


def _data(line: str) -> str:
    """What a line of SSE says, or another."""
    return line.removeprefix("data:").strip()


def _parses(text: str) -> bool:
    """Whether a text is an object or a list of JSON."""
    if text.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            json.loads(text)
            return True
    return False


def _parts(value: object) -> Mapping[str, object]:
    """A list's items by number, an object's fields by name, an exception's arguments too."""
    if isinstance(value, Mapping):
        return {str(name): part for name, part in value.items()}
    if isinstance(value, Sequence):
        return {str(number): part for number, part in enumerate(value)}
    parts = {} if isinstance(value, type) else dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else tuple(slots)
        parts |= {name: getattr(value, name) for name in names if hasattr(value, name)}
    if isinstance(value, BaseException):
        parts |= {"is": type(value).__name__, "args": value.args}
    return parts
