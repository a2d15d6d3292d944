"""Options that several commands have: the same name, the same words, the same meaning."""

from __future__ import annotations

import click

from modelplug.cli.prompt import encodable

__all__ = ["backend_option", "options_option", "profile_option", "system_option"]

backend_option = click.option(
    "-b",
    "--backend",
    metavar="CONFIG",
    help="BACKEND[:MODEL][?NAME=VALUE&...]. Default: $MODELPLUG_BACKEND, or the default profile.",
)

profile_option = click.option(
    "--profile", metavar="NAME", help="A profile of modelplug.toml: as -b @NAME."
)

system_option = click.option(
    "-s", "--system", metavar="TEXT", callback=encodable, help="Instructions: the system message."
)

options_option = click.option(
    "-o",
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set an option, over CONFIG's.",
)
