"""What a plugin tells about a backend."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, replace
from typing import Self

import pytest

from modelplug import CONTRACT, Backend, Capabilities, Emulator, ModelMetadata

ACME = Backend(
    name="acme",
    summary="answers",
    contract=1,
    client="acme_plugin.client:AcmeClient",
    models=[ModelMetadata(model="large")],
    capabilities=Capabilities(native=["seed"]),
    environment={"proxy_api_key": "ACME_API_KEY"},
    required=["proxy_api_key"],
)


def test_the_contract_has_its_first_number() -> None:
    """Plugins state this number; it changes only when they would break."""
    assert CONTRACT == 1


def test_a_backend_needs_four_things() -> None:
    """A name, a line for listings, the contract and where its client is; the rest is optional."""
    backend = Backend(name="acme", summary="answers", contract=1, client="acme:Client")
    expected: dict[str, object] = {
        "harness": None,
        "emulator": None,
        "options": None,
        "models": (),
        "capabilities": Capabilities(),
        "environment": {},
        "required": (),
        "home_page": None,
    }
    assert expected == {name: getattr(backend, name) for name in expected}


@pytest.mark.parametrize("name", ["name", "summary", "contract", "client"])
def test_what_is_needed_has_no_default(name: str) -> None:
    """A plugin that doesn't say which contract it was built for can't claim today's."""
    given = {"name": "acme", "summary": "answers", "contract": 1, "client": "acme:Client"}
    del given[name]
    with pytest.raises(TypeError, match=f"'{name}'"):
        Backend(**given)  # type: ignore[arg-type]  # the point of the test


def test_all_is_given_by_keyword() -> None:
    """A plugin that was written for fewer fields still means the same."""
    with pytest.raises(TypeError):
        Backend("acme", "answers", 1, "acme:Client")  # type: ignore[call-arg]  # the point


@pytest.mark.parametrize("name", [field.name for field in fields(Backend)])
def test_backends_are_frozen(name: str) -> None:
    """What a plugin said of a backend stays said."""
    with pytest.raises(FrozenInstanceError):
        setattr(ACME, name, None)


def test_backends_are_values() -> None:
    """Copies and what comes out of a pickle equal the original."""
    pickled = pickle.loads(pickle.dumps(ACME))  # noqa: S301  # our own
    assert [copy.copy(ACME), copy.deepcopy(ACME), pickled] == [ACME] * 3
    assert replace(ACME, name="other") != ACME


def test_backends_share_no_default() -> None:
    """Two backends without variables of their own don't share a dictionary."""
    one, other = (
        Backend(name=name, summary="", contract=1, client="acme:Client") for name in ("a", "b")
    )
    assert one.environment is not other.environment


def test_telling_about_a_backend_imports_nothing() -> None:
    """The client is named and not imported, so that a listing costs nothing."""
    before = set(sys.modules)
    replace(ACME, client="nowhere_at_all:Client", emulator="nowhere_at_all:Emulator")
    assert before == set(sys.modules)


class Standing:
    """The least that an emulator is."""

    serving = False

    def describe(self) -> Mapping[str, str]:
        """Where it is."""
        return {"url": "ws://127.0.0.1:1"}

    def environment(self) -> Mapping[str, str]:
        """What makes a client use it."""
        return {"ACME_API_BASE": "ws://127.0.0.1:1"}

    async def __aenter__(self) -> Self:
        self.serving = True
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.serving = False


async def test_an_emulator_needs_no_base_class() -> None:
    """Whatever has its four methods is one; it serves while it is entered."""
    standing = Standing()
    emulator: Emulator = standing
    async with emulator as entered:
        assert (standing.serving, entered) == (True, standing)
    assert standing.serving is False


async def test_an_emulator_may_have_the_base_class() -> None:
    """A plugin may name the interface, for its checker to hold it to that."""

    class Named(Standing, Emulator):
        pass

    async with Named() as emulator:
        assert emulator.describe()["url"] in emulator.environment().values()
