"""The content of an answer as it grows: text, thinking, tool calls, and what is beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from modelplug import Delta, Finish
from modelplug_openai.chunks import Choice, Detail, Part, Piece
from modelplug_openai.extras import Extras
from modelplug_openai.thinktags import ThinkTags
from modelplug_openai.toolcalls import ToolCalls

__all__ = ["Content", "is_empty"]

_DEPTH = 4
"""Parts within parts that are read."""


class Content:
    """Makes deltas of the pieces of one answer.

    Args:
        scrub: takes secrets out of what the service says beside the answer.
        think_tags: whether ``<think>`` at the start of the text begins the model's thinking.

    Attributes:
        calls: the tool calls so far.
        extras: what came besides.
    """

    __slots__ = ("_has_called", "_has_thought", "_said", "_tags", "calls", "extras")

    def __init__(self, *, scrub: Callable[[str], str], think_tags: bool = False) -> None:
        self.calls = ToolCalls()
        self.extras = Extras(scrub)
        self._tags = ThinkTags() if think_tags else None
        self._said: list[str] = []  # by pieces, as it came
        self._has_thought = self._has_called = False

    def take(self, piece: Piece, choice: Choice, deltas: list[Delta | Finish]) -> None:
        """Add what is in a piece to ``deltas``; what says nothing adds none."""
        thinking, text = _thought(piece), piece.content or ""
        if not isinstance(text, str):
            more, text = _spoken(text)
            thinking += more
        if piece is choice.delta:
            if text:
                self._said.append(text)
            self._has_thought = self._has_thought or thinking != ""
        if self._tags is not None and text:
            more, text = self._tags.split(text)
            thinking += more
        extra = self.extras.of_piece(piece, choice)
        sources = _sources_of(piece.annotations) if piece.annotations is not None else ()
        if text or thinking or extra or sources:
            deltas.append(Delta(text, reasoning=thinking, sources=sources, extra=extra))
        # What is said under the role of a tool is of Spark's own search, not the caller's to do.
        has_calls = piece.tool_calls is not None or piece.function_call is not None
        if has_calls and piece.role != "tool":
            deltas += [Delta(tool_call=call) for call in self.calls.take(piece)]
            self._has_called = self._has_called or piece is choice.delta

    def unsaid(self, message: Piece) -> Piece:
        """What of a whole message its pieces haven't said: MiniMax's last chunk repeats them."""
        rest = msgspec.structs.replace(message)
        if self._said:
            rest.content = None
        if self._has_thought:
            rest.reasoning_content = rest.reasoning = rest.thinking = None
            rest.reasoning_details = None
        if self._has_called:
            rest.tool_calls = rest.function_call = None
        if self.extras.refused:
            rest.refusal = None
        return rest

    def is_denied_by(self, message: Piece) -> bool:
        """Whether the text of a whole message isn't what its pieces said."""
        text = message.content or ""
        if not isinstance(text, str):
            text = _spoken(text)[1]
        return text != "" and self._said != [] and text != "".join(self._said)

    def end(self, deltas: list[Delta | Finish]) -> None:
        """Add what was kept back, since it might have been half a tag."""
        if self._tags is not None:
            thinking, text = self._tags.end()
            if thinking or text:
                deltas.append(Delta(text, reasoning=thinking))


def is_empty(piece: Piece) -> bool:
    """Whether a piece says nothing."""
    said = piece.content or _thought(piece) or piece.refusal or piece.audio
    return not (said or piece.tool_calls or piece.function_call)


def _spoken(content: Sequence[Part]) -> tuple[str, str]:
    """The thinking and the text in a content that is a list of parts."""
    thinking = "".join(_thinking(part) for part in content if part.type == "thinking")
    return thinking, "".join(part.text or "" for part in content if part.type != "thinking")


def _thinking(part: Part, depth: int = 1) -> str:
    if isinstance(part.thinking, list):
        if depth > _DEPTH:
            return ""
        return "".join(_thinking(inner, depth + 1) for inner in part.thinking)
    return part.thinking or part.text or ""


def _thought(piece: Piece) -> str:
    """The thinking of a piece, in whichever spelling; who uses two says the same in both."""
    said = piece.reasoning_content or piece.reasoning or piece.thinking
    if said or not piece.reasoning_details:
        return said or ""
    return "".join(map(_of_detail, piece.reasoning_details))


def _of_detail(detail: Detail) -> str:
    return detail.text or detail.summary or ""


def _sources_of(annotations: object) -> Sequence[Mapping[str, object]]:
    """The pages that an answer cites, as ``url`` and ``title``.

    https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat; what can't be read in
    there is no reason to lose the answer.
    """
    found: list[Mapping[str, object]] = []
    for annotation in annotations if isinstance(annotations, list) else ():
        cited = annotation.get("url_citation") if isinstance(annotation, Mapping) else None
        if isinstance(cited, Mapping) and isinstance(cited.get("url"), str):
            page = {name: cited.get(name) for name in ("url", "title")}
            found.append({name: value for name, value in page.items() if isinstance(value, str)})
    return tuple(found)
