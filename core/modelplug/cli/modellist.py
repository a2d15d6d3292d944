"""The models of a backend, as its plugin tells of them: nothing is sent anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelplug.capabilities import Capabilities
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


def listed(config: Mapping[str, object]) -> Sequence[Listed]:
    """The models of the backend that ``config`` is for, the default one first.

    Raises:
        ConfigError: it is for none.
        PluginError: the backend isn't there, or its plugin is faulty.
    """
    # Whatever account there is stays unread, and whoever has none can look all the same.
    given = {**config, **dict.fromkeys(CREDENTIALS, "not-needed-to-look")}
    configuration = configured(given, {})
    with made(configuration) as client:
        # Not client.models(), which may be a call of the service.
        table = {each.model: each for each in configuration.backend.models}
        limit = configuration.params.max_context_size
        found = []
        for name in dict.fromkeys((*client.model_names, *table)):
            known = table.get(name) or client.metadata(name)
            found.append(
                Listed(
                    model=name,
                    default=name == client.default_model,
                    context_length=limit or known.context_length,
                    capabilities=client.capabilities(name),
                    ext_metadata=known.ext_metadata,
                )
            )
        return found
