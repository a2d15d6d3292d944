"""``modelplug backends``: what is installed, and whether it works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from modelplug.cli.failure import FAILED
from modelplug.cli.terminal import is_terminal, one_line, shown, to_json, write

if TYPE_CHECKING:
    from modelplug.cli.check import Verdict
    from modelplug.plugins import InstalledPlugin

__all__ = ["backends"]

_MORE = """\
Names come from the metadata of installed packages: no plugin is imported without --check,
which loads each in a process of its own.

Into a pipe each backend is one line, with tabs between: name, distribution, version, and with
--check its status and its capabilities or what failed.

\b
Examples:
  modelplug backends
  modelplug backends --check
  modelplug backends --json

\b
Exit status:
  0  listed; with --check: all of them work
  1  with --check: one doesn't
"""


_COLUMNS = ("backend", "distribution", "version", "status", "details")

_WIDE = 72
"""Characters across that all columns need; in fewer, the details stand below the table."""

_NARROW_COLUMNS = 4


@click.command(epilog=_MORE)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list instead.")
@click.option("--check", "checks", is_flag=True, help="Load each, and tell how that went.")
def backends(*, as_json: bool, checks: bool) -> None:
    """List the backends that are installed."""
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.check import check
    from modelplug.registry import registry

    found = registry().backends()
    verdicts = check(found) if checks else ()
    if as_json:
        write(to_json(_records(found, verdicts), indent=2))
    else:
        rows = [[plugin.name, plugin.dist, plugin.version] for plugin in found]
        for row, verdict in zip(rows, verdicts, strict=bool(verdicts)):
            row += [verdict.status, _details(verdict)]
        if rows and is_terminal():
            _draw(rows, header=_COLUMNS[: len(rows[0])])
        else:
            _write_lines(rows)
    _warn(found)
    if any(verdict.status != "ok" for verdict in verdicts):
        raise click.exceptions.Exit(FAILED)


def _details(verdict: Verdict) -> str:
    """What a verdict says beside its status, line by line."""
    return "\n".join(_abilities(verdict) if verdict.status == "ok" else _trouble(verdict))


def _abilities(verdict: Verdict) -> Iterator[str]:
    for state in ("native", "emulated"):
        names = [name for name, its in verdict.capabilities.items() if its == state]
        if names:
            yield f"{state}: {', '.join(names)}"
    if verdict.emulator:
        yield "has an emulator"


def _trouble(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.error}: {verdict.message}" if verdict.error else verdict.message or ""
    if verdict.cause:
        yield f"cause: {verdict.cause}"
    if verdict.hint:
        yield f"hint: {verdict.hint}"


def _records(
    found: Sequence[InstalledPlugin], verdicts: Sequence[Verdict]
) -> list[dict[str, object]]:
    records: list[dict[str, object]] = [
        {"name": plugin.name, "distribution": plugin.dist, "version": plugin.version}
        for plugin in found
    ]
    for record, verdict in zip(records, verdicts, strict=bool(verdicts)):
        record.update(asdict(verdict))
    return records


def _write_lines(rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        write("\t".join(one_line(cell.replace("\n", "; ")) for cell in row))


def _draw(rows: Sequence[Sequence[str]], *, header: Sequence[str]) -> None:
    # Here: it takes as long to import as all the rest, and only a terminal wants a table.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    columns = len(header) if console.width >= _WIDE else _NARROW_COLUMNS
    table = Table(*header[:columns], box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        # As Text: a name in brackets is no markup.
        table.add_row(*(Text(shown(cell), overflow="fold") for cell in row[:columns]))
    with console.capture() as drawn:
        console.print(table)
        for row in rows:
            for details in row[columns:]:
                console.print(Text(f"\n{shown(row[0])}\n{shown(details)}"))
    write(drawn.get(), nl=False)


def _warn(found: Sequence[InstalledPlugin]) -> None:
    """Tell of what asking for a backend by its name alone would meet."""
    if not found:
        click.echo("no backend is installed; plugins are usually called modelplug-NAME", err=True)
    for name, count in Counter(plugin.name for plugin in found).items():
        if count > 1:
            dists = [plugin.dist for plugin in found if plugin.name == name]
            told = f"{name!r} is brought by {' and by '.join(dists)}: write {name}@{dists[0]}"
            click.echo(f"warning: {one_line(told)}, or uninstall one", err=True)
