"""Which origin wins, for every field that there is, and which backend is meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from modelplug import (
    BackendNotFoundError,
    ConfigError,
    MissingCredentialError,
    ProxyModelParameters,
    Timeouts,
    UnsupportedOptionError,
    explain,
    new_client,
)
from modelplug.configuration import configured
from modelplug.params import RequestDefaults
from modelplug.settings import CLOCKS
from modelplug_spark.options import SparkOptions
from tests.support.dists import PLUGIN, install

ORIGINS = ("argument", "config string", "profile", "environment", "default profile", "default")

APART = {"options", "defaults", "timeouts", "proxyllm_backend"}
"""Params that are no values of their own: what is in them is; the last chooses the backend."""

FIELDS = [name for name in ProxyModelParameters.model_fields if name not in APART]
DEFAULTS = list(RequestDefaults.model_fields)
OPTIONS = list(SparkOptions.model_fields)

CANNOT: Mapping[str, set[str]] = {
    # Its grammar has names and texts: a table of clocks is none.
    "config string": set(CLOCKS),
    # A backend names variables for params alone, and a variable is one text, never a list.
    "environment": {*CLOCKS, *DEFAULTS, *OPTIONS, "observers"},
}
"""What an origin has no way to say. Whoever adds a field adds it here, or to no list at all."""


class Name(NamedTuple):
    """A value's name, and how each origin calls it."""

    full: str

    @property
    def shown(self) -> str:
        """As ``explain`` calls it."""
        if self.full in CLOCKS:
            return f"timeouts.{self.full}"
        return self.full.removeprefix("proxy_")


NAMES = [Name(each) for each in (*FIELDS, *DEFAULTS, *CLOCKS, *OPTIONS)]

WORDS = {
    "on_unsupported": ("error", "warn", "drop"),
    "sequence": ("lenient", "strict"),
    "thinking": ("enabled", "disabled", "auto"),
    "search": ("normal", "deep"),
    "auditing": ("default",),
    "allow_insecure": (True, False),
    "breaker": (True, False),
    "show_sources": (True, False),
}
"""What is to be chosen from few; neighbours differ, and the lowest origin's isn't the default."""

LISTS = {"observers", "stop", "patch_id"}
NUMBERS = {
    *("max_new_tokens", "context_len", "top_k", "seed", "max_context_size"),
    *("retries", "concurrency", "requests_per_minute", "tokens_per_minute", "burst"),
}
FRACTIONS = {"temperature", "top_p", "presence_penalty", "frequency_penalty", "timeout", *CLOCKS}
SECRETS = {"proxy_api_key", "proxy_api_secret", "redis_url"}


def value_of(name: str, origin: str) -> object:
    """What an origin says of a name: no other one says the same, where there is a choice."""
    at = ORIGINS.index(origin)
    if name in WORDS:
        return WORDS[name][at % len(WORDS[name])]
    if name == "stop_token_ids":
        return [at, at + 1]
    if name in LISTS:
        return [f"a{at}", f"b{at}"]
    if name in NUMBERS:
        return at + 1
    return at + 0.5 if name in FRACTIONS else f"v{at}"


def spelled(value: object) -> str:
    """A value as a config string has it."""
    if isinstance(value, list):
        return ",".join(map(spelled, value))
    return quote(json.dumps(value) if not isinstance(value, str) else value, safe="")


PLUGIN_WITH_ALL = PLUGIN.replace(
    "from modelplug import",
    "from modelplug_spark.options import SparkOptions\nfrom modelplug import ProxyModelParameters,",
).replace(
    "contract=1",
    "contract=1, options=SparkOptions, environment={name: 'X_' + name.upper() for name in "
    f"ProxyModelParameters.model_fields if name not in {APART!r}}}",
)


class World:
    """What the origins say, as a test sets it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "modelplug.toml"
        self.arguments: dict[str, object] = {}
        self.query = ""
        self.profiles: dict[str, str] = {}
        self._patch = monkeypatch
        monkeypatch.setenv("MODELPLUG_CONFIG", str(self.file))

    def say(self, origin: str, name: str) -> object:
        """Have an origin give its value of a name; what ``explain`` is to show of it."""
        value = value_of(name, origin)
        variable = f"X_{name.upper()}"
        if name in SECRETS and origin not in ("argument", "environment"):
            variable = f"SECRET_{ORIGINS.index(origin)}"
            self._patch.setenv(variable, "some-secret")
            value = f"env:{variable}"
        if origin == "argument":
            self.arguments[name] = value
            if name in CLOCKS:
                self.arguments = {"timeouts": {name: value}}
        elif origin == "config string":
            text = str(value) if name in SECRETS else spelled(value)
            self.query = f"?{name.removeprefix('proxy_')}={text}"
        elif origin == "environment":
            self._patch.setenv(variable, str(value).lower() if value is False else str(value))
        elif origin != "default":
            table = f"[profiles.{origin.partition(' ')[0]}.timeouts]\n" if name in CLOCKS else ""
            self.profiles[origin] = f"{table}{name} = {json.dumps(value)}\n"
        if name not in SECRETS:
            return value
        return "**********" if origin == "argument" else f"env:{variable}"

    def write(self) -> None:
        """Write the profiles; each is called as the first word of its origin."""
        texts = ['default = "default"\n'] if "default profile" in self.profiles else []
        for origin, text in self.profiles.items():
            texts.append(f"[profiles.{origin.partition(' ')[0]}]\nbackend = 'made-up'\n{text}")
        self.file.write_text("".join(texts), encoding="utf-8")
        if "profile" in self.profiles:
            self.arguments["profile"] = "profile"


@pytest.fixture
def world(site: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A plugin with Spark's options and a variable for every field; nobody says anything yet."""
    install(site, source=PLUGIN_WITH_ALL)
    return World(site, monkeypatch)


PAIRS = [
    pytest.param(name, upper, lower, id=f"{name.shown}-{upper}-{lower}".replace(" ", "_"))
    for name in NAMES
    for upper, lower in pairwise(
        [each for each in ORIGINS if name.full not in CANNOT.get(each, ())]
    )
]


@pytest.mark.parametrize(("name", "upper", "lower"), PAIRS)
def test_an_origin_wins_over_the_next(world: World, name: Name, upper: str, lower: str) -> None:
    """Whatever the field, the upper one's value holds, and explain names it and the other."""
    expected = world.say(upper, name.full)
    world.say(lower, name.full)
    world.write()
    found = explain(f"made-up{world.query}", None, **world.arguments).values[name.shown]
    assert (expected, upper) == (found.value, found.origin)
    assert lower == "default" or found.overridden[0].startswith(lower)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: str(name.shown))
def test_the_default_is_named_too(world: World, name: Name) -> None:
    """Where nobody says anything, that is what explain says."""
    world.write()
    found = explain("made-up").values[name.shown]
    assert (found.origin, found.where, found.overridden) == ("default", None, ())


@pytest.mark.parametrize("name", CLOCKS)
def test_a_config_string_has_no_clocks(name: str, world: World) -> None:
    """One of the things that it has no way to say."""
    world.write()
    for option in (f"{name}=5", f"timeouts={name}"):
        with pytest.raises(UnsupportedOptionError):
            new_client(f"made-up?{option}")


def test_the_environment_has_params_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables named like other values mean nothing."""
    for name in (*CLOCKS, *DEFAULTS, *OPTIONS):
        monkeypatch.setenv(f"X_{name.upper()}", "1")
    world.write()
    assert {"default"} == {
        explain("made-up").values[name.shown].origin for name in NAMES if name.full not in FIELDS
    }


def test_a_variable_is_no_list(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one params field that is a list is refused there, not misread."""
    monkeypatch.setenv("X_OBSERVERS", "a,b")
    world.write()
    with pytest.raises(ConfigError, match="observers"):
        new_client("made-up")


TARGETS = 'default = "low"\n[profiles.low]\nbackend = "made-up:low"\n[profiles.named]\n'
CHOICES: Mapping[str, tuple[Callable[[], object], str | None, str, str]] = {
    "config string": (lambda: "made-up:own", "named", "own", "config string"),
    "profile": (lambda: "made-up", "named", "named", "profile"),
    "profile alone": (lambda: "@named", None, "named", "profile"),
    "default profile": (lambda: "made-up", None, "low", "default profile"),
    "default profile alone": (lambda: None, None, "low", "default profile"),
}


@pytest.mark.parametrize(("config", "profile", "model", "origin"), CHOICES.values(), ids=CHOICES)
def test_the_model_has_its_origin(
    world: World, config: Callable[[], str | None], profile: str | None, model: str, origin: str
) -> None:
    """Config string, profile by name, default profile: the first that names one."""
    world.file.write_text(f'{TARGETS}backend = "made-up:named"\n', encoding="utf-8")
    told = explain(config(), profile=profile)
    assert (origin, "made-up") == (told.values["model"].origin, told.backend)
    assert f"made-up:{model}" == new_client(config(), profile=profile).params.proxyllm_backend


def test_clocks_of_several_origins_come_together(world: World) -> None:
    """A table of some is no word on the others; a Timeouts is one on all six."""
    world.file.write_text(
        '[profiles.p]\nbackend = "made-up"\ntimeouts = { total = 7, idle = false }\n',
        encoding="utf-8",
    )
    some = new_client("@p", timeouts={"open": 3}).params.timeouts
    assert some == Timeouts(total=7, idle=None, open=3)
    assert new_client("@p", timeouts=Timeouts(open=3)).params.timeouts == Timeouts(open=3)


def test_params_and_mappings_may_name_a_profile(world: World) -> None:
    """As a config string, or beside one."""
    world.file.write_text('[profiles.p]\nbackend = "made-up:m"\n', encoding="utf-8")
    made = [
        new_client(ProxyModelParameters(proxyllm_backend="@p")),
        new_client({"backend": "made-up", "profile": "p"}),
        new_client(profile="p"),
    ]
    assert [client.params.model for client in made] == ["m"] * 3


def test_a_default_profile_of_another_backend_stays_out(world: World, site: Path) -> None:
    """What one service is to get never goes to another."""
    world.file.write_text(
        'default = "p"\n[profiles.p]\nbackend = "echo"\napi_key = "env:NO"\ntemperature = 0.5\n',
        encoding="utf-8",
    )
    params = new_client("made-up").params
    assert (bool(params.proxy_api_key), params.defaults) == (False, {})


def test_a_default_profile_of_another_distribution_stays_out(world: World, site: Path) -> None:
    """Two distributions of one name are two backends."""
    install(site, dist="other", module="other", backends={"made-up": "other"})
    world.file.write_text(
        'default = "p"\n[profiles.p]\nbackend = "made-up@other"\nmodel_name = "x"\n',
        encoding="utf-8",
    )
    assert new_client("made-up@modelplug_made_up").params.model_name is None
    assert new_client("made-up").params.model_name == "x"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"backend": "made-up", "profile": "e"}, "profile e is for echo"),
        ({"backend": "@e", "profile": "m"}, "two profiles"),
        ({"profile": 7}, "profile is a name"),
        ({"profile": "m", "backend": "a | b"}, "profile can't be for all of 2 backends"),
        ({"backend": "made-up?profile=m"}, "no option of a config string"),
        ({}, "no backend is chosen"),
    ],
)
def test_a_choice_that_contradicts_itself(
    world: World, arguments: dict[str, object], words: str
) -> None:
    """Nothing is guessed where two things are asked for."""
    world.file.write_text(
        '[profiles.e]\nbackend = "echo"\n[profiles.m]\nbackend = "made-up"\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=words):
        new_client(arguments)


def test_a_credential_set_is_not_made_of_two_origins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's key isn't paired with the default profile's app id."""
    monkeypatch.setenv("X_PROXY_API_KEY", "some-secret")
    world.file.write_text(
        'default = "p"\n[profiles.p]\nbackend = "made-up"\napi_app_id = "theirs"\n',
        encoding="utf-8",
    )
    found = explain("made-up").values["api_app_id"]
    assert (found.value, found.origin) == (None, "default")
    assert (f"default profile p of {world.file}",) == found.overridden


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("tempratur = 1", "tempratur"),
        ("options = { domian = 'x' }", "domian"),
        ("domain = 5", "domain"),
    ],
)
def test_a_profile_s_fault_is_told_with_its_place(world: World, line: str, key: str) -> None:
    """File, profile and key, for what only the backend can judge."""
    world.file.write_text(f'[profiles.p]\nbackend = "made-up"\n{line}\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        new_client("@p")
    assert all(word in str(caught.value) for word in (str(world.file), "profile p", key))


def test_a_profile_of_a_backend_that_is_not_there(world: World) -> None:
    """It is what is said of any backend."""
    world.file.write_text('[profiles.p]\nbackend = "made-upp"\n', encoding="utf-8")
    with pytest.raises(BackendNotFoundError):
        new_client("@p")


def test_the_options_are_not_a_place_for_the_model(world: World) -> None:
    """A key ``model`` in a profile gets a word of how to write it."""
    world.file.write_text('[profiles.p]\nbackend = "made-up"\nmodel = "m"\n', encoding="utf-8")
    with pytest.raises(UnsupportedOptionError) as caught:
        new_client("@p")
    assert "made-up:MODEL" in str(caught.value.hint)


def test_what_is_missing_is_told_by_value() -> None:
    """A configuration can be looked at before it is complete."""
    missing = configured("spark", {}).missing()
    assert isinstance(missing, MissingCredentialError)
    assert configured("echo", {}).missing() is None
