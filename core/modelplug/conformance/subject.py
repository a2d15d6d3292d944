"""Who is checked: a backend, the plugin that brings it, and what its author wrote for the kit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelplug.backend import Backend
from modelplug.configstring import ConfigString, Target
from modelplug.conformance.harness import Account, Harness
from modelplug.conformance.voice import HarnessFaultError, called, kind_of
from modelplug.errors import WrongUseError
from modelplug.plugins import InstalledPlugin, load_attribute
from modelplug.registry import registry

__all__ = ["Subject"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Who is checked.

    Attributes:
        backend: what the plugin says of itself.
        plugin: the plugin as its distribution's metadata has it.
        harness: what its author wrote for the kit.
    """

    backend: Backend
    plugin: InstalledPlugin
    harness: Harness

    @classmethod
    def of(cls, name: str, dist: str | None = None) -> Subject:
        """The installed backend called ``name``.

        Raises:
            WrongUseError: its plugin has no harness.
            PluginError: there is no such backend, or its plugin is faulty.
        """
        plugin = registry().find(name, dist)
        backend = registry().load(plugin.name, plugin.dist)
        if backend.harness is None:
            raise WrongUseError(
                f"{plugin.dist} {plugin.version} has no conformance harness for {name!r}",
                hint="its author names one by Backend(harness='module:attribute')",
            )
        harness = load_attribute(backend.harness, plugin)
        if not isinstance(harness, Harness):
            raise WrongUseError(f"{backend.harness} is no modelplug.conformance.Harness")
        return cls(backend=backend, plugin=plugin, harness=harness)

    def params(self, url: str, account: Account) -> Mapping[str, object]:
        """The arguments of ``new_client`` for a service at ``url`` and an account.

        Raises:
            HarnessFaultError: the harness raises, or gives none.
        """
        name, model = self.backend.name, self.harness.model
        target = Target(backend=name, dist=self.plugin.dist, model=model)
        backend = str(ConfigString(targets=(target,)))
        given: object = called(self.harness, "params", url, account, what=f"for {url}")
        if not isinstance(given, Mapping):
            raise HarnessFaultError(f"Harness.params for {url} gave {kind_of(given)}, no mapping")
        return {"backend": backend, **given}
