"""The table of models."""

from __future__ import annotations

import pytest

from modelplug import ModelNotFoundError
from modelplug_spark.models import COMMON, DEFAULT, MODELS, Range, SparkModel, find, with_base

ROWS = [
    ("lite", "/v1.1/chat", "lite", 8192, 4096),
    ("generalv3", "/v3.1/chat", "generalv3", 8192, 8192),
    ("pro-128k", "/chat/pro-128k", "pro-128k", 131072, 4096),
    ("generalv3.5", "/v3.5/chat", "generalv3.5", 8192, 8192),
    ("max-32k", "/chat/max-32k", "max-32k", 32768, 8192),
    ("4.0Ultra", "/v4.0/chat", "4.0Ultra", 32768, 32768),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_what_the_documentation_says(row: tuple[str, str, str, int, int]) -> None:
    """Address, domain, context and the upper limit of max_tokens are section 1.1's."""
    model = find(row[0])
    limit = int(model.max_tokens.high)
    assert row == (model.name, model.path, model.domain, model.context_length, limit)
    assert model.url == f"wss://spark-api.xf-yun.com{model.path}"


def test_every_model_is_tested() -> None:
    """The rows above are all there are."""
    assert [row[0] for row in ROWS] == [model.name for model in MODELS]


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("v3", "generalv3"),
        ("v3.1", "generalv3"),
        ("pro", "generalv3"),
        ("v3.5", "generalv3.5"),
        ("max", "generalv3.5"),
        ("MAX", "generalv3.5"),
        ("v4", "4.0Ultra"),
        ("v4.0", "4.0Ultra"),
        ("ultra", "4.0Ultra"),
        ("4.0ultra", "4.0Ultra"),
        ("general", "lite"),
        ("Pro-128K", "pro-128k"),
    ],
)
def test_a_model_is_found_by_its_aliases(spelling: str, name: str) -> None:
    """Versions and product names work as well as domains, in any case."""
    assert name == find(spelling).name


def test_no_two_models_share_a_spelling() -> None:
    """Each name and alias means one model."""
    spellings = [spelling for model in MODELS for spelling in (model.name, *model.aliases)]
    assert sorted(set(spellings)) == sorted(spellings)


def test_no_two_models_share_a_path() -> None:
    """A path tells which model is meant: the service relies on it."""
    assert len(MODELS) == len({model.path for model in MODELS})


def test_an_unknown_model_names_the_nearest_and_all() -> None:
    """A typo is met with what was meant, and with what there is."""
    with pytest.raises(ModelNotFoundError, match=r"generalv3\.6") as caught:
        find("generalv3.6")
    assert caught.value.hint is not None
    assert "did you mean generalv3.5?" in caught.value.hint
    assert all(model.name in caught.value.hint for model in MODELS)


def test_a_wild_name_is_met_without_a_guess() -> None:
    """Nothing near is nothing suggested."""
    with pytest.raises(ModelNotFoundError) as caught:
        find("gpt")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("known are")


def test_the_default_is_in_the_table() -> None:
    """The model of clients that name none is a known one."""
    assert find(DEFAULT).name == DEFAULT


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080/v3.5/chat"),
        ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/v3.5/chat"),
        (" wss://spark.example ", "wss://spark.example/v3.5/chat"),
        ("wss://spark.example/own/path", "wss://spark.example/own/path"),
    ],
    ids=["origin", "slash", "blanks", "full"],
)
def test_a_base_is_an_origin_or_a_full_url(base: str, url: str) -> None:
    """An origin gets the model's path, a full URL is taken as it is."""
    assert url == with_base(find("max"), base).url


def test_another_base_keeps_the_domain() -> None:
    """The domain is the model's, wherever it is served."""
    assert with_base(find("lite"), "ws://127.0.0.1:1/x").domain == "lite"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_streams_and_counts(model: SparkModel) -> None:
    """Every text model does what the parameters of section 3.2 allow, and no more."""
    claims = model.capabilities
    names = ("streaming", "usage", "temperature", "max_new_tokens", "top_k", "stop", "top_p")
    states = ["native"] * 5 + ["unsupported"] * 2
    assert states == [claims[name] for name in names]
    assert all(COMMON.supports(name) <= claims.supports(name) for name in COMMON.to_dict())


@pytest.mark.parametrize(
    ("name", "support"),
    [("lite", "emulated"), ("generalv3", "emulated"), ("max", "native"), ("ultra", "native")],
)
def test_the_system_role_is_native_where_the_documentation_says_so(name: str, support: str) -> None:
    """Max and Ultra take system messages; for the others they are folded."""
    assert support == find(name).capabilities["system_role"]


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
    assert str(Range(1, 8192)) == "[1,8192]"
