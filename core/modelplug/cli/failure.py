"""Failures as users see them, and exit statuses: 0, 1, 2, 130, 141; ``signals`` adds its own."""

from __future__ import annotations

from types import TracebackType
from typing import IO, Any

import click

from modelplug.cli.terminal import OutputError, drop_output, one_line
from modelplug.errors import PluginContractError, PluginError, ProxyLLMError

__all__ = ["FAILED", "INTERRUPTED", "READER_GONE", "Failure", "outcome"]

FAILED = 1
"""Anything but wrong usage, whose status is 2: click's own for it."""

INTERRUPTED = 130
"""Ctrl-C: 128 and the signal's number, as shells count."""

READER_GONE = 141
"""Whoever read standard output has left, as in ``| head -1``: what SIGPIPE would end with."""


class Failure(click.ClickException):
    """What failed, why, and what to do next: a line each on standard error, no traceback.

    Args:
        message: one sentence.
        cause: what lies behind it, where that helps.
        hint: what to do.
    """

    exit_code = FAILED

    def __init__(self, message: str, *, cause: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.hint = hint

    @classmethod
    def of(cls, error: ProxyLLMError) -> Failure:
        """The error in the words of its own."""
        # Of plugins alone: what others translate, they tell in their own message.
        is_plugins = isinstance(error, PluginError) and error.__cause__ is not None
        return cls(str(error), cause=_cause(error) if is_plugins else None, hint=error.hint)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it; click calls this."""
        for label, text in (("error", self.message), ("cause", self.cause), ("hint", self.hint)):
            if text:
                click.echo(f"{label}: {one_line(text)}", file=file, err=True)


def outcome(error: BaseException) -> click.ClickException | click.exceptions.Exit:
    """How the program ends when ``error`` has come all the way up."""
    if isinstance(error, KeyboardInterrupt):
        return click.exceptions.Exit(INTERRUPTED)
    if isinstance(error, ProxyLLMError):
        return Failure.of(error)
    if isinstance(error, OutputError):
        drop_output()
        if isinstance(error.reason, BrokenPipeError):
            return click.exceptions.Exit(READER_GONE)
        return Failure(f"standard output can't be written: {error.reason.strerror}")
    # The name of a module holds nothing that mustn't be shown, and helps.
    missing = f" of {error.name!r}" if isinstance(error, ImportError) and error.name else ""
    return Failure(
        f"{type(error).__name__}{missing}, which should have been told more plainly",
        cause=_place(error.__traceback__),
        hint="a bug in modelplug or in the backend's plugin: report it with the line above",
    )


def _cause(error: ProxyLLMError) -> str:
    cause = error.__cause__
    told = type(cause).__name__
    # What a plugin raises while it serves a call may hold what must not be shown.
    if not isinstance(error, PluginContractError):
        told += f": {cause}"
    return f"{told} ({place})" if cause and (place := _place(cause.__traceback__)) else told


def _place(traceback: TracebackType | None) -> str | None:
    """The file and line where it was raised, for a report."""
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename}, line {traceback.tb_lineno}"
