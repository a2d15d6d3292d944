"""What ``modelplug emulate`` runs: a backend's emulator, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import cast

import click
from pydantic import BaseModel

from modelplug.backend import Emulator
from modelplug.cli.failure import Failure
from modelplug.cli.logs import log_plainly
from modelplug.cli.terminal import one_line, to_json, write
from modelplug.configstring import ConfigString
from modelplug.errors import PluginContractError, PluginError
from modelplug.params import validated
from modelplug.plugins import InstalledPlugin, load_attribute
from modelplug.registry import registry
from modelplug.schema import settings_told

__all__ = ["EmulatorClass"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatorClass:
    """The emulator that a plugin brings, before there is one.

    Attributes:
        backend: the backend's name.
        make: its class.
    """

    backend: str
    make: Callable[..., Emulator]

    @classmethod
    def of(cls, name: str) -> EmulatorClass:
        """That of the backend called ``name``.

        Raises:
            Failure: the backend has no emulator.
            ProxyLLMError: there is no such backend, or its plugin is faulty.
        """
        log_plainly()
        target = ConfigString.parse(name).targets[0]
        plugin = registry().find(target.backend or name, target.dist)
        backend = registry().load(plugin.name, plugin.dist)
        if backend.emulator is None:
            raise Failure(
                f"{backend.name} of {plugin.dist} {plugin.version} has no emulator",
                hint=_another(plugin),
            )
        make = cast(Callable[..., Emulator], load_attribute(backend.emulator, plugin))
        return cls(backend=backend.name, make=make)

    @property
    def settings(self) -> type[BaseModel] | None:
        """The model of its own settings, if it has any.

        Raises:
            PluginContractError: it is no pydantic model.
        """
        told = getattr(self.make, "settings", None)
        if told is None or (isinstance(told, type) and issubclass(told, BaseModel)):
            return told
        raise PluginContractError(
            f"the settings of the emulator of {self.backend} are no pydantic model"
        )

    def list_settings(self) -> None:
        """Write name, values, default and meaning of each setting, a line each."""
        told = settings_told(self.settings) if self.settings else []
        for each in told:
            write("\t".join(map(one_line, each)))
        if not told:
            click.echo(f"the emulator of {self.backend} has no settings of its own", err=True)

    def serve(
        self,
        options: Mapping[str, object],
        *,
        host: str,
        port: int,
        account: Mapping[str, str | None],
    ) -> None:
        """Run it until SIGINT or SIGTERM.

        Raises:
            Failure: it can't listen there.
            ConfigError: there is no such setting, or its value is a bad one.
        """
        whose = f"settings of the emulator of {self.backend}"
        model = self.settings or _NoSettings
        made = validated(model, options, whose=whose, fit=True)
        given = {name: getattr(made, name) for name in made.model_fields_set}
        emulator = self.make(host=host, port=port, **account, **given)
        asyncio.run(_serve(emulator, self.backend, f"{host}, port {port}"))


def _another(plugin: InstalledPlugin) -> str:
    """What to do without an emulator: that of a sibling, for the same client, may do."""
    names = [each.name for each in registry().backends() if each.dist == plugin.dist]
    for name in sorted(names, key=lambda name: plugin.dist != f"modelplug-{name}"):
        with suppress(PluginError):  # its own fault, and not what was asked for
            if registry().load(name, plugin.dist).emulator is not None:
                return (
                    f"'modelplug emulate {name}' runs one of the same plugin;"
                    f" lead {plugin.name} there by api_base and api_key"
                )
    return "'modelplug backends --check' shows which backends have one"


class _NoSettings(BaseModel, extra="forbid"):
    """Of an emulator that has none."""


async def _serve(emulator: Emulator, name: str, place: str) -> None:
    serving = asyncio.ensure_future(_served(emulator, name, place))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: there Ctrl-C cancels of its own accord
            loop.add_signal_handler(number, serving.cancel)
    with suppress(asyncio.CancelledError):
        await serving
    click.echo("\nStopped.", err=True)


async def _served(emulator: Emulator, name: str, place: str) -> None:
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(emulator)
        except OSError as error:
            reason = _reason(error)
            hint = "give another --port, or none for any free one; --host is this machine's"
            raise Failure(f"the emulator can't listen on {place}: {reason}", hint=hint) from None
        _announce(emulator, name)
        await asyncio.get_running_loop().create_future()


def _reason(error: OSError) -> str:
    number = error.errno or 0  # negative for a name that isn't found, which then has good words
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def _announce(emulator: Emulator, name: str) -> None:
    told, variables = emulator.describe(), dict(emulator.environment())
    write(to_json({"backend": name, **told, "environment": variables}))
    click.echo(f"# The emulator of {name} listens on {told['url']}. To use it:\n", err=True)
    for variable, value in variables.items():
        click.echo(f"export {variable}={shlex.quote(one_line(value))}", err=True)
    config = shlex.quote(one_line(told.get("config", name)))
    click.echo(f'\n# modelplug ask "Hello" -b {config}\n# Ctrl-C stops it.', err=True)
