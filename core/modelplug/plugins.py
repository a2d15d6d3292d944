"""Plugins as the metadata of installed distributions tells of them, and importing one.

Whatever a plugin does while it is imported becomes a typed error here; nothing else is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from itertools import groupby
from types import ModuleType
from typing import TypeAlias

from modelplug.errors import (
    MissingDependencyError,
    PluginIncompatibleError,
    PluginLoadError,
    ProxyLLMError,
)

__all__ = ["InstalledPlugin", "installed", "load_attribute", "load_error", "load_module"]


_Told: TypeAlias = tuple[str, str, tuple[str, ...]]
"""What the metadata of a distribution tells: its name, its version, and what it requires."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledPlugin:
    """A plugin as the metadata of its distribution tells of it.

    Attributes:
        name: the entry point's: a backend's or an observer's.
        dist: the distribution that brings it; version: of that distribution.
        value: where it is, as the entry point says.
        requires: what the distribution needs, as its metadata spells it.
    """

    name: str
    dist: str
    version: str
    value: str
    requires: tuple[str, ...] = ()


def installed(group: str) -> Iterable[InstalledPlugin]:
    """All plugins of an entry-point group, from metadata alone."""
    plugins: list[InstalledPlugin] = []
    for dist, brought in groupby(_entry_points(group), key=lambda found: found.dist):
        try:
            name, version, requires = _told_of(dist)  # once, as one may bring many
        except Exception:  # noqa: BLE001, S112  # as below
            continue
        plugins += [
            InstalledPlugin(
                name=each.name, dist=name, version=version, value=each.value, requires=requires
            )
            for each in brought
        ]
    return plugins


def _entry_points(group: str) -> Iterable[EntryPoint]:
    try:
        return entry_points(group=group)
    except Exception:  # noqa: BLE001  # one distribution's metadata is broken: leave that one out
        return _sound_entry_points(group)


def _sound_entry_points(group: str) -> Iterable[EntryPoint]:
    # Slower than entry_points(), which is why that is tried first, but it can skip one.
    seen: set[str] = set()
    for dist in distributions():
        try:
            name, found = dist.name, list(dist.entry_points.select(group=group))
        except Exception:  # noqa: BLE001, S112  # whatever metadata can be broken by
            continue
        if name not in seen:
            seen.add(name)
            yield from found


def _told_of(dist: Distribution | None) -> _Told:
    """What a distribution is: by the head of its METADATA, where it has one.

    The standard library reads all of it, the long description too, as an e-mail, and anew for
    each attribute: of 26 ms of CPU time for a listing of 50 backends that was 20.
    """
    if dist is None:
        return "unknown", "unknown", ()
    # https://packaging.python.org/en/latest/specifications/core-metadata/
    head = (dist.read_text("METADATA") or "").partition("\n\n")[0]
    lines = head.split("\n")
    fields = [(name, text.strip()) for name, _, text in (line.partition(":") for line in lines)]
    one = dict(reversed(fields))
    is_plain = not any(line.startswith((" ", "\t")) for line in lines)  # or one goes on there
    if is_plain and one.get("Name") and one.get("Version"):
        requires = tuple(text for name, text in fields if name == "Requires-Dist")
        return one["Name"], one["Version"], requires
    # None where the metadata has no such line, whatever the library's types say.
    name, version = ((told or "").strip() for told in (dist.name, dist.version))
    return name or "unknown", version or "unknown", tuple(dist.requires or ())


def load_module(name: str, plugin: InstalledPlugin) -> ModuleType:
    """Import a module of a plugin; whatever it raises, SystemExit included, is an error of ours.

    Raises:
        PluginLoadError: the module raised.
        PluginIncompatibleError: its distribution wants another version of the core.
        MissingDependencyError: it needs a package that isn't installed.
    """
    failure: BaseException
    try:
        return import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a plugin may raise anything
        failure = error
    raise load_error(plugin, failure) from failure


def load_attribute(path: str, plugin: InstalledPlugin) -> object:
    """What ``"module:attribute"`` names.

    Raises:
        PluginLoadError: the module raised, or has no such attribute.
        PluginIncompatibleError: its distribution wants another version of the core.
        MissingDependencyError: it needs a package that isn't installed.
    """
    name, _, attribute = path.partition(":")
    module = load_module(name, plugin)
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        failure = error
    raise load_error(plugin, failure) from failure


def load_error(plugin: InstalledPlugin, failure: BaseException) -> ProxyLLMError:
    """What it means that a plugin raised ``failure`` while it was imported or asked."""
    who = f"{plugin.dist} {plugin.version}"
    if isinstance(failure, ProxyLLMError):
        return failure
    if isinstance(failure, ImportError):
        if (wanted := _other_core(plugin)) is not None:
            return PluginIncompatibleError(
                f"{who} wants {wanted}, and modelplug {_core_version()} is installed",
                backend=plugin.name,
                hint=f"pip install --upgrade {plugin.dist} modelplug",
            )
        missing = (failure.name or "").partition(".")[0]
        own = plugin.value.partition(".")[0]
        if isinstance(failure, ModuleNotFoundError) and missing not in ("", own, "modelplug"):
            return MissingDependencyError(
                f"{who} needs the module {missing}, which is not installed",
                backend=plugin.name,
                hint=f"pip install --force-reinstall {plugin.dist}",
            )
    return PluginLoadError(
        f"the plugin of {who} raised {type(failure).__name__} when it was loaded",
        backend=plugin.name,
        hint="the cause is above; other backends are not affected",
    )


def _other_core(plugin: InstalledPlugin) -> str | None:
    """What the plugin's distribution requires of the core, if the installed core isn't that."""
    # Deferred: only needed when something is broken, and it takes as long to import as pydantic.
    from packaging.requirements import InvalidRequirement, Requirement

    for text in plugin.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.name == "modelplug" and not requirement.specifier.contains(
            _core_version(), prereleases=True
        ):
            return f"modelplug{requirement.specifier}"
    return None


def _core_version() -> str:
    return Distribution.from_name("modelplug").version
