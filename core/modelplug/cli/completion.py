"""``modelplug completion``, and what the Tab key offers where a backend is to be named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from click.types import StringParamType

from modelplug.cli.terminal import write

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["BackendType", "completion", "offer_backends"]

_MORE = """\
\b
To have it in each shell, add a line to what the shell reads when it starts:
  ~/.bashrc
    eval "$(modelplug completion bash)"
  ~/.zshrc, after compinit
    eval "$(modelplug completion zsh)"
  ~/.config/fish/config.fish
    modelplug completion fish | source

The Tab key then knows commands, options and the backends that are installed; in zsh and fish the
models of a backend, too, after its name and a colon.

\b
Examples:
  modelplug completion bash
  modelplug completion zsh > ~/.zfunc/_modelplug

\b
Exit status:
  0  written
  2  wrong usage
"""

_VARIABLE = "_MODELPLUG_COMPLETE"
"""By which the script calls the program: click's name for it."""


class BackendType(StringParamType):
    """A backend's name or a config string: any text, with backends to choose from.

    Names come from metadata alone. For models the one plugin is loaded that has them.
    """

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """What begins with what is there."""
        # Here: most of the program's runs complete nothing.
        from click.shell_completion import CompletionItem

        backend, colon, _ = incomplete.partition(":")
        found = [f"{backend}:{name}" for name in _models(backend)] if colon else _backends()
        return [CompletionItem(each) for each in found if each.startswith(incomplete)]


def offer_backends(command: click.Command) -> None:
    """Have a command's parameter ``backend``, if there is one, complete."""
    for parameter in command.params:
        if parameter.name == "backend":
            parameter.type = BackendType()


@click.command(epilog=_MORE)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Write a script that teaches SHELL the Tab key."""
    # Here, as above.
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    program = ctx.find_root()
    if found is not None:
        write(found(program.command, {}, str(program.info_name), _VARIABLE).source())


def _backends() -> Iterable[str]:
    # Here, as above.
    from modelplug.registry import registry

    return sorted({plugin.name for plugin in registry().backends()})


def _models(backend: str) -> Iterable[str]:
    # Here, as above.
    from modelplug.errors import ProxyLLMError
    from modelplug.registry import registry

    try:
        return [each.model for each in registry().load(backend).models]
    except ProxyLLMError:
        return []  # there is nobody to tell
