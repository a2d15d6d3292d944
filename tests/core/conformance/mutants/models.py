"""Mutants of models."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from modelplug import Capabilities, ModelMetadata, ModelRequest, ProxyLLMError
from modelplug.policies import Attempt, Opening
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient


@mutant(kills="MOD-01", words="without repetitions")
class RepeatsModels(ReferenceClient):
    """Lists its model and the alias that it has it from, which may be the same."""

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """One twice."""
        return [self.metadata(self.default_model), *await super().models()]


@mutant(kills="MOD-01", words="isn't in models()")
class ConstantDefault(ReferenceClient):
    """Has a default that it doesn't list."""

    @property
    def default_model(self) -> str:
        """A constant."""
        return "medium"


@mutant(kills="MOD-01", words="what is asked for by default")
class AsksForAnother(ReferenceClient):
    """Sends a model of its own for the default one, unless it is asked for by name."""

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """As ever."""
        return await super().models()

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Of the large one, where none is named."""
        asked = request if request.model else request.copy(model="large")
        return await super().open(asked, opening)


class FallsBack(ReferenceClient):
    """Asks its smallest model for what it doesn't know."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """With a model that there is."""
        model = request.model if request.model in ("small", "large") else "small"
        return super().payload(request) | {"model": model}


@mutant(kills="MOD-06", words="a client made for the model 'nobody-knows-7f3a'")
class FallsBackForClients(FallsBack):
    """Whoever named it."""


@mutant(kills="MOD-06", words="a request for the model 'nobody-knows-7f3a'")
class FallsBackForRequests(FallsBack):
    """Where a request named it."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """Its own model it takes as it is."""
        known = request.model == self.default_model
        return super().payload(request) | ({"model": request.model} if known else {})


@mutant(kills="MOD-02", words="the context length of")
class NoLength(ReferenceClient):
    """Knows no context length."""

    def metadata(self, model: str) -> ModelMetadata:
        """With 0 for it."""
        return replace(super().metadata(model), context_length=0)


@mutant(kills="MOD-02", words="by capabilities()")
class OldTable(ReferenceClient):
    """Has two tables of what models can do."""

    def metadata(self, model: str) -> ModelMetadata:
        """By the other one."""
        return replace(super().metadata(model), capabilities=Capabilities(native=["stop"]))


_CACHE: dict[str, list[ModelMetadata]] = {}


@mutant(kills="MOD-03", words="the other client's models")
class SharedModelCache(ReferenceClient):
    """Keeps the models of whoever asks first, under a key that is the same for all."""

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """Somebody's."""
        if "models" not in _CACHE:
            _CACHE["models"] = await super().models()
        return list(_CACHE["models"])


@mutant(kills="MOD-04", words="after its list was emptied")
class OneList(ReferenceClient):
    """Gives away the list that it keeps."""

    def __init__(self, names: Sequence[str], **options: Any) -> None:
        super().__init__(names, **options)
        self._listed: list[ModelMetadata] = []

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """Made once."""
        if not hasattr(self, "_made"):
            self._made = True
            self._listed += await super().models()
        return self._listed


@mutant(kills="MOD-05", words="connections after models()")
class AsksTheService(ReferenceClient):
    """Looks whether the service is there."""

    async def models(self, *, live: bool = False) -> list[ModelMetadata]:
        """After a question."""
        with suppress(ProxyLLMError):
            await self.generate("are you there?")
        return await super().models()
