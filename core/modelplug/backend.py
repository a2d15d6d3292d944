"""What a plugin tells about a backend: one frozen value, light to make."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from modelplug.capabilities import Capabilities, ModelMetadata

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["CONTRACT", "Backend", "Emulator"]

CONTRACT = 1
"""The version of the contract between core and plugins. It counts up when a plugin that was
written for the version before would no longer work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """A backend, as its plugin describes it.

    What is heavy is named by a string ``"module:attribute"`` and imported on use, so that
    telling about a backend costs nothing.

    Attributes:
        name: the name in config strings, the same as the entry point's.
        summary: one line for listings.
        contract: the ``CONTRACT`` that the plugin was built for, as a number of its own.
        client: ``"module:attribute"`` of its ProxyLLMClient.
        harness: the same of its conformance harness.
        emulator: the same of its Emulator.
        options: the pydantic model of the options that are its own.
        models: the models that it knows; one that it doesn't may still work.
        capabilities: what its models have in common.
        environment: params fields and the variables that they are read from.
        required: params fields without which no client can be made.
        home_page: where to read more.
    """

    name: str
    summary: str
    contract: int
    client: str
    harness: str | None = None
    emulator: str | None = None
    options: type[BaseModel] | None = None
    models: Sequence[ModelMetadata] = ()
    capabilities: Capabilities = field(default_factory=Capabilities)
    environment: Mapping[str, str] = field(default_factory=dict)
    required: Collection[str] = ()
    home_page: str | None = None


class Emulator(Protocol):
    """A local stand-in for a backend's service: what ``modelplug emulate`` runs.

    Made with ``host``, ``port`` (0: any free one), ``app_id``, ``api_key`` and ``api_secret``,
    all by keyword; None stands for a value of the emulator's choice. A class attribute
    ``settings``, if there is one, is a pydantic model whose fields it is made with as well: what
    ``modelplug emulate -o NAME=VALUE`` sets. It serves while it is entered.
    """

    def describe(self) -> Mapping[str, str]:
        """``url`` and the credentials that it accepts, by name.

        Also ``config``, a config string for it, where the backend's name alone doesn't do.
        """
        ...  # pragma: no cover

    def environment(self) -> Mapping[str, str]:
        """The variables that make the backend's client use it."""
        ...  # pragma: no cover

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
