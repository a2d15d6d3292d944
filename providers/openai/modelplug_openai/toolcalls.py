"""Which tool call a piece belongs to, in all the ways that servers number them.

OpenAI numbers calls by ``index`` and gives ``id`` and ``name`` once, in the first piece. Others
leave the index out, give 0 to every call, tell it only later, or as text; repeat the id, or the
name, in each piece; give one id to all calls; give the id first and alone, or later; put a whole
call into one piece. So a piece is placed by what it has, in this order: an id that is known; an
index that is known, unless the piece clearly begins another call; else, without either, the call
before. A call begins with its name or its id.

An id, a name or arguments that aren't text, but a number, say, are taken as their JSON: a call
that nobody can make is for the caller to see, and no reason to lose the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from modelplug import ToolCallDelta
from modelplug_openai.chunks import FunctionPiece, Piece, ToolPiece

__all__ = ["ToolCalls"]

_NOTHING = FunctionPiece()

_MARKS = re.compile(r'\\.?|["{}]', re.DOTALL)

_DIGITS = 18
"""Digits of an index that comes as text; more are no index of anything."""


class _Braces:
    """Whether the arguments so far are a whole object, so that what follows is another call's."""

    __slots__ = ("_depth", "_is_escaped", "_is_quoted", "is_whole")

    def __init__(self) -> None:
        self._depth = 0
        self._is_quoted = self._is_escaped = self.is_whole = False

    def take(self, arguments: str) -> None:
        """Go on with the next piece, wherever it was cut."""
        if not arguments:
            return
        marks = _MARKS.findall(arguments, 1 if self._is_escaped else 0)
        for mark in marks:
            if mark == '"':
                self._is_quoted = not self._is_quoted
            elif mark in "{}" and not self._is_quoted:
                self._depth += 1 if mark == "{" else -1
                self.is_whole = self._depth == 0
        self._is_escaped = marks[-1:] == ["\\"]


@dataclass(slots=True)
class _Call:
    """What is known of a call; ``delta`` is the number of the last one that had a piece of it."""

    number: int
    index: int | None = None
    id: str | None = None
    name: str | None = None
    delta: int = 0
    arguments: _Braces = field(default_factory=_Braces)


class ToolCalls:
    """The tool calls of one answer as they come in."""

    __slots__ = ("_by_id", "_by_index", "_delta", "_highest", "_last", "_numbers")

    def __init__(self) -> None:
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._last: _Call | None = None
        self._numbers: set[int] = set()
        self._highest = -1
        self._delta = 0

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._numbers)

    def take(self, piece: Piece) -> list[ToolCallDelta]:
        """What is in a piece of the answer, each with its call's number.

        Id and name are told only where they are new. A call's number is its index, unless
        another call has that already.
        """
        self._delta += 1
        found = (self._take(entry) for entry in _entries(piece) if entry is not None)
        return [told for told in found if told is not None]

    def _take(self, entry: ToolPiece) -> ToolCallDelta | None:
        function = entry.function or _NOTHING
        given_id, name = _text(entry.id) or None, _text(function.name) or None
        arguments = _text(function.arguments)
        if not (given_id or name or arguments):
            return None
        index = _number(entry.index)
        call = self._known(index, given_id, name, arguments) or self._new(index)
        self._place(call, index, given_id)
        new_id = given_id if call.id is None else None
        new_name = name if call.name is None else None
        call.id, call.name = call.id or given_id, call.name or name
        call.arguments.take(arguments)
        if not (new_id or new_name or arguments):
            return None
        return ToolCallDelta(call.number, id=new_id, name=new_name, arguments=arguments)

    def _known(
        self, index: int | None, given_id: str | None, name: str | None, arguments: str
    ) -> _Call | None:
        placed = None if index is None else self._by_index.get(index)
        same = placed if placed and placed.id == given_id else self._by_id.get(given_id or "")
        if given_id and same:
            # One id for all calls, its function's name, say: then it is the index that tells.
            is_next = name and placed is None and same.index not in (None, index)
            return None if is_next else same
        call = self._last if index is None else placed
        if call is None:
            return None if given_id or name else self._last
        if given_id and call.id is not None:
            # Another id. At the same index, without a name, it is a server's that makes one up
            # for each piece.
            begins = index is None or name is not None or call.name is None
        elif name is None or call.name is None:
            begins = False
        else:
            # Two entries of one list without anything that tells them apart are two calls.
            is_beside = index is None and not given_id and call.delta == self._delta
            begins = is_beside or _begins(call, name, arguments)
        return None if begins else call

    def _new(self, index: int | None) -> _Call:
        number = self._highest + 1 if index is None or index in self._numbers else index
        self._numbers.add(number)
        self._highest = max(self._highest, number)
        return _Call(number)

    def _place(self, call: _Call, index: int | None, given_id: str | None) -> None:
        """Remember by what the next piece of a call is found."""
        self._last, call.delta = call, self._delta
        if index is not None:
            self._by_index[index] = call
            call.index = index if call.index is None else call.index
        elif call.index is None:  # it may be told later, and is this then
            self._by_index.setdefault(call.number, call)
        if given_id:
            self._by_id.setdefault(given_id, call)


def _begins(call: _Call, name: str, arguments: str) -> bool:
    """Whether a name begins another call, and isn't that of ``call`` once more."""
    is_next = call.arguments.is_whole and arguments.lstrip().startswith("{")
    return name != call.name or is_next


def _entries(piece: Piece) -> Sequence[ToolPiece | None]:
    """What a piece of an answer has of tool calls, in whichever of the spellings."""
    calls = piece.tool_calls
    if not calls:
        return [ToolPiece(index=0, function=piece.function_call)]
    return calls if isinstance(calls, list) else [calls]


def _number(index: object) -> int | None:
    """An index, also one that is told as text or as 1.0."""
    if isinstance(index, str) and len(index) <= _DIGITS and index.isascii() and index.isdecimal():
        return int(index)
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    return index if type(index) is int and index >= 0 else None


def _text(value: object) -> str:
    """Text exactly as it came; of anything else its JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
