"""The models of a backend, as its plugin tells of them, or its service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelplug.capabilities import Capabilities, ModelMetadata
from modelplug.client import ProxyLLMClient
from modelplug.configuration import configured
from modelplug.factory import made
from modelplug.settings import CREDENTIALS

__all__ = ["Listed", "listed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A model of a list.

    Attributes:
        model: its name.
        default: whether it answers where none is named.
        context_length: tokens of input that it takes in.
        capabilities: what it can do.
        ext_metadata: whatever else its plugin tells.
    """

    model: str
    default: bool
    context_length: int
    capabilities: Capabilities
    ext_metadata: Mapping[str, object]

    @property
    def abilities(self) -> dict[str, frozenset[str]]:
        """What works, by how."""
        able = self.capabilities
        return {"native": frozenset(able.native), "emulated": frozenset(able.emulated)}

    def to_dict(self) -> dict[str, object]:
        """All of it, as JSON can tell it."""
        return {
            "model": self.model,
            "default": self.default,
            "context_length": self.context_length,
            "capabilities": self.capabilities.to_dict(),
            "ext_metadata": dict(self.ext_metadata),
        }


def listed(config: Mapping[str, object], *, live: bool = False) -> Sequence[Listed]:
    """The models of the backend that ``config`` is for, the default one first.

    Args:
        config: names the backend, or a profile.
        live: ask the service, with the account that there is; else nothing is sent anywhere.

    Raises:
        ConfigError: it is for none.
        PluginError: the backend isn't there, or its plugin is faulty.
        ProxyLLMError: asking the service failed.
    """
    if not live:
        # Whatever account there is stays unread, and whoever has none can look all the same.
        config = {**config, **dict.fromkeys(CREDENTIALS, "not-needed-to-look")}
    configuration = configured(config, {})
    with made(configuration) as client:
        if live:
            return [_listed(each, client) for each in asyncio.run(client.models(live=True))]
        table = {each.model: each for each in configuration.backend.models}
        names = dict.fromkeys((*client.model_names, *table))
        known = (table.get(name) or client.metadata(name) for name in names)
        limit = configuration.params.max_context_size
        return [_listed(each.with_context(limit), client) for each in known]


def _listed(known: ModelMetadata, client: ProxyLLMClient) -> Listed:
    return Listed(
        model=known.model,
        default=known.model in client.model_names[:1],
        context_length=known.context_length,
        capabilities=client.capabilities(known.model),
        ext_metadata=known.ext_metadata,
    )
