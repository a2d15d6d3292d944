"""What is typed into the chat, or piped: inputs of one line or of several."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import import_module
from types import ModuleType
from typing import NamedTuple, Protocol

import click

from modelplug.cli.inputhistory import InputHistory

__all__ = ["FENCE", "Input", "InputError", "Inputs", "Keyboard", "Pipe"]

FENCE = '"""'
"""Stands before and after an input of several lines."""

_MOST = 64 << 20
"""Bytes of a line that are read, so that an endless one ends."""

_FIRST, _FURTHER = "> ", ". "


class Input(NamedTuple):
    """What was typed at once; ``fenced`` is text whatever it begins with."""

    text: str
    fenced: bool = False


class InputError(Exception):
    """An input that can't be used; the next one may be."""


class Inputs(Protocol):
    """Where inputs come from."""

    is_terminal: bool

    def read(self) -> Input:
        """The next input.

        Raises:
            EOFError: there is no more.
            InputError: this one can't be used.
        """
        ...  # pragma: no cover

    def paused(self) -> AbstractContextManager[None]:
        """While something else is on the screen."""
        ...  # pragma: no cover


class Pipe:
    """Standard input where nobody sits at it, or nobody sees a prompt."""

    is_terminal = False

    def __init__(self) -> None:
        self._codec = "utf-8-sig"  # Windows' editors begin a file with a mark

    def read(self) -> Input:
        """See Inputs."""
        return _whole(self._line)

    def paused(self) -> AbstractContextManager[None]:
        """See Inputs."""
        return nullcontext()

    def _line(self, _prompt: str) -> str:
        if sys.stdin is None:
            raise EOFError
        line = sys.stdin.buffer.readline(_MOST)
        if not line:
            raise EOFError
        codec, self._codec = self._codec, "utf-8"
        if len(line) == _MOST and not line.endswith(b"\n"):
            raise InputError("a line is longer than any model takes")
        try:
            return line.decode(codec).rstrip("\r\n")
        except UnicodeDecodeError:
            pass
        raise InputError("a line is not text in UTF-8")


class Keyboard:
    """A terminal: prompts, line editing where Python has readline, and inputs remembered.

    Args:
        history: what was typed before.
        complete: the words that may be meant by the beginning of a line.
    """

    is_terminal = True

    def __init__(self, history: InputHistory, complete: Callable[[str], Sequence[str]]) -> None:
        self._history = history
        self._complete = complete
        self._warned = False
        self._readline = _module("readline")
        if self._readline is not None:
            self._set_up(self._readline)

    def read(self) -> Input:
        """See Inputs.

        Raises:
            KeyboardInterrupt: Ctrl-C twice, with nothing typed.
        """
        while True:
            try:
                given = _whole(self._line)
            except KeyboardInterrupt:
                if self._warned and self._is_empty():
                    raise
                self._warn()
            except EOFError:
                click.echo(err=True)
                raise
            else:
                self._warned = False
                self._remember(given)
                return given

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See Inputs: what is typed isn't shown, and read afterwards."""
        if (termios := _module("termios")) is None:
            yield
            return
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        quiet = list(before)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(descriptor, termios.TCSANOW, before)

    def _line(self, prompt: str) -> str:
        try:
            line = input(prompt)
            line.encode()
        except UnicodeError:
            pass
        else:
            return line
        raise InputError("that is not text in UTF-8")

    def _warn(self) -> None:
        told = "(Ctrl-C again, or Ctrl-D, ends the chat)" if self._is_empty() else ""
        self._warned = bool(told)
        click.echo(f"\n{told}" if told else "", err=True)

    def _is_empty(self) -> bool:
        """Whether nothing was typed when Ctrl-C came, as far as that can be known."""
        return self._readline is None or not self._readline.get_line_buffer()

    def _remember(self, given: Input) -> None:
        if not given.text.strip():
            return
        text = f"{FENCE}\n{given.text}\n{FENCE}" if given.fenced else given.text
        if self._readline is not None:
            self._readline.add_history(text)
        self._history.add(text)

    def _set_up(self, readline: ModuleType) -> None:
        readline.set_auto_history(False)  # an input of several lines is one
        for text in self._history.read():
            readline.add_history(text)
        readline.set_completer_delims("")
        readline.set_completer(self._candidate)
        if "libedit" in (readline.__doc__ or ""):  # macOS, whose language is another
            readline.parse_and_bind("bind ^I rl_complete")
            return
        readline.parse_and_bind("tab: complete")
        # Alt-Enter: the key for "quoted insert", and the line break that it inserts.
        readline.parse_and_bind(r'"\e\C-m": "\C-q\C-j"')

    def _candidate(self, text: str, state: int) -> str | None:
        candidates = self._complete(text)
        return candidates[state] if state < len(candidates) else None


def _module(name: str) -> ModuleType | None:
    """A module of Python's that Windows hasn't; its console edits lines itself."""
    with suppress(ImportError):
        return import_module(name)
    return None


def _whole(read_line: Callable[[str], str]) -> Input:
    """An input of one line, or what stands between fences."""
    line = read_line(_FIRST)
    begun = line.lstrip()
    if not begun.startswith(FENCE):
        return Input(line)
    lines = [begun.removeprefix(FENCE)]
    while not lines[-1].rstrip().endswith(FENCE):
        try:
            lines.append(read_line(_FURTHER))
        except EOFError:
            # Cut off, perhaps: half of a text isn't what was to be asked.
            raise InputError(f"the text after {FENCE} has no end, and isn't asked") from None
    text = "\n".join(lines).rstrip().removesuffix(FENCE)
    return Input(text.strip("\r\n"), fenced=True)
