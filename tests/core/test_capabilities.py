"""What a backend can do, and what a model is."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from modelplug import Capabilities, ModelMetadata, ModelRequest
from modelplug.capabilities import CAPABILITY_NAMES, REQUEST_CAPABILITIES, Support

UNTIMED = run_with(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = {
    "temperature",
    "max_new_tokens",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "stop_token_ids",
    "presence_penalty",
    "frequency_penalty",
    "tools",
    "tool_choice",
    "response_format",
    "reasoning",
    "echo",
    "streaming",
    "system_role",
    "tool_role",
    "images",
    "usage",
}
"""What plugins may claim, typed out: a name that changes makes their claims void."""

CLAIMS = Capabilities(native=["temperature"], emulated=["system_role"], unsupported=["seed"])

claimed = st.dictionaries(
    st.sampled_from(sorted(CAPABILITY_NAMES)) | st.text(min_size=1),
    st.sampled_from(("native", "emulated", "unsupported", "not_implemented")),
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("temperature", "native"),
        ("system_role", "emulated"),
        ("seed", "unsupported"),
        ("tools", "not_implemented"),
        ("a_name_of_the_future", "not_implemented"),
    ],
)
def test_every_name_has_a_state(name: str, expected: Support) -> None:
    """A name that a plugin doesn't mention is never claimed by accident."""
    assert expected == CLAIMS[name]


@UNTIMED
@given(states=claimed)
def test_a_claim_is_told_as_it_was_made(states: dict[str, Support]) -> None:
    """Whatever names are claimed in whatever state, each is told in the state it has."""
    sorts = ("native", "emulated", "unsupported")
    claims = {sort: [name for name in states if states[name] == sort] for sort in sorts}
    assert states == {name: Capabilities(**claims)[name] for name in states}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("temperature", True), ("system_role", True), ("seed", False), ("tools", False)],
)
def test_support_is_native_or_emulated(name: str, expected: bool) -> None:
    """What works is supported, whoever makes it work."""
    assert expected is CLAIMS.supports(name)


def test_nothing_is_claimed_by_default() -> None:
    """Capabilities that say nothing support nothing."""
    assert not any(Capabilities().supports(name) for name in CAPABILITY_NAMES)


@pytest.mark.parametrize(
    "claims",
    [
        {"native": ["seed"], "emulated": ["seed"]},
        {"native": ["seed"], "unsupported": ["seed"]},
        {"emulated": ["seed"], "unsupported": ["seed"]},
        {"native": ["seed", "seed"]},
    ],
    ids=["native-emulated", "native-unsupported", "emulated-unsupported", "native-native"],
)
def test_a_claim_in_two_states_is_refused(claims: dict[str, list[str]]) -> None:
    """A capability has one state, so a second claim is an error and not a matter of order."""
    with pytest.raises(ValueError, match="claimed twice"):
        Capabilities(**claims)


def test_a_bare_name_is_refused() -> None:
    """A string where a list of names belongs would claim its letters."""
    with pytest.raises(ValueError, match="a list of names"):
        Capabilities(native="stop")


def test_claims_compare_by_what_they_say() -> None:
    """Lists, tuples and sets of the same names in any order are the same claims."""
    expected = Capabilities(native={"stop", "seed"})
    assert {expected} == {
        Capabilities(native=["stop", "seed"]),
        Capabilities(native=("seed", "stop")),
    }


def test_the_collection_given_stays_the_caller_s() -> None:
    """A list that changes later changes no claim."""
    names = ["seed"]
    claims = Capabilities(native=names)
    names.append("stop")
    assert claims == Capabilities(native=["seed"])


def test_all_known_and_all_claimed_names_are_told() -> None:
    """The dictionary has each known name once, and claimed ones that the core doesn't know."""
    told = Capabilities(native=["seed", "telepathy"]).to_dict()
    expected = dict.fromkeys(CAPABILITY_NAMES, "not_implemented")
    assert {**expected, "seed": "native", "telepathy": "native"} == told
    assert sorted(told) == list(told)


def test_known_names_stay() -> None:
    """Plugins have claimed these, so none goes or is called something else."""
    assert NAMES == CAPABILITY_NAMES


def test_claims_are_made_by_keyword() -> None:
    """Native and emulated can't be swapped by their order."""
    with pytest.raises(TypeError):
        Capabilities(["seed"])  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(TypeError):
        ModelMetadata("m")  # type: ignore[call-arg]  # the point of the test


def test_capabilities_of_a_request_are_its_fields() -> None:
    """What a request can ask for by a field bears that field's name, and is known."""
    asked = set(REQUEST_CAPABILITIES)
    assert asked <= {field.name for field in fields(ModelRequest)}
    assert asked <= CAPABILITY_NAMES


@pytest.mark.parametrize("name", ["native", "emulated", "unsupported"])
def test_capabilities_are_frozen(name: str) -> None:
    """What a backend can do doesn't change behind anyone's back."""
    with pytest.raises(FrozenInstanceError):
        setattr(Capabilities(), name, frozenset())


@pytest.mark.parametrize(
    "value",
    [CLAIMS, ModelMetadata(model="m", capabilities=CLAIMS, ext_metadata={"a": 1})],
    ids=["capabilities", "metadata"],
)
def test_copies_are_equal(value: object) -> None:
    """Copies and what comes out of a pickle equal the original."""
    pickled = pickle.loads(pickle.dumps(value))  # noqa: S301  # our own
    assert [value] * 3 == [copy.copy(value), copy.deepcopy(value), pickled]


def test_metadata_needs_a_name_alone() -> None:
    """A model of which nothing is known has DB-GPT's context length and claims nothing."""
    metadata = ModelMetadata(model="m")
    expected = ModelMetadata(
        model="m", context_length=4096, capabilities=Capabilities(), ext_metadata={}
    )
    assert expected == metadata


def test_metadata_shares_no_default() -> None:
    """Two models without further metadata don't share a dictionary."""
    assert ModelMetadata(model="a").ext_metadata is not ModelMetadata(model="b").ext_metadata


def test_a_model_may_be_given_another_context() -> None:
    """All else stays; None, where nobody set one, is no other."""
    model = ModelMetadata(model="m", context_length=7, ext_metadata={"a": 1})
    expected = ModelMetadata(model="m", context_length=100, ext_metadata={"a": 1})
    assert (expected, model) == (model.with_context(100), model.with_context(None))


def test_metadata_is_frozen() -> None:
    """A model keeps its name."""
    with pytest.raises(FrozenInstanceError):
        setattr(ModelMetadata(model="m"), "model", "n")  # noqa: B010  # mypy refuses the other way
