"""Thinking that stands in the answer's text, between ``<think>`` and ``</think>``.

Models write these tags themselves, and servers that don't know the model pass them on: a server
by URL, or one started without its reasoning parser. A user may mean the tags as text, so they
are looked for only when asked to, and only at the very start of an answer.
"""

from __future__ import annotations

__all__ = ["ThinkTags"]

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkTags:
    """Parts the thinking at the start of an answer from its text, however the text is cut."""

    __slots__ = ("_blanks", "_held", "_place")

    def __init__(self) -> None:
        self._place = "before"
        self._blanks: list[str] = []  # before anything else; joined once, however many there are
        self._held = ""  # what may yet turn out to be a tag

    def split(self, text: str) -> tuple[str, str]:
        """The thinking and the text in the next piece; what may be half a tag is kept back."""
        if self._place == "after":
            return "", text
        text, self._held = self._held + text, ""
        if self._place == "before":
            begun = text.lstrip()
            self._blanks.append(text[: len(text) - len(begun)])
            if begun != _OPEN and _OPEN.startswith(begun):  # also if there is nothing yet
                self._held = begun
                return "", ""
            if not begun.startswith(_OPEN):
                self._place = "after"
                return "", "".join(self._blanks) + begun
            self._place, text = "within", begun.removeprefix(_OPEN)
        thinking, tag, rest = text.partition(_CLOSE)
        if tag:
            self._place = "after"
            return thinking, rest
        kept = next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept], ""

    def end(self) -> tuple[str, str]:
        """What was kept back, since the answer is over: it was no tag."""
        held, self._held = self._held, ""
        if self._place == "before":
            return "", "".join(self._blanks) + held
        return held, ""
