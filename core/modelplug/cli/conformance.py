"""``modelplug conformance``: checks a plugin against the contract, and compares what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelplug.cli.failure import FAILED
from modelplug.cli.terminal import one_line, write

if TYPE_CHECKING:
    from modelplug.conformance.directions import DirectionName
    from modelplug.conformance.report import Report

__all__ = ["conformance"]

_LEVELS = ("core", "streaming", "resilient", "complete")

_SETS = ("2026.1",)

_DIRECTIONS = ("async-stream", "sync-stream", "async", "sync")

_MORE = """\
"modelplug conformance BACKEND" is short for "modelplug conformance run BACKEND": see
"modelplug conformance run --help" for its options.

\b
Examples:
  modelplug conformance acme
  modelplug conformance acme --level streaming --junit junit.xml
  modelplug conformance acme --only STR-01 --direction async
  modelplug conformance acme --quick
  modelplug conformance --list
  modelplug conformance acme --json acme.json
  modelplug conformance merge acme.json parrot.json -o matrix.html
  modelplug conformance compare before.json acme.json
"""

_MORE_OF_RUN = """\
The kit plays the service, with all its faults, so no key and no network is needed. The plugin's
author has written a harness for it. Levels are core, streaming, resilient, complete; each asks
for all that the ones before it ask. A level that --only, --direction or --quick cut short isn't
shown. From resilient on, a level counts as sure once --repeat 3 has shown it.

\b
Exit status:
  0  conformant: nothing failed; with --strict or --level complete, no warning either
  1  something failed, or the baseline is stale
  2  wrong usage
  3  the plugin has no harness, or the harness is at fault: the run says nothing
"""


class _Runs(click.Group):
    """A group whose first word may be a backend: then the command is ``run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before what is neither a command nor a plea for help."""
        known = {*self.commands, *ctx.help_option_names}
        if args and args[0] not in known:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def _file(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    """A file that can be written once the run is over, as far as can be told before."""
    if value is not None and not value.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(value.parent)!r}")
    return value


_FILE = click.Path(dir_okay=False, path_type=Path)
_REPORT = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.group(cls=_Runs, epilog=_MORE, subcommand_metavar="BACKEND | COMMAND [ARGS]...")
def conformance() -> None:
    """Check a backend's plugin against the contract."""


@conformance.command(epilog=_MORE_OF_RUN)
@click.argument("backend", required=False)
@click.option("--level", type=click.Choice(_LEVELS), help="What to check. Default: everything.")
@click.option("--only", "ids", metavar="ID", multiple=True, help="This check; may be repeated.")
@click.option(
    "--direction",
    "directions",
    type=click.Choice(_DIRECTIONS),
    multiple=True,
    help="This way of asking; may be repeated.",
)
@click.option(
    "--quantum",
    type=click.FloatRange(0.01, 60),
    metavar="S",
    help="Seconds that all limits are multiples of: more for a slow machine. Default: 0.25, or"
    " 0.1 with --quick.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="Run so many times; what differs is flaky, and fails. 3 make sure of a level.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Look in so many processes. Default: one for each processor, 2 to 4; with --quick one"
    " more. 1 is this process, without a limit for what hangs.",
)
@click.option("--quick", is_flag=True, help="One way of asking for each check; gives no level.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    help="What random choices come from. Default: another one each time, which is told.",
)
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@click.option(
    "--set", "set_name", type=click.Choice(_SETS), help="What counts. Default: the newest set."
)
@click.option("--json", type=_FILE, callback=_file, metavar="F", help="Write a report as JSON.")
@click.option("--junit", type=_FILE, callback=_file, metavar="F", help="Write one for a CI.")
@click.option("--markdown", type=_FILE, callback=_file, metavar="F", help="Write one in Markdown.")
@click.option("--html", type=_FILE, callback=_file, metavar="F", help="Write one as a page.")
@click.option(
    "--badge",
    type=_FILE,
    callback=_file,
    metavar="F",
    help="Write the level: as a picture if F ends in .svg, else as JSON for shields.io.",
)
@click.option(
    "--baseline", type=_REPORT, metavar="F", help="What is known to fail: conformance-baseline.toml"
)
@click.option("--list", "lists", is_flag=True, help="List the checks, and run none.")
def run(
    *,
    backend: str | None,
    level: str | None,
    ids: tuple[str, ...],
    directions: tuple[DirectionName, ...],
    quantum: float | None,
    repeat: int,
    jobs: int | None,
    quick: bool,
    seed: int | None,
    strict: bool,
    set_name: str | None,
    baseline: Path | None,
    lists: bool,
    **files: Path | None,
) -> None:
    """Run the checks on BACKEND, which may be NAME@DISTRIBUTION."""
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.conformancerun import Plan, found, listed
    from modelplug.cli.reportfiles import write_files
    from modelplug.cli.summary import summary

    plan = Plan.of(
        level=level,
        ids=ids,
        directions=directions,
        quantum=quantum,
        repeat=repeat,
        jobs=jobs,
        seed=seed,
        quick=quick,
        strict=strict,
        set_name=set_name,
    )
    if lists:
        _say(listed(plan.checks))
        return
    if backend is None:
        raise click.UsageError("missing argument BACKEND")
    report = found(backend, plan, baseline)
    try:
        write_files(report, files)
    finally:  # what was found is told, even where a file of it can't be written
        _say(summary(report))
    if report.status:
        raise click.exceptions.Exit(report.status)


@conformance.command()
@click.argument("reports", type=_REPORT, nargs=-1, required=True, metavar="A.json B.json...")
@click.option(
    "-o", "--output", type=_FILE, callback=_file, required=True, metavar="F", help="The page."
)
def merge(*, reports: tuple[Path, ...], output: Path) -> None:
    """Make one page of several JSON reports: backends across, checks down."""
    # Here, as above.
    from modelplug.cli.reportfiles import write_text
    from modelplug.conformance.page import page

    write_text(output, page([_read(path) for path in reports]))


@conformance.command()
@click.argument("old", type=_REPORT, metavar="OLD.json")
@click.argument("new", type=_REPORT, metavar="NEW.json")
def compare(*, old: Path, new: Path) -> None:
    """Tell what changed between two JSON reports; status 1 if anything got worse."""
    # Here, as above.
    from modelplug.cli.summary import differences
    from modelplug.conformance.comparison import compared

    comparison = compared(_read(old), _read(new))
    _say(differences(comparison))
    if comparison.is_worse:
        raise click.exceptions.Exit(FAILED)


def _read(path: Path) -> Report:
    # Here, as above.
    from modelplug.cli.reportfiles import read_report
    from modelplug.conformance.reportfile import ReportError

    try:
        return read_report(path)
    except ReportError as error:
        message = f"{path}: {error.message}"
    raise click.UsageError(one_line(message))


def _say(lines: list[str]) -> None:
    for line in lines:
        write(one_line(line))
