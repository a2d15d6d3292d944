"""Providers that are broken on purpose, a module for each area; each names the check it dies by.

::

    @mutant(kills="STR-01", words="the first output's text")
    class BuffersAll(ReferenceClient):
        \"\"\"Yields the whole answer at once.\"\"\"
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from modelplug import Backend, ProxyLLMClient
from tests.core.conformance.plugin import (
    REFERENCE,
    REFERENCE_BLOCKING,
    REFERENCE_INPROCESS,
    REFERENCE_SSE,
    backend,
)

ClientT = TypeVar("ClientT", bound=type[ProxyLLMClient])


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A broken provider.

    Attributes:
        name: its backend's name.
        client: its client, as ``module:class``.
        kills: the check that has to find it.
        words: what the check has to say of it.
        change: what its plugin tells otherwise; None for nothing.
        reference: the module of the reference that it is made of, whose harness is its own.
    """

    name: str
    client: str
    kills: str
    words: str
    change: Callable[[Backend], Backend] | None = None
    reference: str = REFERENCE

    def backend(self, name: str) -> Backend:
        """What its plugin tells."""
        told = backend(name, self.client, self.reference)
        return self.change(told) if self.change else told


_mutants: dict[str, Mutant] = {}


def mutant(
    *, kills: str, words: str, change: Callable[[Backend], Backend] | None = None
) -> Callable[[ClientT], ClientT]:
    """Make a mutant of a client class."""

    def registers(client: ClientT) -> ClientT:
        name = f"mutant-{client.__name__.lower()}"
        where = f"{client.__module__}:{client.__name__}"
        if name in _mutants:
            raise ValueError(f"two mutants are called {name}")
        _mutants[name] = Mutant(
            name=name,
            client=where,
            kills=kills,
            words=words,
            change=change,
            reference=_reference_of(client),
        )
        return client

    return registers


def _reference_of(client: type[ProxyLLMClient]) -> str:
    """The module of the reference that is nearest to a client."""
    references = (REFERENCE, REFERENCE_SSE, REFERENCE_INPROCESS, REFERENCE_BLOCKING)
    modules = (each.__module__ for each in client.__mro__)
    return next((each for each in modules if each in references), REFERENCE)


def all_mutants() -> list[Mutant]:
    """All that there are."""
    for each in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(each.name)
    return [_mutants[name] for name in sorted(_mutants)]


def mutant_of(name: str) -> Mutant | None:
    """The mutant of this name."""
    return next((each for each in all_mutants() if each.name == name), None)
