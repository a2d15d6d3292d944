"""Markdown for a terminal: what a model writes, as rich shows it, and nothing that acts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, Paragraph
from rich.segment import Segment
from rich.syntax import Syntax
from rich.text import Text
from rich.theme import Theme

from modelplug.cli.terminal import shown
from modelplug.cli.wrapping import Wrapped

__all__ = ["THEME", "Harmless", "Rendered", "blocks"]

THEME = Theme(
    {
        # Without backgrounds, and readable on dark terminals and light ones.
        "markdown.code": "cyan",
        "markdown.block_quote": "italic",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.h4": "bold italic",
        "markdown.item.number": "bold",
        "markdown.link": "underline",
        "markdown.link_url": "dim",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
        "markdown.hr": "dim",
        "markdown.fence": "dim",
        "markdown.thinking": "dim italic",
    }
)


class _Paragraph(Paragraph):
    """One whose lines break where Chinese may be broken."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Wrapped(self.text)


class _Heading(Heading):
    """One that begins where all lines do."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Wrapped(self.text)


class _CodeBlock(CodeBlock):
    """One between its fences, without margins: its lines can be copied as they are."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        name = "" if self.lexer_name == "text" else self.lexer_name
        yield Text(f"```{name}", style="markdown.fence", overflow="fold")
        yield Syntax(
            str(self.text).rstrip("\n"),
            self.lexer_name,
            theme="ansi_light",
            background_color="default",
            word_wrap=True,
        )
        yield Text("```", style="markdown.fence")


class Rendered(Markdown):
    """A text in Markdown; HTML in it stays visible, and links tell where they lead."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "paragraph_open": _Paragraph,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
    }

    def __init__(self, text: str) -> None:
        super().__init__(shown(text), hyperlinks=False)
        _keep_all(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        try:
            rendered: Iterable[RenderableType | Segment] = list(
                super().__rich_console__(console, options)
            )
        except Exception:  # noqa: BLE001  # an answer that rich trips over is shown all the same
            rendered = [Text(self.markup)]
        yield from rendered


def _keep_all(markdown: Markdown) -> None:
    """Have shown what rich would leave out or run together."""
    for token in markdown.parsed:
        if token.type == "html_block":
            token.type = "code_block"
        for child in token.children or ():
            if child.type == "html_inline":
                child.type = "text"
            elif child.type == "softbreak":
                # Models break lines where they want them broken.
                child.type = "hardbreak"


def blocks(text: str) -> list[str]:
    """The blocks of a text, which together are all of it: only the last may still change."""
    # The parser's idea of a line, which is not that of splitlines().
    lines = [0, *(found.end() for found in re.finditer("\n", text)), len(text)]
    starts = [
        lines[token.map[0]]
        for token in Markdown(text).parsed
        if token.level == 0 and token.nesting >= 0 and token.map
    ]
    edges = [0, *starts[1:], len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


class Harmless:
    """Whatever is rendered, without control characters: Markdown can spell them as entities.

    Blank lines around it go.

    Args:
        renderable: what to render.
        rows: how many of the last lines to keep; None is all.
        after: whether something stands above it, from which a blank line parts it.
    """

    def __init__(
        self, renderable: RenderableType, *, rows: int | None = None, after: bool = False
    ) -> None:
        self._renderable = renderable
        self._rows = rows
        self._after = after

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = _trimmed(console.render_lines(self._renderable, options, pad=False))
        if self._after:
            lines.insert(0, [])
        for line in lines if self._rows is None else lines[-self._rows :]:
            for segment in line:
                yield Segment(shown(segment.text), segment.style)
            yield Segment.line()


def _trimmed(lines: Sequence[list[Segment]]) -> list[list[Segment]]:
    filled = [at for at, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
    return list(lines[filled[0] : filled[-1] + 1]) if filled else []
