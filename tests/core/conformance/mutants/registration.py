"""Mutants of plugins, and of what they tell."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from dataclasses import replace
from importlib import import_module
from importlib.metadata import entry_points

from modelplug import Backend, Capabilities, ModelMetadata
from modelplug.plugins import InstalledPlugin
from modelplug.registry import Registry
from tests.core.conformance.mutants import mutant
from tests.core.conformance.plugin import CAPABILITIES
from tests.core.conformance.reference import ReferenceClient

KIT = "modelplug.conformance.runner"


def _registered_by_the_kit(backend: Backend) -> Backend:
    return backend if KIT in sys.modules else replace(backend, client="nowhere:Client")


@mutant(kills="REG-01", words="in a process of its own", change=_registered_by_the_kit)
class NeedsAnImport(ReferenceClient):
    """Is there only once something else was imported."""


@mutant(
    kills="REG-02",
    words="differ in nothing but case",
    change=lambda backend: replace(
        backend, models=[*backend.models, ModelMetadata(model="Small", context_length=8192)]
    ),
)
class TwoOfOneName(ReferenceClient):
    """Has two models that config strings can't tell apart."""


_appended: list[ModelMetadata] = []


def _one_more(backend: Backend) -> Backend:
    _appended.extend(backend.models)
    return replace(backend, models=list(_appended))


@mutant(kills="REG-05", words="the Backend that the plugin tells at time 2", change=_one_more)
class Appends(ReferenceClient):
    """Appends to a list of the process each time that it is asked."""


@mutant(kills="REG-07", words="no line of text", change=lambda b: replace(b, summary=" "))
class NoSummary(ReferenceClient):
    """Tells nothing of itself."""


@mutant(
    kills="REG-07",
    words="variables of more than one field",
    change=lambda b: replace(b, environment={"proxy_api_key": "R", "proxy_api_base": "R"}),
)
class OneVariableForAll(ReferenceClient):
    """Reads address and key from one variable."""


@mutant(kills="REG-07", words="names no models", change=lambda b: replace(b, models=()))
class NoModels(ReferenceClient):
    """Has no models to list, and no list to ask for."""


@mutant(kills="REG-07", words="no home_page", change=lambda b: replace(b, home_page=None))
class NoHomePage(ReferenceClient):
    """Has no place to read more."""


@mutant(
    kills="REG-08",
    words="temperature is known",
    change=lambda b: replace(b, capabilities=Capabilities(native=["temprature"])),
)
class MisspeltClaim(ReferenceClient):
    """Claims what nobody asks for."""


@mutant(kills="REG-09", words="the context length of small")
class AnotherLength(ReferenceClient):
    """Tells one length in its table and another one later."""

    def metadata(self, model: str) -> ModelMetadata:
        """Copied from another model."""
        return replace(super().metadata(model), context_length=8192)


@mutant(kills="REG-09", words="what the backend claims and small can't do")
class ClaimsMore(ReferenceClient):
    """Claims for all models what some can't do."""

    def capabilities(self, model: str | None = None) -> Capabilities:
        """All but tools."""
        return Capabilities(native={*CAPABILITIES.native} - {"tools"})


@mutant(kills="REG-10", words="modules that came with the plugin")
class ImportsAll(ReferenceClient):
    """Its plugin imports everything, as those of all mutants do."""


@mutant(
    kills="REG-13",
    words="expected MissingDependencyError: and the name, got PluginLoadError",
    change=lambda b: replace(b, client="tests.core.conformance.needy:Needy"),
)
class ToldToInstall(ReferenceClient):
    """Says by a ValueError what to install, and names another package."""


def _looks_up(backend: Backend) -> Backend:
    socket.getaddrinfo("localhost", 9)
    return backend


@mutant(kills="REG-11", words="socket.getaddrinfo", change=_looks_up)
class LoadsPrices(ReferenceClient):
    """Would load a table from its home page."""


def _prints(backend: Backend) -> Backend:
    if KIT not in sys.modules:
        sys.stdout.write("Welcome!\n")
    return backend


@mutant(kills="REG-12", words="Welcome!", change=_prints)
class Greets(ReferenceClient):
    """Says hello."""


def _configures(backend: Backend) -> Backend:
    if KIT not in sys.modules:
        logging.basicConfig(level=logging.DEBUG)
    return backend


@mutant(kills="REG-12", words="the root logger's handlers", change=_configures)
class ConfiguresLogging(ReferenceClient):
    """Sets up logging for everybody."""


def _sets(backend: Backend) -> Backend:
    if KIT not in sys.modules:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return backend


@mutant(kills="REG-12", words="TOKENIZERS_PARALLELISM", change=_sets)
class SetsVariable(ReferenceClient):
    """Sets a variable that its library wants."""


def _starts(backend: Backend) -> Backend:
    if KIT not in sys.modules:
        threading.Thread(target=threading.Event().wait, name="telemetry", daemon=True).start()
    return backend


@mutant(kills="REG-12", words="the threads", change=_starts)
class StartsThread(ReferenceClient):
    """Has a thread in the background."""


def _takes_the_name(backend: Backend) -> Backend:
    if KIT not in sys.modules:
        find = Registry.find

        def first(self: Registry, name: str, dist: str | None = None) -> InstalledPlugin:
            return find(self, name, dist or "modelplug-reference")

        Registry.find = first  # type: ignore[method-assign]  # the fault
    return backend


@mutant(kills="REG-03", words="that name gives modelplug-reference", change=_takes_the_name)
class TakesTheName(ReferenceClient):
    """Sees to it that its name is its own, whoever else has it."""


def _loads_all(backend: Backend) -> Backend:
    if KIT not in sys.modules:
        for each in entry_points(group="modelplug.backends"):
            if each.module != "conformance_reference":
                each.load()
    return backend


@mutant(kills="REG-04", words="beside modelplug-conformance-broken the plugin", change=_loads_all)
class LoadsAll(ReferenceClient):
    """Looks at all plugins, to see who else is there."""


@mutant(
    kills="REG-06",
    words="gives no error",
    change=lambda b: replace(b, contract=import_module("modelplug").CONTRACT),
)
class OfAnyContract(ReferenceClient):
    """Was built for whichever contract there is, as it says."""


@mutant(
    kills="REG-14",
    words="has a file py.typed",
    change=lambda b: replace(b, client="tests.support.untyped:Untyped"),
)
class Unannounced(ReferenceClient):
    """Has types, and keeps them to itself."""
