"""``modelplug models``: what a backend can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from modelplug.cli.parameters import backend_option, profile_option
from modelplug.cli.terminal import is_terminal, one_line, shown, to_json, write

if TYPE_CHECKING:
    from modelplug.cli.modellist import Listed

__all__ = ["models"]

_MORE = """\
They come from the table of the backend's plugin: nobody is asked, and no account is needed. A
star marks the model that answers where none is named. A model that isn't listed may still work.
With --live the service is asked for its own list, with your account, where it has one. A
context of 4096 tokens may be a guess, as for any model of which nobody knows it.

Into a pipe each model is one line, with tabs between: name, tokens of context, "default" if it
is that, and its capabilities.

\b
Examples:
  modelplug models -b spark
  modelplug models -b spark:lite --json
  modelplug models -b ollama --live
  modelplug ask "Hi" -b spark:lite

\b
Exit status:
  0  listed
  1  there is no such backend, it is faulty, or its service gave no list
  2  wrong usage
"""


_WIDE = 72
"""Characters across that all columns need; in fewer, the last stands below the others."""


@click.command(epilog=_MORE)
@backend_option
@profile_option
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list instead.")
@click.option("--live", is_flag=True, help="Ask the service for its own list.")
def models(*, backend: str | None, profile: str | None, as_json: bool, live: bool) -> None:
    """List the models of a backend."""
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.choice import choice
    from modelplug.cli.logs import log_plainly
    from modelplug.cli.modellist import listed

    log_plainly()
    found = listed(choice(backend, (), profile), live=live)
    if not found:
        told = "the service lists none" if live else "none are listed; --live asks the service"
        click.echo(told, err=True)
    if as_json:
        write(to_json([each.to_dict() for each in found], indent=2))
    elif is_terminal():
        _draw(found)
    else:
        for each in found:
            mark = "default" if each.default else ""
            cells = (each.model, str(each.context_length), mark, "; ".join(_told(each.abilities)))
            write("\t".join(map(one_line, cells)))


def _draw(found: Sequence[Listed]) -> None:
    """What all models can do, once; then each with what it can do besides."""
    # Here: it takes as long to import as all the rest, and only a terminal wants a table.
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if not found:
        return
    common = {
        state: frozenset.intersection(*(each.abilities[state] for each in found))
        for state in found[0].abilities
    }
    console = Console()
    table = Table("", "model", box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("context", justify="right", no_wrap=True)
    is_wide = console.width >= _WIDE
    if is_wide:
        table.add_column("and" if any(common.values()) else "can do")
    for each in found:
        mark, name = "*" if each.default else "", Text(shown(each.model), overflow="fold")
        own = {state: names - common[state] for state, names in each.abilities.items()}
        told = Text(shown("\n".join(_told(own))))
        table.add_row(mark, name, f"{each.context_length:,}", *([told] if is_wide else ()))
        if told and not is_wide:
            table.add_row("", Padding(told, (0, 0, 0, 2)))
    with console.capture() as drawn:
        if any(common.values()):
            console.print(Text("all of them", style="bold"))
            console.print(Padding(Text(shown("\n".join(_told(common)))), (0, 0, 1, 2)))
        console.print(table)
    write(drawn.get(), nl=False)


def _told(abilities: dict[str, frozenset[str]]) -> list[str]:
    return [f"{state}: {', '.join(sorted(names))}" for state, names in abilities.items() if names]
