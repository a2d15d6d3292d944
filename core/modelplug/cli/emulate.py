"""``modelplug emulate``: a stand-in for a backend's service, on this machine."""

from __future__ import annotations

import click

__all__ = ["emulate"]

_MORE = """\
The first line on standard output is a JSON object: "url", "app_id", "api_key", "api_secret",
and under "environment" the variables that make the backend use the emulator. Standard error
says them as lines for a shell. Ctrl-C or SIGTERM stops it, with status 0.

How it behaves is set by -o, where it has settings: limits, failures, variants of the wire.
--settings lists them. A value is read as in a config string: commas make a list.

\b
Examples:
  modelplug emulate acme
  modelplug emulate acme --port 8765
  modelplug emulate acme --api-key k --api-secret s
  modelplug emulate acme --settings
  modelplug emulate acme -o per_second=2 -o tls=true

\b
Exit status:
  0  stopped
  1  no such backend, no emulator, or it can't listen
  2  wrong usage
"""


@click.command(epilog=_MORE)
@click.argument("backend")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any free one.")
@click.option("--app-id", metavar="TEXT", help="The account that it knows.")
@click.option("--api-key", metavar="TEXT", help="Its key: made up, never a real one.")
@click.option("--api-secret", metavar="TEXT", help="Its secret: made up, never a real one.")
@click.option(
    "-o",
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting of the emulator's own.",
)
@click.option("--settings", is_flag=True, help="List the settings, and run nothing.")
def emulate(
    *,
    backend: str,
    host: str,
    port: int,
    app_id: str | None,
    api_key: str | None,
    api_secret: str | None,
    options: tuple[str, ...],
    settings: bool,
) -> None:
    """Run a stand-in for the service of BACKEND, on this machine."""
    # Here, as in each command: pydantic and asyncio come along, and --help needn't wait.
    from modelplug.cli.options import read_options
    from modelplug.cli.server import EmulatorClass

    emulator = EmulatorClass.of(backend)
    if settings:
        emulator.list_settings()
        return
    account = {"app_id": app_id, "api_key": api_key, "api_secret": api_secret}
    emulator.serve(read_options(options), host=host, port=port, account=account)
