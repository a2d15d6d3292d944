"""REG: how a plugin is found, what it tells, and that it does nothing besides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from modelplug.backend import CONTRACT
from modelplug.capabilities import CAPABILITY_NAMES, Capabilities
from modelplug.client import ProxyLLMClient
from modelplug.conformance.check import check
from modelplug.conformance.importer import AHEAD
from modelplug.conformance.importing import Found, Neighbour, importing
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable
from modelplug.errors import (
    MissingDependencyError,
    PluginConflictError,
    PluginIncompatibleError,
    PluginLoadError,
)
from modelplug.plugins import load_attribute
from modelplug.registry import Registry

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@check("REG-01", "found by its metadata", profile="core", directions=())
def found_by_its_metadata(lab: Lab) -> None:
    """A process that has imported the core alone finds the backend and loads its client."""
    found = _imported(lab)
    expected = lab.backend.client.partition(":")[2]
    lab.expect.equal("the client class in a process of its own", expected, found["client"])


@check("REG-02", "names", profile="core", directions=())
def names(lab: Lab) -> None:
    """The backend's name is lower-case, and so different that no two of its models share one."""
    name = lab.backend.name
    told = f"{name!r} has other characters than lower-case letters, digits and . _ -"
    lab.expect.that(_NAME.fullmatch(name), told)
    models = [str(each.model).casefold() for each in lab.backend.models]
    twice = sorted({each for each in models if models.count(each) > 1})
    lab.expect.equal("models whose names differ in nothing but case", [], twice)


@check("REG-03", "two of one name", profile="core", directions=())
def two_of_one_name(lab: Lab) -> None:
    """Beside a rival of the same name there is an error that names both, and each can be picked."""
    rival = Neighbour(
        backend=lab.backend.name, dist="modelplug-conformance-rival", source="# never imported\n"
    )
    found = _beside(lab, rival)
    own = lab.subject.plugin.dist
    told = f"{PluginConflictError.__name__}: "
    loud = all(each in found["plain"] for each in (told, rival.dist, own))
    lab.expect.that(loud, f"beside a rival of the same name, that name gives {found['plain']}")
    expected = lab.backend.client.partition(":")[2]
    lab.expect.equal(f"the client of {lab.backend.name}@{own}", expected, found["made"])


@check("REG-04", "a broken neighbour", profile="core", directions=())
def a_broken_neighbour(lab: Lab) -> None:
    """A plugin that can't be imported is nothing to the others, and is told of as it is."""
    broken = Neighbour(
        backend="conformance-broken",
        dist="modelplug-conformance-broken",
        source="raise RuntimeError('broken on purpose')\n",
    )
    found = _beside(lab, broken)
    lab.expect.equal("who brings the broken backend", [broken.dist], found["listed"])
    typed = found["neighbour"].startswith(f"{PluginLoadError.__name__}: ")
    told = f"loading the broken backend gives {found['neighbour']}"
    lab.expect.that(typed and broken.dist in found["neighbour"], told)


@check("REG-05", "loaded again", profile="core", directions=())
def loaded_again(lab: Lab) -> None:
    """However often the plugin is asked, it tells the same, and no more each time."""
    plugin = lab.subject.plugin
    first = Registry().load(plugin.name, plugin.dist)
    for number in range(2, 20):
        again = Registry().load(plugin.name, plugin.dist)
        lab.expect.equal(f"the Backend that the plugin tells at time {number}", first, again)


@check("REG-06", "another contract", profile="core", directions=())
def another_contract(lab: Lab) -> None:
    """In a core of another contract the plugin is refused, and both contracts are named."""
    told = importing(lab, "renew")["error"]
    typed = told.startswith(f"{PluginIncompatibleError.__name__}: ")
    numbers = set(re.findall(r"contract (\d+)|has (\d+)", told))
    both = {each for pair in numbers for each in pair if each}
    lab.expect.that(
        typed and both == {str(lab.backend.contract), str(CONTRACT + AHEAD)},
        f"in a core of contract {CONTRACT + AHEAD} the plugin gives {told or 'no error'}",
    )


@check("REG-07", "metadata is complete", profile="core", directions=())
def metadata_is_complete(lab: Lab) -> None:
    """A plugin tells what listings need: a summary, models, variables, its version.

    One that talks to a service also tells where to read more of it, in home_page.
    """
    backend, plugin = lab.backend, lab.subject.plugin
    one_line = backend.summary.strip() and backend.summary.isprintable()
    lab.expect.that(one_line, f"the summary is {backend.summary!r}, no line of text")
    lab.expect.equal("the contract that it was built for", CONTRACT, backend.contract)
    if lab.upstream.wired:
        lab.expect.that(backend.home_page, "there is no home_page")
    lab.expect.that(plugin.version not in ("", "unknown", "0"), f"{plugin.dist} has no version")
    lists = getattr(load_attribute(backend.client, plugin), "list_models", None)
    asks = lists not in (None, ProxyLLMClient.list_models)
    lab.expect.that(backend.models or asks, "it names no models, and its client asks for none")
    variables = list(backend.environment.values())
    odd = [each for each in variables if not _VARIABLE.fullmatch(each)]
    lab.expect.equal("variables that can't be", [], odd)
    lab.expect.equal("variables of more than one field", len(variables), len(set(variables)))
    for what, path in (("client", backend.client), ("emulator", backend.emulator)):
        if path is not None:
            found = load_attribute(path, plugin)
            lab.expect.that(callable(found), f"the {what} {path} can't be called")


@check("REG-08", "claims are known ones", profile="core", directions=())
def claims_are_known_ones(lab: Lab) -> None:
    """No claim is a slip of a known capability's name, for the backend and for each model."""
    with lab.client() as client:
        models = [client.default_model, *(each.model for each in lab.backend.models)]
        told = {"the backend": lab.backend.capabilities}
        told |= {f"model {model}": client.capabilities(model) for model in models}
    for who, claims in told.items():
        lab.expect.that(isinstance(claims, Capabilities), f"{who} claims {claims!r}")
        for name in sorted(claims.to_dict().keys() - CAPABILITY_NAMES):
            meant = get_close_matches(name, CAPABILITY_NAMES, n=1, cutoff=0.8)
            lab.expect.that(not meant, f"{who} claims {name!r}: {', '.join(meant)} is known")


@check("REG-09", "claims agree", profile="core", directions=())
def claims_agree(lab: Lab) -> None:
    """What the plugin tells before a client is made is what the client says of itself."""
    backend = lab.backend
    with lab.client() as client:
        models = lab.direction.loop.run(client.models(), within=lab.direction.patience)
        listed = {each.model: each for each in models}
        for each in backend.models:
            lab.expect.that(each.model in listed, f"the client doesn't list {each.model!r}")
            length = listed[each.model].context_length
            lab.expect.equal(f"the context length of {each.model}", each.context_length, length)
            able = listed[each.model].capabilities
            claimed = sorted({*backend.capabilities.native, *backend.capabilities.emulated})
            lacking = [name for name in claimed if not able.supports(name)]
            lab.expect.equal(f"what the backend claims and {each.model} can't do", [], lacking)


@check("REG-10", "light to tell", profile="core", directions=())
def light_to_tell(lab: Lab) -> None:
    """The plugin tells of its backend without importing the client."""
    early: Sequence[str] = _imported(lab)["early"]
    lab.expect.equal("modules that came with the plugin before a client was wanted", [], early)


@check("REG-11", "asks nobody when imported", profile="core", directions=())
def asks_nobody_when_imported(lab: Lab) -> None:
    """Importing plugin and client opens no connection, looks no name up and starts no process."""
    found = _imported(lab)
    lab.expect.equal("what importing the plugin reached for", [], found["reached"])


@check("REG-12", "changes nothing when imported", profile="core", directions=())
def changes_nothing_when_imported(lab: Lab) -> None:
    """Importing plugin and client prints nothing, and leaves logging, environment, threads be."""
    found = _imported(lab)
    lab.expect.equal("what importing the plugin changed", [], found["changed"])
    lab.expect.equal("what importing the plugin printed", "", found["printed"])


@check("REG-13", "a missing package", profile="core", directions=())
def a_missing_package(lab: Lab) -> None:
    """A package that the client needs and that isn't installed is told by a typed error."""
    needs = _imported(lab)["needs"]
    if not needs:
        raise NotApplicable("the client needs no package besides the core's")
    for package in needs:
        found = importing(lab, "import", without=package)
        typed = f"{MissingDependencyError.__name__}: "
        told = f"without {package}: expected {typed}and the name, got {found['error']}"
        good = found["error"].startswith(typed) and package in found["error"]
        lab.expect.that(good or not found["error"], told)


@check("REG-14", "types", profile="complete", must=False, directions=())
def types(lab: Lab) -> None:
    """The client's package tells type checkers of its types, by a file py.typed."""
    package = lab.backend.client.partition(":")[0]
    folders = []
    while package := package.rpartition(".")[0]:
        folders += list(getattr(import_module(package), "__path__", ()))
    if not folders:
        raise NotApplicable("the client is in a module without a package, which can't have one")
    typed = any(Path(folder, "py.typed").is_file() for folder in folders)
    lab.expect.that(typed, f"no package of {lab.backend.client} has a file py.typed")


def _beside(lab: Lab, neighbour: Neighbour) -> Found:
    found = importing(lab, "meet", beside=neighbour)
    told = f"beside {neighbour.dist} the plugin gives {found['error']}"
    lab.expect.that(not found["error"], told)
    return found


def _imported(lab: Lab) -> Found:
    found = importing(lab, "import")
    told = f"in a process of its own the plugin can't be loaded: {found['error']}"
    lab.expect.that(not found["error"], told)
    return found
