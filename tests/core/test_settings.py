"""Where values come from, and which origin wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import ConfigError, ProxyModelParameters, Timeouts, UnsupportedOptionError
from modelplug.configstring import ConfigString, Target
from modelplug.params import RequestDefaults, validated
from modelplug.settings import (
    CLOCKS,
    RESERVED_OPTIONS,
    Origin,
    Part,
    Settings,
    joined,
    merged,
    rightful,
)
from modelplug_spark.options import SparkOptions


def test_names_are_sorted_by_what_they_are_for() -> None:
    """Params by full and short name, request defaults, and the rest as options."""
    values = {"api_base": "b", "proxy_api_type": "t", "temperature": 1, "delay": 2, "backend": "x"}
    expected = Settings(
        fields={"proxy_api_base": "b", "proxy_api_type": "t", "proxyllm_backend": "x"},
        defaults={"temperature": 1},
        options={"delay": 2},
    )
    assert expected == Settings.of(values)


def test_nested_defaults_and_options_are_taken_apart() -> None:
    """``defaults`` and ``options`` may be given whole."""
    values = {"defaults": {"top_p": 0.5}, "options": {"delay": 2}, "seed": 1}
    expected = Settings(defaults={"top_p": 0.5, "seed": 1}, options={"delay": 2})
    assert expected == Settings.of(values)


def test_params_give_only_what_was_set() -> None:
    """Fields at their default don't override anything."""
    params = ProxyModelParameters(proxy_api_base="b", defaults={"seed": 1})
    expected = Settings(fields={"proxy_api_base": "b"}, defaults={"seed": 1})
    assert expected == Settings.of_params(params)


def test_a_target_gives_its_options_as_text() -> None:
    """Options of a config string are sorted; commas are lists only where a list belongs."""
    target = ConfigString.parse("x:m?api_base=a,b&stop=a,b&stop_token_ids=7&word=1").targets[0]
    expected = Settings(
        fields={"proxy_api_base": "a,b"},
        defaults={"stop": ("a", "b"), "stop_token_ids": ("7",)},
        options={"word": "1"},
    )
    assert expected == Settings.of_target(target)


def test_the_environment_gives_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that a backend names are read; secrets come as references."""
    monkeypatch.setenv("X_BASE", "b")
    monkeypatch.setenv("X_KEY", "k" * 12)
    names = {"proxy_api_base": "X_BASE", "proxy_api_key": "X_KEY", "proxy_api_type": "X_NONE"}
    fields = Settings.of_environment(names).fields
    assert {"proxy_api_base", "proxy_api_key"} == set(fields)
    assert repr(fields["proxy_api_key"]) == "Secret('env:X_KEY')"


ORIGINS = ("argument", "config string", "profile", "environment", "default profile")


@pytest.mark.parametrize("part", ["fields", "defaults", "options", "clocks"])
@pytest.mark.parametrize("first", range(5))
def test_the_first_origin_that_has_a_value_wins(part: str, first: int) -> None:
    """Each origin wins over those below it, for every part."""
    origins = [
        Settings(**{part: {"name": origin}}) if at >= first else Settings()  # type: ignore[arg-type]  # one of four
        for at, origin in enumerate(ORIGINS)
    ]
    assert {"name": ORIGINS[first]} == getattr(merged(origins), part)


def test_a_credential_set_comes_from_one_origin() -> None:
    """A key that is given as an argument isn't paired with the environment's secret."""
    argument = Settings(fields={"proxy_api_key": "mine"})
    environment = Settings(
        fields={"proxy_api_key": "theirs", "proxy_api_secret": "theirs", "proxy_api_base": "b"}
    )
    expected = {"proxy_api_key": "mine", "proxy_api_base": "b"}
    assert expected == merged([argument, environment]).fields


def test_core_names_are_reserved() -> None:
    """Full and short names of params and request defaults are the core's."""
    assert {"api_key", "proxy_api_key", "temperature", "backend", "timeouts"} <= RESERVED_OPTIONS


def test_none_is_not_set() -> None:
    """A name whose value is None is as good as left out, whatever it is the name of."""
    values = {"options": None, "defaults": {"seed": None}, "api_base": None, "delay": None}
    assert Settings() == Settings.of(values)


def test_defaults_may_be_given_as_their_model() -> None:
    """Request defaults that were validated before are taken as they are."""
    values = {"defaults": RequestDefaults(temperature=0.5), "seed": 1}
    assert Settings(defaults={"temperature": 0.5, "seed": 1}) == Settings.of(values)


def test_none_is_no_second_value() -> None:
    """A name that is None in one place and set in another is given once."""
    values = {"temperature": 0.5, "defaults": {"temperature": None}}
    assert Settings(defaults={"temperature": 0.5}) == Settings.of(values)


def test_clocks_are_taken_one_by_one() -> None:
    """A table gives those in it; a Timeouts is whole, and gives all six; None is a value."""
    table = Settings.of({"timeouts": {"idle": None, "total": 5}})
    assert Settings(clocks={"idle": None, "total": 5}) == table
    whole = Settings.of({"timeouts": Timeouts(idle=3)})
    assert set(CLOCKS) == set(whole.clocks)
    assert {**whole.clocks, "idle": None, "total": 5} == merged([table, whole]).clocks


@pytest.mark.parametrize("value", [{"idel": 3}, {7: 3}, 5])
def test_what_is_no_clock_is_refused(value: object) -> None:
    """With the nearest name, where one is near."""
    with pytest.raises(ConfigError) as caught:
        Settings.of({"timeouts": value})
    near = isinstance(value, dict) and "idel" in value
    assert near == ("did you mean idle?" in str(caught.value.hint))
    assert isinstance(caught.value, UnsupportedOptionError) == isinstance(value, dict)


def test_a_profile_s_name_is_no_value_of_the_params() -> None:
    """It is kept apart until the profile is known."""
    assert Settings(fields={"profile": "p"}) == Settings.of({"profile": "p"})


@pytest.mark.parametrize("part", ["fields", "defaults", "options", "clocks"])
def test_what_is_one_origin_says_a_thing_once(part: Part) -> None:
    """Two settings are joined unless they give the same value, even an equal one."""
    one, other = Settings(**{part: {"a": 1}}), Settings(**{part: {"b": 2}})  # type: ignore[arg-type]  # one of four
    assert Settings(**{part: {"a": 1, "b": 2}}) == joined(one, other)  # type: ignore[arg-type]  # the same
    with pytest.raises(ConfigError, match="a is given twice"):
        joined(one, replace(one))


def test_only_one_origin_gives_credentials() -> None:
    """The first that has any; all else stays where it was."""
    upper = Settings(fields={"proxy_api_base": "b"})
    first = Settings(fields={"proxy_api_app_id": "mine"})
    last = Settings(fields={"proxy_api_key": "theirs", "device": "d"}, clocks={"idle": 1})
    expected = [upper, first, Settings(fields={"device": "d"}, clocks={"idle": 1})]
    assert expected == rightful([upper, first, last])


def test_origins_tell_what_they_are() -> None:
    """In words, for people."""
    assert (str(Origin("default")), str(Origin("environment", "A"))) == ("default", "environment A")


words = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**63)
several = st.lists(words, min_size=2, max_size=4).map(tuple)
SPELLED: Mapping[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), numbers),
    **dict.fromkeys(("max_new_tokens", "context_len", "top_k", "seed"), counts),
    **dict.fromkeys(
        (
            *("max_context_size", "concurrency"),
            *("requests_per_minute", "tokens_per_minute", "burst"),
        ),
        st.integers(1, 2**63),
    ),
    "retries": counts,
    "breaker": st.booleans(),
    "timeout": st.floats(0, exclude_min=True, allow_infinity=False),
    "stop": words | several,
    "stop_token_ids": st.lists(counts, min_size=1).map(tuple),
    "observers": st.lists(words, min_size=1).map(tuple),
    "allow_insecure": st.booleans(),
    "show_sources": st.booleans(),
    "on_unsupported": st.sampled_from(["error", "warn", "drop"]),
    "sequence": st.sampled_from(["strict", "lenient"]),
    "thinking": st.sampled_from(["enabled", "disabled", "auto"]),
    "search": st.booleans() | st.sampled_from(["normal", "deep"]),
    "auditing": st.just("default"),
    "chat_id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    "patch_id": st.lists(st.text("0a,?&%|模", min_size=1, max_size=32), min_size=1).map(tuple),
}
"""What fields may be given; all others are texts."""

APART = {
    *("proxyllm_backend", "options", "defaults", "timeouts"),
    *("proxy_api_key", "proxy_api_secret", "redis_url"),
}
FIELDS = set(ProxyModelParameters.model_fields) - APART
anything = st.fixed_dictionaries(
    {},
    optional={
        name: SPELLED.get(name, words)
        for name in sorted({*FIELDS, *RequestDefaults.model_fields, *SparkOptions.model_fields})
    },
)


def params_of(settings: Settings) -> ProxyModelParameters:
    """The params that come of one origin alone, with Spark's options."""
    options = validated(SparkOptions, settings.options, whose="options", fit=True)
    set_ones = {name: getattr(options, name) for name in options.model_fields_set}
    return ProxyModelParameters.model_validate(
        {**settings.fields, "defaults": settings.defaults, "options": set_ones}
    )


def as_text(value: object) -> str:
    """A single value, as people write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@given(anything)
def test_any_params_make_their_round_trip_through_a_config_string(
    values: Mapping[str, object],
) -> None:
    """Whatever a config string can spell comes back as it was: secrets and clocks aside."""
    options = {
        name.removeprefix("proxy_"): (
            tuple(map(as_text, value)) if isinstance(value, tuple) else as_text(value)
        )
        for name, value in values.items()
    }
    text = str(ConfigString(targets=(Target(backend="acme", options=options),)))
    back = Settings.of_target(ConfigString.parse(text).targets[0])
    assert params_of(Settings.of(values)) == params_of(back)
