"""The commands of the chat: lines that begin with a slash."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from shutil import get_terminal_size
from typing import NamedTuple

import click

from modelplug.cli.conversation import Conversation, Saved
from modelplug.cli.failure import Failure
from modelplug.cli.keyboard import FENCE
from modelplug.cli.prompt import text_of_file
from modelplug.cli.terminal import one_line, shown
from modelplug.client import ProxyLLMClient
from modelplug.delta import Usage
from modelplug.errors import ModelNotFoundError, ProxyLLMError
from modelplug.messages import ModelMessage

__all__ = ["COMMAND", "TEXT", "Chat", "completed", "run", "tokens"]

COMMAND, TEXT = "/", "//"
"""What a command begins with, and a text that would be taken for one."""

_NO_SYSTEM = "none"


class Chat(ABC):
    """What commands act on.

    Attributes:
        client: who is asked.
        conversation: what was said.
        model: who answers.
        usages: what each answer cost; None where that wasn't told.
        is_over: whether the end was asked for.
    """

    def __init__(self, client: ProxyLLMClient, conversation: Conversation) -> None:
        self.client = client
        self.conversation = conversation
        self.model = client.default_model
        self.usages: list[Usage | None] = []
        self.is_over = False

    @abstractmethod
    def ask(self, messages: Sequence[ModelMessage]) -> None:
        """Ask, show the answer, and keep it."""

    def tell(self, text: str) -> None:
        """Say something that is no answer."""
        text = one_line(text)
        if sys.stderr is not None and sys.stderr.isatty():
            # Here: it needs rich, which is only worth its time to somebody who reads.
            from modelplug.cli.wrapping import broken

            text = broken(text, get_terminal_size().columns)
        click.echo(text, err=True)

    def models(self) -> Sequence[str]:
        """Names of the models that the client lists."""
        return [each.model for each in asyncio.run(self.client.models())]

    def use(self, model: str) -> None:
        """Have another model answer from now on.

        Raises:
            ProxyLLMError: there is none of this name, as far as the client can tell.
        """
        self.client.metadata(model)
        if model not in self.client.model_names:
            self.tell(f"note: {self.client.backend} doesn't list {model}; it may know it")
        self.model = model


def run(chat: Chat, line: str) -> None:
    """Do what a line says.

    Raises:
        Failure: it can't be done, and nothing has changed.
        click.ClickException: the same.
    """
    name, _, rest = line.removeprefix(COMMAND).partition(" ")
    command = COMMANDS.get(_ALIASES.get(name, name))
    if command is None:
        near = get_close_matches(name, COMMANDS, n=1)
        meant = f"did you mean /{near[0]}? " if near else "/help lists them; "
        hint = f"{meant}a text that begins with a slash is written with two: //"
        raise Failure(f"there is no command /{one_line(name[:40])}", hint=hint)
    try:
        command.do(chat, rest.strip())
    except ValueError as error:
        reason = str(error)
    except ProxyLLMError as error:
        raise Failure.of(error) from None
    else:
        return
    raise Failure(f"/{name}: {reason}")


def completed(chat: Chat, beginning: str) -> Sequence[str]:
    """What a line that begins so may be meant to be."""
    if not beginning.startswith(COMMAND):
        return []
    if beginning.startswith("/model "):
        with suppress(ProxyLLMError):
            lines = [f"/model {name}" for name in chat.models()]
            return [line for line in lines if line.startswith(beginning)]
    return [f"/{name}" for name in COMMANDS if f"/{name}".startswith(beginning)]


def tokens(usage: Usage | None) -> str:
    """What an answer cost, in words."""
    if usage is None:
        return "tokens not reported"
    counted = f"{usage.prompt_tokens} + {usage.completion_tokens} = {usage.total_tokens} tokens"
    return counted if usage.source == "reported" else f"{counted} ({usage.source})"


# ------------------------------------------------------------------------------- the commands


def _help(_chat: Chat, _rest: str) -> None:
    formatter = click.HelpFormatter(width=min(get_terminal_size().columns, 80))
    formatter.write_dl([(command.usage, command.told) for command in COMMANDS.values()])
    formatter.write_paragraph()
    formatter.write_text(_INPUT)
    click.echo(formatter.getvalue(), err=True, nl=False)


def _model(chat: Chat, rest: str) -> None:
    if rest:
        chat.use(rest)
    chat.tell(f"model {chat.model}")
    others = [name for name in ([] if rest else chat.models()) if name != chat.model]
    if others:
        chat.tell(f"others: {', '.join(others)}")


def _system(chat: Chat, rest: str) -> None:
    if rest:
        chat.conversation.system = None if rest == _NO_SYSTEM else rest
    click.echo(shown(chat.conversation.system or "no instructions are set"), err=True)


def _save(chat: Chat, rest: str) -> None:
    _write(chat, rest, replace=False)


def _save_over(chat: Chat, rest: str) -> None:
    _write(chat, rest, replace=True)


def _load(chat: Chat, rest: str) -> None:
    saved = Saved.of_json(text_of_file(str(_path(rest))))
    chat.conversation = saved.conversation
    count = len(saved.conversation.rounds)
    chat.tell(f"{count} round{'' if count == 1 else 's'} loaded")
    if saved.model in (None, chat.model):
        return
    if saved.backend == chat.client.backend:
        with suppress(ModelNotFoundError):  # it was retired since, perhaps
            chat.use(str(saved.model))
            chat.tell(f"model {chat.model}")
            return
    chat.tell(f"they were with {saved.backend}, model {saved.model}; now {chat.model} answers")


def _undo(chat: Chat, _rest: str) -> None:
    question = chat.conversation.undo().question
    left = len(chat.conversation.rounds)
    chat.tell(f"taken back: {question[:60]}{'...' if len(question) > 60 else ''} ({left} left)")


def _retry(chat: Chat, _rest: str) -> None:
    chat.ask(chat.conversation.ask_again())


def _clear(chat: Chat, _rest: str) -> None:
    chat.conversation.clear()
    chat.tell("the conversation is empty; the instructions stay")


def _usage(chat: Chat, _rest: str) -> None:
    known = [usage for usage in chat.usages if usage is not None]
    chat.tell(f"last answer: {tokens(chat.usages[-1])}" if chat.usages else "nothing was asked")
    if len(chat.usages) > 1:
        total = sum(usage.total_tokens or 0 for usage in known)
        unknown = len(chat.usages) - len(known)
        rest = f", {unknown} without a report" if unknown else ""
        chat.tell(f"all {len(chat.usages)} answers: {total} tokens{rest}")


def _exit(chat: Chat, _rest: str) -> None:
    chat.is_over = True


class Command(NamedTuple):
    """One of them: how it is written, what it is for, and what it does with what follows it."""

    usage: str
    told: str
    do: Callable[[Chat, str], None]


COMMANDS: Mapping[str, Command] = {
    "help": Command("/help", "Show this.", _help),
    "model": Command("/model [NAME]", "Show the model, or change it.", _model),
    "system": Command(
        "/system [TEXT]", "Show the instructions, or set them; none: unset.", _system
    ),
    "save": Command("/save FILE", "Save the conversation in a new file.", _save),
    "save!": Command("/save! FILE", "The same, over a file that is there.", _save_over),
    "load": Command("/load FILE", "Go on with a saved conversation.", _load),
    "undo": Command("/undo", "Take the last round back.", _undo),
    "retry": Command("/retry", "Ask the last question again.", _retry),
    "clear": Command("/clear", "Forget the conversation.", _clear),
    "usage": Command("/usage", "Tell what the answers cost.", _usage),
    "exit": Command("/exit", "End the chat; so does Ctrl-D.", _exit),
}

_ALIASES = {"quit": "exit", "": "help", "?": "help"}

_INPUT = (
    f"Several lines stand between {FENCE} and {FENCE}, or Alt-Enter breaks the line. "
    "// begins a text with a slash. Ctrl-C stops an answer: it is kept as far as it came. One "
    "that fails isn't kept."
)


# -------------------------------------------------------------------------------------- files


def _path(name: str) -> Path:
    if not name:
        raise ValueError("which FILE?")
    try:
        return Path(name).expanduser()
    except RuntimeError:  # nobody knows where home is
        return Path(name)


def _write(chat: Chat, name: str, *, replace: bool) -> None:
    path = _path(name)
    saved = Saved(backend=chat.client.backend, model=chat.model, conversation=chat.conversation)
    # A lone surrogate, which UTF-8 hasn't, becomes the escape that JSON has for it.
    data = saved.to_json().encode(errors="backslashreplace")
    try:
        (_replace if replace else _create)(path, data)
    except FileExistsError:
        reason = f"{one_line(name)} is there already; /save! writes over it"
    except (OSError, ValueError) as error:
        # A ValueError for a name with a NUL in it.
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    else:
        chat.tell(f"saved: {path}")
        return
    raise ValueError(reason)


def _create(path: Path, data: bytes) -> None:
    # For its owner alone, as conversations are.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _replace(path: Path, data: bytes) -> None:
    # What was there stays until all of the new is written.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
