"""Breaking lines of text where Chinese and Japanese may be broken, too: between any two signs.

rich breaks at blanks alone, and begins a new line for a "word" that is as long as a sentence.
"""

from __future__ import annotations

import re
from itertools import pairwise

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

__all__ = ["Wrapped", "breaks", "broken"]

_SIGN = "\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\U00020000-\U0003ffff"
_OPENING = "（〈《「『【〔［｛“‘"  # noqa: RUF001  # brackets of Chinese text
_CLOSING = "，。、；：！？…）〉》」』】〕］｝”’,.;:!?)"  # noqa: RUF001  # the same

_PIECE = re.compile(
    rf"\n|[{_OPENING}]*(?:[{_SIGN}]|[^\s{_SIGN}{_OPENING}]+)[{_CLOSING}]*[^\S\n]*|\s|."
)
"""What isn't broken: a line feed, a sign or a word with its marks and the blanks after it."""


def breaks(text: str, width: int) -> list[int]:
    """Where ``text`` is to be broken so that no line is wider than ``width`` cells."""
    found: list[int] = []
    used = 0
    for piece in _PIECE.finditer(text):
        word = piece[0]
        if word == "\n":
            used = 0
            continue
        size = cell_len(word.rstrip())
        if used and used + size > width:
            found.append(piece.start())
            used = 0
        if size > width:
            *folded, last = chop_cells(word, width)
            at = piece.start()
            for part in folded:
                at += len(part)
                found.append(at)
            used = cell_len(last)
        else:
            used += cell_len(word)
    return found


def broken(text: str, width: int) -> str:
    """``text`` as lines that are no wider than ``width`` cells."""
    edges = [0, *breaks(text, width), len(text)]
    return "\n".join(text[start:end].rstrip() for start, end in pairwise(edges))


class Wrapped:
    """A text that rich prints, broken so."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._text.divide(breaks(self._text.plain, options.max_width)):
            line.rstrip()
            line.no_wrap, line.overflow, line.end = True, "ignore", "\n"
            yield line
