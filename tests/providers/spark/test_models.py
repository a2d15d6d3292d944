"""The table of models."""

from __future__ import annotations

import pytest

from modelplug import ModelNotFoundError
from modelplug_spark.models import COMMON, DEFAULT, MODELS, find, placed, with_base

Row = tuple[str, str, str, int, int, str, str, str, bool]

ROWS: list[Row] = [
    ("lite", "/v1.1/chat", "lite", 8192, 4096, "none", "none", "none", False),
    ("generalv3", "/v3.1/chat", "generalv3", 8192, 8192, "disputed", "disputed", "plain", False),
    ("pro-128k", "/chat/pro-128k", "pro-128k", 131072, 4096, "disputed", "disputed", "none", False),
    ("generalv3.5", "/v3.5/chat", "generalv3.5", 8192, 8192, "native", "native", "sources", False),
    ("max-32k", "/chat/max-32k", "max-32k", 32768, 8192, "native", "disputed", "none", False),
    ("4.0Ultra", "/v4.0/chat", "4.0Ultra", 32768, 32768, "native", "native", "sources", False),
    ("x1", "/v1/x1", "x1", 65536, 32768, "disputed", "native", "sources", True),
    ("spark-x", "/v1/x1", "spark-x", 65536, 65535, "disputed", "native", "sources", True),
    ("x2", "/x2", "spark-x", 192000, 192000, "disputed", "native", "sources", True),
    ("kjwx", "/v1.1/chat_kjwx", "kjwx", 8192, 4096, "none", "none", "none", False),
    ("multilang", "/v1.1/chat_multilang", "multilang", 8192, 4096, "none", "none", "none", False),
    ("image", "/v2.1/image", "general", 8192, 8192, "none", "none", "none", False),
    ("imagev3", "/v2.1/image", "imagev3", 8192, 8192, "none", "none", "none", False),
]
"""Path, domain, context, longest answer; then system role, functions, search and thinking."""

HOSTS = {
    "kjwx": "spark-openapi-n.cn-huabei-1.xf-yun.com",
    "multilang": "spark-api-n.xf-yun.com",
    "image": "spark-api.cn-huabei-1.xf-yun.com",
    "imagev3": "spark-api.cn-huabei-1.xf-yun.com",
}

MAAS = "wss://maas-api.cn-huabei-1.xf-yun.com/v1.1/chat"


@pytest.mark.row("1.1 tls")
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row[0], marks=pytest.mark.row(f"1.1 {row[0]}")) for row in ROWS]
)
def test_a_row_is_what_the_documentation_says(row: Row) -> None:
    """Address, domain, lengths and abilities are section 1.1's; every address is wss."""
    model = find(row[0])
    told = (model.name, model.path, model.domain, model.context_length)
    limit = int(model.max_tokens.high)
    able = (model.system_role, model.functions, model.search, model.thinking)
    assert row == (*told, limit, *able)
    assert model.url == f"wss://{HOSTS.get(row[0], 'spark-api.xf-yun.com')}{model.path}"


@pytest.mark.row("3.4 tokens")
@pytest.mark.parametrize("name", ["image", "imagev3"])
def test_an_image_counts_towards_the_context(name: str) -> None:
    """The context is 8192 with it; the limit of an answer is the same."""
    assert (find(name).context_length, str(find(name).max_tokens)) == (8192, "[1,8192]")


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
        pytest.param("4.0ultra", "4.0Ultra", id="4.0ultra", marks=pytest.mark.row("1.1 capital U")),
        ("general", "lite"),
        ("Pro-128K", "pro-128k"),
        ("x1.5", "spark-x"),
        ("Spark-X2", "x2"),
    ],
)
def test_a_model_is_found_by_its_aliases(spelling: str, name: str) -> None:
    """Versions and product names work as well as domains, in any case."""
    assert name == find(spelling).name


def test_no_two_models_share_a_spelling() -> None:
    """Each name and alias means one model."""
    spellings = [spelling for model in MODELS for spelling in (model.name, *model.aliases)]
    assert sorted(set(spellings)) == sorted(spellings)


@pytest.mark.row("3.2 domain")
def test_path_and_domain_tell_a_model() -> None:
    """The service relies on it: several models may share the one or the other."""
    assert len(MODELS) == len({(model.path, model.domain) for model in MODELS})


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
        pytest.param(
            "wss://aichat.xf-yun.com/v1/chat",
            "wss://aichat.xf-yun.com/v1/chat",
            marks=pytest.mark.row("1.1 first host"),
        ),
        pytest.param(
            "wss://xingchen-api.cn-huabei-1.xf-yun.com/v1.1/chat",
            "wss://xingchen-api.cn-huabei-1.xf-yun.com/v1.1/chat",
            marks=pytest.mark.row("1.1 hosted older host"),
        ),
    ],
    ids=["origin", "slash", "blanks", "full", "first", "older"],
)
def test_a_base_is_an_origin_or_a_full_url(base: str, url: str) -> None:
    """An origin gets the model's path, a full URL is taken as it is."""
    assert url == with_base(find("max"), base).url


def test_another_base_keeps_the_domain() -> None:
    """The domain is the model's, wherever it is served."""
    assert with_base(find("lite"), "ws://127.0.0.1:1/x").domain == "lite"


def test_what_is_common_holds_for_every_model() -> None:
    """No model claims less than the backend does."""
    for model in MODELS:
        claims = model.capabilities
        assert all(COMMON.supports(name) <= claims.supports(name) for name in COMMON.to_dict())


@pytest.mark.row("1.1 hosted", "3.2 temperature", "3.2 max_tokens")
def test_a_model_that_nobody_knows_is_taken_with_url_and_domain() -> None:
    """As MaaS has them: its own ranges, its own address, no functions."""
    model = placed("xdeepseekv3", api_base=f" {MAAS}", domain="service-id")
    assert (model.name, model.url, model.domain) == ("xdeepseekv3", MAAS, "service-id")
    assert (str(model.temperature), str(model.max_tokens)) == ("[0,1]", "[1,32768]")
    assert (model.functions, model.search, model.thinking) == ("none", "switch", False)


@pytest.mark.row("1.1 hosted")
@pytest.mark.parametrize(
    ("base", "domain"),
    [(None, "x"), (MAAS, None), ("wss://maas.example", "x"), ("wss://maas.example/", "x")],
    ids=["no url", "no domain", "origin", "slash"],
)
def test_a_model_that_nobody_knows_needs_both(base: str | None, domain: str | None) -> None:
    """Else it may as well be a typo, and the nearest is named, with the way out."""
    with pytest.raises(ModelNotFoundError) as caught:
        placed("generalv3.6", api_base=base, domain=domain)
    assert caught.value.hint is not None
    assert "did you mean generalv3.5?" in caught.value.hint
    assert "api_base, a full URL, and domain" in caught.value.hint


def test_a_known_model_may_be_placed_elsewhere() -> None:
    """At another base, under another domain, with its own ranges; else it is the table's."""
    model = placed("MAX", api_base="ws://127.0.0.1:1", domain="patch")
    assert (model.url, model.domain) == ("ws://127.0.0.1:1/v3.5/chat", "patch")
    assert model.max_tokens == find("max").max_tokens
    assert placed("max") is find("max")
