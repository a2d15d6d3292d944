"""Showing an answer while it comes, as Markdown on a terminal."""

from __future__ import annotations

import re
import sys
import threading
import time
from types import TracebackType
from typing import Literal, Self, TypeAlias

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.text import Text

from modelplug.cli.markdown import THEME, Harmless, Rendered, blocks
from modelplug.cli.terminal import OutputError, shown
from modelplug.cli.wrapping import Wrapped
from modelplug.output import ModelOutput

__all__ = ["MarkdownView", "console"]

_PAUSE = 0.08
"""Seconds between two drawings: more often looks no better."""

_SHARE = 5
"""A drawing that takes long is followed by a pause of so many times as much."""

_Kind: TypeAlias = Literal["thinking", "text"]


class MarkdownView:
    """Markdown, block by block: what is over is written once, and scrolls as all else does.

    Only the last block is drawn again while it grows, and of it no more than the screen has
    room for: so nothing flickers, and nothing is lost above the screen. The thinking comes
    first, dimmed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rest = _Rest()
        self._live = Live(
            self._rest,
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            # A line of a log goes above what is being drawn, not into it.
            redirect_stderr=sys.stderr.isatty(),
        )
        self._kind: _Kind = "text"
        self._open = ""  # what isn't written for good
        self._dirty = False
        self._has_written = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._failure: Exception | None = None
        # So that what has come is seen although nothing more comes.
        self._painter = threading.Thread(target=self._paint, name="modelplug-chat", daemon=True)

    def add(self, output: ModelOutput) -> None:
        """See ``modelplug.cli.view.View``."""
        if output.reasoning_delta:
            self._append("thinking", output.reasoning_delta)
        if output.delta:
            self._append("text", output.delta)

    def __enter__(self) -> Self:
        self._live.start()
        self._painter.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        try:
            self._finish()
        except OSError as error:
            raise OutputError(error) from None

    def _finish(self) -> None:
        try:
            self._painter.join()
            with self._lock:
                self._draw(is_over=True)
        finally:
            self._live.stop()

    def _append(self, kind: _Kind, piece: str) -> None:
        if self._failure is not None:
            raise self._failure
        with self._lock:
            if kind != self._kind:
                self._draw(is_over=True)
                self._kind = kind
            self._open += piece
            self._dirty = True

    def _paint(self) -> None:
        pause = _PAUSE
        while not self._over.wait(pause):
            began = time.perf_counter()
            try:
                with self._lock:
                    if self._dirty:
                        self._draw(is_over=False)
            except OSError as error:
                self._failure = OutputError(error)
                return
            pause = max(_PAUSE, _SHARE * (time.perf_counter() - began))

    def _draw(self, *, is_over: bool) -> None:
        """Write what is over, and draw the rest below it, in one go."""
        parts = blocks(self._open) if self._kind == "text" else _paragraphs(self._open)
        done, self._open = (parts, "") if is_over else (parts[:-1], parts[-1])
        self._dirty = False
        written = []
        for part in filter(str.strip, done):
            written.append(Harmless(self._block(part), after=self._has_written))
            self._has_written = True
        self._rest.now = None
        if self._open.strip():
            # One row less than the screen has: the cursor stands below the last line at the end.
            rows = max(self._console.height - 1, 1)
            block = self._block(self._open)
            self._rest.now = Harmless(block, rows=rows, after=self._has_written)
        if written:
            self._console.print(*written, sep="")
        else:
            self._live.refresh()

    def _block(self, text: str) -> RenderableType:
        if self._kind == "text":
            return Rendered(text)
        return Wrapped(Text(shown(text.strip("\n")), style="markdown.thinking"))


class _Rest:
    """What stands below all that is written.

    One object for all that there ever is: Live would draw the one before below what is written
    in its place.
    """

    now: RenderableType | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.now is not None:
            yield self.now


def _paragraphs(text: str) -> list[str]:
    return re.split(r"(?<=\n)\n+", text)


def console() -> Console:
    """The terminal, as rich sees it; it knows of NO_COLOR."""
    return Console(theme=THEME, highlight=False)
