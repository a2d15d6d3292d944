"""Where values come from, and which origin wins."""

from __future__ import annotations

import pytest

from modelplug import ProxyModelParameters
from modelplug.configstring import ConfigString
from modelplug.params import RequestDefaults
from modelplug.settings import RESERVED_OPTIONS, Settings, merged


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


ORIGINS = ("argument", "config string", "environment")


@pytest.mark.parametrize("part", ["fields", "defaults", "options"])
@pytest.mark.parametrize("first", range(3))
def test_the_first_origin_that_has_a_value_wins(part: str, first: int) -> None:
    """Each origin wins over those below it, for every part."""
    origins = [
        Settings(**{part: {"name": origin}}) if at >= first else Settings()
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
