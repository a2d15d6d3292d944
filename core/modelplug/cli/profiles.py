"""``modelplug profiles``: what ``modelplug.toml`` has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from modelplug.cli.failure import FAILED, Failure
from modelplug.cli.terminal import is_terminal, one_line, shown, to_json, write

if TYPE_CHECKING:
    from modelplug.backend import Backend
    from modelplug.profiles import Profiles

__all__ = ["profiles"]

_MORE = """\
The file is the one that $MODELPLUG_CONFIG names (none is no file), else the nearest modelplug.toml
from here upwards, else the one in your own folder: ~/.config/modelplug.

Into a pipe each profile is one line, with tabs between: name, backend, file, and "default" if it
is that.

--schema knows the options of the installed backends. Editors take it from a line at the top:
#:schema ./modelplug.schema.json

\b
Examples:
  modelplug profiles
  modelplug profiles --json
  modelplug profiles --schema > modelplug.schema.json
  modelplug ask "Hi" --profile prod

\b
Exit status:
  0  listed
  1  the file can't be read, or a profile in it can't be; the others are listed
  2  wrong usage
"""


@click.command(epilog=_MORE)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list instead.")
@click.option("--schema", is_flag=True, help="Write the file's JSON Schema, for editors.")
def profiles(*, as_json: bool, schema: bool) -> None:
    """List the profiles of modelplug.toml."""
    # Here, as in each command: pydantic comes along, and --help needn't wait.
    from modelplug.profiles import read_profiles
    from modelplug.schema import profile_schema

    if schema:
        write(to_json(profile_schema(_backends()), indent=2))
        return
    found = read_profiles()
    rows = [
        [name, its.targets, str(its.file), "default" if its is found.default else ""]
        for name, its in found.profiles.items()
    ]
    if as_json:
        write(to_json(_records(rows), indent=2))
    elif rows and is_terminal():
        _draw(rows)
    else:
        for row in rows:
            write("\t".join(map(one_line, row)).rstrip("\t"))
    _tell_of_none(found)
    for fault in found.faults.values():
        Failure.of(fault).show()
    if found.faults:
        raise click.exceptions.Exit(FAILED)


def _records(rows: Sequence[Sequence[str]]) -> list[dict[str, object]]:
    return [
        {"name": name, "backend": backend, "file": file, "default": bool(default)}
        for name, backend, file, default in rows
    ]


def _draw(rows: Sequence[Sequence[str]]) -> None:
    """A line for each below the file's, with a star at the default one."""
    write(shown(rows[0][2]))
    width = max(len(shown(row[0])) for row in rows)
    for name, backend, _, default in rows:
        write(f"{'*' if default else ' '} {shown(name):{width}}  {shown(backend)}")


def _tell_of_none(found: Profiles) -> None:
    if found.file is None:
        click.echo("there is no modelplug.toml; 'modelplug profiles --help' says where", err=True)
    elif not (found.profiles or found.faults):
        click.echo(f"{one_line(str(found.file))} has no profile", err=True)


def _backends() -> Iterator[Backend]:
    """The installed backends but for those that can't be loaded."""
    # Here: only the schema needs them.
    from modelplug.errors import PluginError
    from modelplug.registry import registry

    for name in dict.fromkeys(plugin.name for plugin in registry().backends()):
        try:
            yield registry().load(name)
        except PluginError as error:
            click.echo(f"warning: {one_line(error.message)}: its options aren't known", err=True)
