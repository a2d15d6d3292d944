"""What ``modelplug emulate`` runs: a backend's emulator, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import cast

import click

from modelplug.backend import Emulator
from modelplug.cli.failure import Failure
from modelplug.cli.logs import log_plainly
from modelplug.cli.terminal import one_line, to_json, write
from modelplug.configstring import ConfigString
from modelplug.plugins import load_attribute
from modelplug.registry import registry

__all__ = ["serve"]


def serve(
    name: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    app_id: str | None = None,
    api_key: str | None = None,
    api_secret: str | None = None,
) -> None:
    """Run the emulator of the backend called ``name`` until SIGINT or SIGTERM.

    Raises:
        Failure: the backend has no emulator, or it can't listen there.
        ProxyLLMError: there is no such backend, or its plugin is faulty.
    """
    log_plainly()
    target = ConfigString.parse(name).targets[0]
    plugin = registry().find(target.backend or name, target.dist)
    backend = registry().load(plugin.name, plugin.dist)
    if backend.emulator is None:
        raise Failure(
            f"{backend.name} of {plugin.dist} {plugin.version} has no emulator",
            hint="'modelplug backends --check' shows which backends have one",
        )
    make = cast(Callable[..., Emulator], load_attribute(backend.emulator, plugin))
    emulator = make(host=host, port=port, app_id=app_id, api_key=api_key, api_secret=api_secret)
    asyncio.run(_serve(emulator, backend.name, f"{host}, port {port}"))


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
    click.echo(f"The emulator of {name} listens on {told['url']}. To use it:\n", err=True)
    for variable, value in variables.items():
        click.echo(f"export {variable}={_quoted(one_line(value))}", err=True)
    click.echo(f'modelplug ask "Hello" -b {name}\n\nCtrl-C stops it.', err=True)


def _quoted(value: str) -> str:
    """``value`` for a shell."""
    return "'" + value.replace("'", "'\"'\"'") + "'"
