"""``modelplug explain``: where each value came from, and what would be sent."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from modelplug.cli.failure import FAILED
from modelplug.cli.parameters import backend_option, options_option, profile_option, system_option
from modelplug.cli.prompt import encodable, note_profile
from modelplug.cli.terminal import one_line, shown, to_json, write

if TYPE_CHECKING:
    from modelplug.explanation import ExplainedValue, Explanation

__all__ = ["explain"]

_MORE = """\
A value comes from the first of these that has it: argument, config string, profile that is asked
for by name, environment, default profile, default. Credentials all come from one of them.

Values that are at their default are left out without --all. With PROMPT, the message that would
be sent is shown, if the backend's plugin can tell. Nothing is sent, no secret is shown, and none
need be there. Of a CONFIG with several targets, a | b, each is explained in turn.

\b
Examples:
  modelplug explain
  modelplug explain -b spark:lite "Hi"
  modelplug explain --profile prod -o top_k=3 "Hi"
  modelplug explain -b @prod --json
  modelplug explain -b "spark | echo" "Hi"

\b
Exit status:
  0  a call could be made
  1  it would fail before anything is sent, or so would one to fall back to
  2  wrong usage
"""


@click.command(epilog=_MORE)
@click.argument("prompt", required=False, callback=encodable)
@backend_option
@profile_option
@system_option
@options_option
@click.option("-a", "--all", "everything", is_flag=True, help="Show what is at its default, too.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, with everything.")
def explain(
    *,
    prompt: str | None,
    backend: str | None,
    profile: str | None,
    system: str | None,
    options: tuple[str, ...],
    everything: bool,
    as_json: bool,
) -> None:
    """Show where each value comes from, and what would be sent."""
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.choice import choice
    from modelplug.cli.logs import log_plainly
    from modelplug.explanation import explain as explained
    from modelplug.messages import ModelMessage

    log_plainly()
    note_profile(prompt, backend, profile)
    roles = (("system", system), ("human", prompt))
    messages = [ModelMessage(role, text) for role, text in roles if text]
    request = messages if prompt else None
    told = explained(choice(backend, options, profile), request)
    in_turn = (told, *told.fallbacks)
    if as_json:
        write(to_json(told.to_dict(), indent=2))
    else:
        for each in in_turn:
            if each is not told:
                write("\nif that fails before its answer begins:\n")
            for line in _lines(each, everything=everything, asked=bool(prompt)):
                write(line)
    if any(each.failures for each in in_turn):
        raise click.exceptions.Exit(FAILED)


def _lines(told: Explanation, *, everything: bool, asked: bool) -> Iterator[str]:
    yield from _wrapped(f"plugin: {told.distribution} {told.version}")
    for name, value in told.values.items():
        if everything or value.origin != "default" or value.variable or name == "model":
            yield from _wrapped(f"{name} = {_written(name, value)}")
            yield from _wrapped(_from(value), indent=4)
    for label, texts in (
        (f"refused (on_unsupported is {told.on_unsupported})", told.refused),
        ("emulated by the plugin", [", ".join(told.emulated)] if told.emulated else []),
        ("warning", told.warnings),
        ("would fail", told.failures),
    ):
        for text in texts:
            yield ""
            yield from _wrapped(f"{label}: {text}")
    if told.request is not None:
        yield ""
        yield from _wrapped(
            "would be sent:" if not told.failures else "would be sent, without that:"
        )
        yield shown(to_json(told.request, indent=2))
    elif asked and not told.failures:
        yield ""
        yield f"{told.distribution} doesn't tell what it would send"


def _written(name: str, value: ExplainedValue) -> str:
    if value.value is None:
        return "off" if name.startswith("timeouts.") else "not set"
    return to_json(value.value)


def _from(value: ExplainedValue) -> str:
    origin = f"{value.origin} {value.where}" if value.where else value.origin
    told = f"from {origin}"
    if value.value is None and value.variable:
        told = f"{value.variable} would set it"
    if value.overridden:
        told += f", over {', '.join(value.overridden)}"
    return told


def _wrapped(text: str, *, indent: int = 0) -> Iterator[str]:
    """A text in lines that fit the terminal; a long word, such as a path, stays whole."""
    yield from textwrap.wrap(
        one_line(text),
        max(get_terminal_size().columns, 20),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
