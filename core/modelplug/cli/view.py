"""What shows an answer while it comes; here as it is, and in ``live`` as Markdown."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import click

from modelplug.cli.terminal import Answer, is_terminal
from modelplug.output import ModelOutput

__all__ = ["PlainView", "View"]


class View(Protocol):
    """What shows one answer, while it is entered."""

    def add(self, output: ModelOutput) -> None:
        """Show what an output adds."""
        ...  # pragma: no cover

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class PlainView(Answer):
    """The text as it is; of the thinking it is said that there is some."""

    def __init__(self) -> None:
        super().__init__()
        self._thinks = False

    def add(self, output: ModelOutput) -> None:
        """See View."""
        if output.reasoning_delta and not self._thinks and is_terminal():
            self._thinks = True
            click.echo("thinking ...", err=True)
        self.write(output.delta)
