"""No assertion of the kit is there for nothing: without it, some mutant would live."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from modelplug import BadRequestError
from modelplug.conformance.expect import Expect
from modelplug.conformance.failing import BEGUN, Failed, expressible, failed
from modelplug.conformance.lab import Lab
from modelplug.testing import Fail, FailKind
from tests.core.conformance.mutants import mutant_of
from tests.core.conformance.test_mutants import deaths


def passes(*_: object, **__: object) -> None:
    """In the place of an assertion."""


def catches(_: Expect, kind: type[BaseException], call: Callable[[], object], **__: object) -> Any:
    """The same, for one that gives an error: whatever is raised, or a new one."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  # whatever it is
        return error
    return kind.__new__(kind)


def asks(lab: Lab, request: Any, *_: object, **__: object) -> Any:
    """The same, for one that asks, and gives an error."""
    with lab.client() as client:
        return catches(lab.expect, BadRequestError, lambda: lab.ask(client, request))


def fails(lab: Lab, *kinds: FailKind) -> list[Failed]:
    """The same, for one that gives failed calls."""
    scripts = [(*begun, Fail(kind)) for kind in expressible(lab, *kinds) for begun in ((), BEGUN)]
    return [failed(lab, *steps, what="a failure") for steps in scripts]


KIT = "modelplug.conformance"
CHECKS = f"{KIT}.checks"

TEETH: dict[tuple[str, str], tuple[Callable[..., object], str]] = {
    (f"{KIT}.expect:Expect", "that"): (passes, "errorsastexttoo"),
    (f"{KIT}.expect:Expect", "equal"): (passes, "alwaysblamestheinput"),
    (f"{KIT}.expect:Expect", "absent"): (passes, "keyinoutput"),
    (f"{KIT}.expect:Expect", "raises"): (catches, "staysopen"),
    (f"{KIT}.failing:Failed", "expect_kept"): (passes, "looksahead"),
    (f"{KIT}.failing:Failed", "expect_one_of"): (passes, "blamesforframes"),
    (f"{KIT}.lab:Lab", "expect_gone"): (passes, "bridgesbythread"),
    (f"{KIT}.lab:Lab", "refused"): (asks, "looksaway"),
    (f"{CHECKS}.errors", "refused"): (fails, "failuresasbadrequests"),
    (f"{CHECKS}.errors", "_expect_asked_once"): (passes, "answerstwice"),
    (f"{CHECKS}.cancelling", "_expect_cancelled"): (passes, "catchesall"),
    (f"{CHECKS}.cancelling", "_expect_closing_cuts"): (passes, "neverclosesstreams"),
    (f"{CHECKS}.faults", "_expect_borne"): (passes, "addsnull"),
    (f"{CHECKS}.generation", "_expect_turns"): (passes, "blockstheloop"),
    (f"{CHECKS}.lifecycle", "_expect_closed"): (passes, "neverclosed"),
    (f"{CHECKS}.lifecycle", "_expect_nothing_left"): (passes, "endsthreadswhenclosed"),
}
"""Where an assertion is, and its name, to what takes its place and a mutant that lives then."""


def owner_of(path: str) -> Any:
    """A class, or a module."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name) if name else import_module(module)


@pytest.mark.parametrize(("path", "name"), TEETH, ids=[f"{p}.{name}" for p, name in TEETH])
def test_a_mutant_lives_without_an_assertion(
    installed: Path, monkeypatch: pytest.MonkeyPatch, path: str, name: str
) -> None:
    """That it dies with it is shown for every mutant in test_mutants.py."""
    by, who = TEETH[path, name]
    mutant = mutant_of(f"mutant-{who}")
    assert mutant is not None
    monkeypatch.setattr(owner_of(path), name, by)
    assert deaths(mutant) == []


@pytest.mark.parametrize("shared", [Expect, Failed, Lab], ids=lambda shared: str(shared.__name__))
def test_every_shared_assertion_is_tried(shared: type) -> None:
    """One that is new has its mutant here too."""
    mine = {name for path, name in TEETH if path.endswith(f":{shared.__name__}")}
    methods = {name for name, _ in inspect.getmembers(shared, inspect.isfunction) if name[0] != "_"}
    wanted = methods if shared is Expect else {each for each in methods if "expect" in each}
    assert wanted <= mine
