"""The program itself: its commands, and how whatever they raise ends it."""

from __future__ import annotations

from shutil import get_terminal_size
from typing import Any

import click

from modelplug.cli.ask import ask
from modelplug.cli.backends import backends
from modelplug.cli.chat import chat
from modelplug.cli.completion import completion, offer_backends
from modelplug.cli.conformance import conformance
from modelplug.cli.emulate import emulate
from modelplug.cli.explain import explain
from modelplug.cli.failure import outcome
from modelplug.cli.models import models
from modelplug.cli.profiles import profiles
from modelplug.cli.terminal import write_anything
from modelplug.cli.tokens import tokens

__all__ = ["app"]


class App(click.Group):
    """The group of commands; here alone errors become messages and exit statuses."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Have help as wide as the terminal: click's own is never narrower than 50 columns."""
        extra.setdefault("terminal_width", min(get_terminal_size().columns, 80))
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        write_anything()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # no tracebacks
            failure = outcome(error)
        raise failure


_MORE = """\
\b
Examples:
  modelplug ask "What is a monad?" -b echo
  modelplug ask "Sum this up." -f report.txt
  modelplug backends --check

COMMAND --help has more of them. Exit status: 0, 1 on a failure, 2 on wrong usage, 130 on
Ctrl-C.
"""


@click.group(
    "modelplug",
    cls=App,
    epilog=_MORE,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="modelplug", message="%(prog)s %(version)s")
def app() -> None:
    """Ask language models through backends that are plugins.

    Which one answers is a matter of a config string: BACKEND[:MODEL][?NAME=VALUE&...].
    """


for command in (ask, backends, chat, completion, emulate, explain, models, profiles, tokens):
    offer_backends(command)
    app.add_command(command)
app.add_command(conformance)
offer_backends(conformance.commands["run"])
