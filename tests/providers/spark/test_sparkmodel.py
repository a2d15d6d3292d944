"""What a model takes: its ranges and its capabilities."""

from __future__ import annotations

import pytest

from modelplug_spark.models import MODELS, find
from modelplug_spark.sparkmodel import Range, SparkModel


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_streams_and_counts(model: SparkModel) -> None:
    """Every model does what the parameters of section 3.2 allow, and no more."""
    claims = model.capabilities
    names = ("streaming", "usage", "temperature", "max_new_tokens", "top_k", "stop", "seed")
    states = ["native"] * 5 + ["unsupported"] * 2
    assert states == [claims[name] for name in names]


@pytest.mark.row("3.3 roles")
@pytest.mark.parametrize(
    ("name", "support"),
    [
        ("lite", "emulated"),
        ("generalv3", "emulated"),
        ("x1", "emulated"),
        ("image", "emulated"),
        ("max", "native"),
        ("ultra", "native"),
    ],
)
def test_the_system_role_is_native_where_the_documentation_says_so(name: str, support: str) -> None:
    """Max and Ultra take system messages; for the others they are folded."""
    assert support == find(name).capabilities["system_role"]


@pytest.mark.parametrize(
    ("capability", "models"),
    [
        pytest.param(
            "tools",
            {"generalv3.5", "4.0Ultra", "x1", "spark-x", "x2"},
            id="tools",
            marks=pytest.mark.row("1.1 functions", "4.2 models"),
        ),
        ("tool_choice", {"generalv3.5", "4.0Ultra", "x1", "spark-x", "x2"}),
        ("reasoning", {"x1", "spark-x", "x2"}),
        ("top_p", {"x1", "spark-x", "x2"}),
        ("presence_penalty", {"x1", "spark-x", "x2"}),
        ("frequency_penalty", {"x1", "spark-x", "x2"}),
        ("images", {"image", "imagev3"}),
    ],
)
def test_a_capability_is_claimed_where_it_is_there(capability: str, models: set[str]) -> None:
    """Native there, unsupported elsewhere: what is disputed counts as not there."""
    states = {model.name: model.capabilities[capability] for model in MODELS}
    assert models == {name for name, state in states.items() if state == "native"}
    assert {"native", "unsupported"} == set(states.values())


FLAGS = {
    "x1": "TTT",
    "4.0Ultra": "TTT",
    "max-32k": "TFT",
    "generalv3.5": "TTT",
    "pro-128k": "TFT",
    "generalv3": "TTT",
    "lite": "FFF",
    "kjwx": "FFF",
    "multilang": "FFF",
}
"""Functions, search and system role by the official Java SDK (section 1.1)."""


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        pytest.param(name, flags, id=name, marks=pytest.mark.row(f"1.1 flags {name}"))
        for name, flags in FLAGS.items()
    ],
)
def test_what_the_sdk_gives_a_model_is_never_none(name: str, flags: str) -> None:
    """It is native, or disputed where the documentation says otherwise; the rest is none."""
    model = find(name)
    levels = (model.functions, model.search, model.system_role)
    assert flags == "".join("F" if level == "none" else "T" for level in levels)


@pytest.mark.row("1.1 search", "1.1 source list")
def test_a_search_is_where_the_documentation_has_it() -> None:
    """Pro has one that doesn't name its sources."""
    searches = {model.name: model.search for model in MODELS if model.search != "none"}
    named = dict.fromkeys(("generalv3.5", "4.0Ultra", "x1", "spark-x", "x2"), "sources")
    assert {"generalv3": "plain", **named} == searches


@pytest.mark.row("3.2 temperature", "3.2 top_p", "3.2 presence_penalty", "3.2 frequency_penalty")
def test_the_x_family_has_its_own_ranges() -> None:
    """Wider for the temperature, and with parameters that the others lack (section 3.2)."""
    model = find("spark-x")
    ranges = (model.temperature, model.top_p, model.presence_penalty, model.frequency_penalty)
    assert [str(each) for each in ranges] == ["(0,2]", "(0,1]", "[0,3]", "[0,1]"]


def test_the_metadata_tells_what_the_table_knows() -> None:
    """Listings see the product and the domain."""
    known = find("ultra").metadata
    assert (known.model, known.context_length) == ("4.0Ultra", 32768)
    assert known.ext_metadata["product"] == "Spark 4.0 Ultra"


@pytest.mark.parametrize(
    ("value", "inside"),
    [(0, False), (0.01, True), (1, True), (1.01, False), (float("nan"), False)],
)
def test_a_range_may_leave_its_lower_bound_out(value: float, inside: bool) -> None:
    """``(0,1]`` has 1 and not 0."""
    assert inside is (value in Range(0, 1, above_low=True))


def test_a_range_is_written_as_in_the_documentation() -> None:
    """Round and square brackets say what is inside."""
    assert str(Range(0, 1, above_low=True)) == "(0,1]"
    assert str(Range(1, 192_000)) == "[1,192000]"
