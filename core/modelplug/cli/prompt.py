"""The prompt: out of files, standard input and an argument."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from select import select
from typing import BinaryIO

import click

__all__ = ["encodable", "note_profile", "read_prompt", "text_of_file", "text_of_standard_input"]

_MOST = 64 << 20
"""Bytes that are read of one part, so that an endless one ends."""

_PROFILE = re.compile(r"@[A-Za-z0-9._-]+")

_PATIENCE = 2.0
"""Seconds after which it is said what is being waited for."""


def read_prompt(question: str | None, files: Sequence[str]) -> str:
    """Files, standard input and the question, in this order, with blank lines between.

    A model reads best what it is asked about first and the question last. A file gets a
    heading with its name, unless it is all there is.

    Raises:
        click.UsageError: there is nothing to ask, or a file isn't there or isn't text.
    """
    names = [click.format_filename(name) for name in files]  # a name's bytes may be no UTF-8
    texts = [text_of_file(file) for file in files]
    others = [text for text in (text_of_standard_input() or "", question or "") if text.strip()]
    if len(texts) + len(others) > 1:
        texts = [f"File: {name}\n{text}" for name, text in zip(names, texts, strict=True)]
    prompt = "\n\n".join(part.strip("\r\n") for part in texts + others)
    if not prompt.strip():
        raise click.UsageError("nothing to ask: give a PROMPT, a FILE, or text on standard input")
    return prompt


def note_profile(prompt: str | None, *chosen: str | None) -> None:
    """Tell of a prompt that looks like the name of a profile, where none is chosen."""
    if prompt and not any(chosen) and _PROFILE.fullmatch(prompt):
        click.echo(
            f"note: {prompt} is the prompt here; for the profile write -b {prompt}", err=True
        )


def encodable(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A callback for parameters: bytes of the command line that are no UTF-8 are wrong usage."""
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        name = parameter.name or "an argument"
        raise click.UsageError(f"{name.upper()} is not text in UTF-8") from None
    return value


def text_of_file(name: str) -> str:
    """All of a file, as it is.

    Raises:
        click.UsageError: it isn't there, or isn't text.
    """
    return _text(partial(_read_file, name), click.format_filename(name))


def text_of_standard_input() -> str | None:
    """All of standard input, as it is; None where somebody sits there.

    Raises:
        click.UsageError: it isn't text.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return None
    with suppress(OSError, ValueError):  # Windows: select() takes sockets only
        if not select([sys.stdin], [], [], _PATIENCE)[0]:
            # As where a scheduler or a test has left a pipe open that nobody writes to.
            click.echo("waiting for the end of standard input; < /dev/null is none", err=True)
    return _text(partial(_read, sys.stdin.buffer), "standard input")


def _read_file(name: str) -> bytes:
    with Path(name).open("rb") as file:
        return _read(file)


def _read(file: BinaryIO) -> bytes:
    data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise ValueError(f"it has more than {_MOST >> 20} MiB, which no model takes")
    return data


def _text(read: Callable[[], bytes], name: str) -> str:
    try:
        return read().decode("utf-8-sig")  # Windows' editors begin a file with a mark
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
    except (OSError, ValueError) as error:
        # A ValueError for a name with a NUL in it.
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    raise click.UsageError(f"{name} can't be read: {reason}")
