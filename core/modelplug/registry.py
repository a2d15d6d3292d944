"""Finding backends by name, and loading the plugin of one.

Names are read from the metadata of installed distributions, without importing anything. Only
the plugin that is asked for is imported, so a broken one harms nobody else. Each plugin module
gets a pluggy manager of its own: what it registers can't touch another, and a registration that
fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import pluggy

from modelplug import hookspecs
from modelplug.backend import CONTRACT, Backend
from modelplug.capabilities import ModelMetadata
from modelplug.client import ProxyLLMClient
from modelplug.errors import (
    BackendNotFoundError,
    PluginConflictError,
    PluginContractError,
    PluginIncompatibleError,
)
from modelplug.params import ProxyModelParameters, read_variable
from modelplug.plugins import InstalledPlugin, installed, load_attribute, load_error, load_module
from modelplug.settings import RESERVED_OPTIONS
from modelplug.spelling import nearest

__all__ = ["Registry", "registry"]

GROUP = "modelplug.backends"
"""The entry-point group: its names are the backends' names, its values plugin modules."""

ALLOW_VARIABLE = "MODELPLUG_BACKENDS"
"""Names, with commas between: no other backend is seen, let alone imported."""

OFF_VARIABLE = "MODELPLUG_PLUGINS_DISABLED"
"""Set to anything: no plugin at all is seen."""


class Registry:
    """The backends that are installed, and those that have been loaded.

    Args:
        scan: gives the installed backends; for tests.
    """

    def __init__(self, scan: Callable[[], Iterable[InstalledPlugin]] | None = None) -> None:
        self._scan = scan or (lambda: installed(GROUP))
        self._installed: Sequence[InstalledPlugin] | None = None
        self._managers: dict[tuple[str, str], pluggy.PluginManager] = {}

    def backends(self) -> Sequence[InstalledPlugin]:
        """All installed backends that are allowed, by name; imports no plugin."""
        if self._installed is None:
            self._installed = sorted(self._scan(), key=lambda each: (each.name, each.dist))
        return [each for each in self._installed if _is_allowed(each.name)]

    def refresh(self) -> None:
        """Look again: distributions were installed or removed."""
        self._installed = None

    def find(self, name: str, dist: str | None = None) -> InstalledPlugin:
        """The installed backend called ``name``; imports no plugin.

        Raises:
            BackendNotFoundError: there is none, or none of that distribution.
            PluginConflictError: several distributions bring one and ``dist`` picks none.
        """
        named = [each for each in self.backends() if each.name == name]
        found = [each for each in named if dist is None or _same_dist(each.dist, dist)]
        if len(found) == 1:
            return found[0]
        if found:
            dists = [each.dist for each in found]
            raise PluginConflictError(
                f"backend {name!r} is brought by {' and by '.join(dists)}",
                backend=name,
                hint=f"write {name}@{dists[0]}, or uninstall one",
            )
        raise self._not_found(name, dist)

    def load(self, name: str, dist: str | None = None) -> Backend:
        """The backend called ``name``; imports its plugin and no other.

        Raises:
            PluginError: it isn't there, can't be imported, or breaks the contract.
        """
        plugin = self.find(name, dist)
        manager = self._manager(plugin)
        try:
            given = manager.hook.modelplug_backend(name=name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may raise anything, SystemExit too
            raise load_error(plugin, error) from error
        return _checked(given, plugin)

    def load_client(self, backend: Backend, plugin: InstalledPlugin) -> type[ProxyLLMClient]:
        """The client class of a backend that was loaded.

        Raises:
            PluginError: it can't be imported, or is no client.
            MissingDependencyError: a package that it needs isn't installed.
        """
        client = load_attribute(backend.client, plugin)
        if not isinstance(client, type) or not issubclass(client, ProxyLLMClient):
            raise PluginContractError(
                f"{backend.client} of {plugin.dist} is no ProxyLLMClient", backend=backend.name
            )
        return client

    def _manager(self, plugin: InstalledPlugin) -> pluggy.PluginManager:
        """The manager of a plugin module; kept, as one module may bring many backends."""
        key = (plugin.dist, plugin.value)
        if ":" in plugin.value:
            raise PluginContractError(
                f"the entry point of {plugin.dist} {plugin.version} is {plugin.value!r}",
                backend=plugin.name,
                hint="it names the plugin's module, without ':attribute'",
            )
        if key not in self._managers:
            manager = pluggy.PluginManager("modelplug")
            manager.add_hookspecs(hookspecs)
            module = load_module(plugin.value, plugin)
            try:
                manager.register(module)
                manager.check_pending()
            except pluggy.PluginValidationError as error:
                raise PluginContractError(
                    f"the plugin of {plugin.dist} {plugin.version}: {error}",
                    backend=plugin.name,
                    hint="a hook is misspelt or has other parameters; tell the plugin's authors",
                ) from error
            self._managers[key] = manager
        return self._managers[key]

    def _not_found(self, name: str, dist: str | None) -> BackendNotFoundError:
        names = sorted({each.name for each in self.backends()})
        told = f"installed are {', '.join(names)}" if names else "no backend is installed"
        return BackendNotFoundError(
            f"there is no backend {name!r}{f' of {dist}' if dist else ''}; {told}",
            backend=name,
            hint=self._what_to_do(name, names),
        )

    def _what_to_do(self, name: str, names: Sequence[str]) -> str:
        dists = sorted({each.dist for each in self._installed or () if each.name == name})
        if name in names:
            return f"it is brought by {' and '.join(dists)}"
        if dists:
            off = read_variable(OFF_VARIABLE)
            cause = f"{OFF_VARIABLE} is set" if off else f"{ALLOW_VARIABLE} doesn't allow it"
            return f"{dists[0]} is installed, but {cause}"
        if near := nearest(name, names):
            return f"did you mean {near}?"
        return f"install its plugin, one that you trust; the usual name is modelplug-{name}"


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of this process: metadata is read once, plugins are loaded once."""
    return Registry()


def _is_allowed(name: str) -> bool:
    if read_variable(OFF_VARIABLE):
        return False
    allowed = read_variable(ALLOW_VARIABLE)
    return allowed is None or name in (each.strip() for each in allowed.split(","))


def _checked(given: Sequence[object], plugin: InstalledPlugin) -> Backend:
    """The one backend that a plugin's hook gave, if it keeps to the contract."""
    who = f"the plugin of {plugin.dist} {plugin.version}"
    if len(given) != 1 or not isinstance(given[0], Backend):
        raise PluginContractError(
            f"{who} gave no Backend for {plugin.name!r}",
            backend=plugin.name,
            hint="its hook modelplug_backend is missing, or doesn't know this name",
        )
    backend = given[0]
    if (fault := _fault_of(backend)) is not None:
        raise PluginContractError(f"{who} gave a Backend whose {fault}", backend=plugin.name)
    if backend.contract != CONTRACT:
        newer = "modelplug" if backend.contract > CONTRACT else plugin.dist
        raise PluginIncompatibleError(
            f"{who} was built for contract {backend.contract}, the core has {CONTRACT}",
            backend=plugin.name,
            hint=f"pip install --upgrade {newer}",
        )
    if backend.name != plugin.name:
        raise PluginContractError(
            f"{who} gave backend {backend.name!r} for {plugin.name!r}", backend=plugin.name
        )
    shadowed = RESERVED_OPTIONS & set(backend.options.model_fields if backend.options else ())
    if shadowed:
        raise PluginContractError(
            f"{who} has options whose names are the core's: {', '.join(sorted(shadowed))}",
            backend=plugin.name,
        )
    return backend


def _fault_of(backend: Backend) -> str | None:
    """What is wrong with a field that only its plugin can have got wrong."""
    contract: object = backend.contract
    if not isinstance(contract, int):
        return "contract is no number"
    for name in ("client", "harness", "emulator"):
        path = getattr(backend, name)
        if not (isinstance(path, str) and ":" in path) and (path is not None or name == "client"):
            return f"{name} is not named as 'module:attribute'"
    if backend.options is not None and not hasattr(backend.options, "model_fields"):
        return "options is no pydantic model"
    if not all(isinstance(each, ModelMetadata) for each in backend.models):
        return "models aren't ModelMetadata alone"
    unknown = {*backend.environment, *backend.required} - set(ProxyModelParameters.model_fields)
    if unknown:
        return f"environment or required names {', '.join(sorted(unknown))}, no field of the params"
    return None


def _same_dist(one: str, other: str) -> bool:
    return one.lower().replace("_", "-") == other.lower().replace("_", "-")
