from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from modelplug import ConfigError, ConfigSyntaxError, new_client
from modelplug.cli.choice import choice, chosen
from modelplug.configstring import ConfigString

PROFILES = """
default = "dev"
[profiles.dev]
backend = "echo:dev"
seed = 1
[profiles.prod]
backend = "echo@modelplug-echo:prod"
seed = 2
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with two profiles."""
    file = tmp_path / "modelplug.toml"
    file.write_text(PROFILES, encoding="utf-8")
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    return file


def made(chosen: Mapping[str, object]) -> tuple[str | None, object, object]:
    """Model, seed and temperature of the client that comes of it."""
    params = new_client(chosen).params
    return params.model, params.defaults.get("seed"), params.defaults.get("temperature")


def options(*given: str, config: str = "acme") -> dict[str, object]:
    """The options of the config string that ``-o`` makes of ``config``."""
    return dict(ConfigString.parse(chosen(config, given)).targets[0].options)


def test_without_a_word_the_default_profile_holds() -> None:
    """``-o`` stands over it."""
    assert made(choice(None, ())) == ("dev", 1, None)
    assert made(choice(None, ["seed=7", "temperature=0.5"])) == ("dev", 7, 0.5)


@pytest.mark.parametrize(
    ("config", "profile"), [("@prod", None), (None, "prod"), (None, "@prod"), ("@prod", "prod")]
)
def test_a_profile_is_asked_for_by_name(config: str | None, profile: str | None) -> None:
    """In two ways, each with ``-o``."""
    if config is None or profile is None:
        assert made(choice(config, ["seed=7"], profile)) == ("prod", 7, None)
    assert made(choice(config, (), profile)) == ("prod", 2, None)


def test_no_option_is_added_to_a_profile_of_several_targets(file: Path) -> None:
    """It might be one target's alone."""
    file.write_text("[profiles.both]\nbackend = 'echo:a | echo:b'\n", encoding="utf-8")
    assert choice(None, (), "both") == {"backend": None, "profile": "both"}
    with pytest.raises(click.UsageError, match="several targets"):
        choice(None, ["seed=7"], "both")


def test_a_config_string_stands_over_a_profile() -> None:
    """And ``-o`` over both."""
    assert made(choice("echo:own?temperature=0.5", (), "prod")) == ("own", 2, 0.5)
    assert made(choice("echo:own?seed=9", ["seed=3"], "prod")) == ("own", 3, None)


def test_the_environment_stands_over_the_default_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """And below whatever is asked for on the command line."""
    monkeypatch.setenv("MODELPLUG_BACKEND", "echo:env")
    assert made(choice(None, ())) == ("env", 1, None)
    assert made(choice(None, (), "prod")) == ("prod", 2, None)
    monkeypatch.setenv("MODELPLUG_BACKEND", "@prod")
    assert made(choice(None, ())) == ("prod", 2, None)


def test_nothing_at_all_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file, a variable and an option there is nothing to ask."""
    monkeypatch.setenv("MODELPLUG_CONFIG", "none")
    with pytest.raises(click.UsageError, match="no backend is chosen"):
        choice(None, ())


def test_an_unknown_profile_is_an_error() -> None:
    """At once, with or without options."""
    for options in ((), ("seed=1",)):
        with pytest.raises(ConfigError, match="'pord'"):
            choice(None, options, "pord")


def test_options_are_added_to_the_config_string() -> None:
    """The string that comes of it has backend, model and old options as they were."""
    text = chosen("acme@dist:big?seed=1", ["temperature=0.2"])
    assert text == "acme@dist:big?seed=1&temperature=0.2"
    assert chosen("acme:big", []) == "acme:big"


def test_an_option_wins_over_the_config_strings_own() -> None:
    """The last word is the one on the command line."""
    assert options("seed=2", config="acme?seed=1") == {"seed": "2"}


def test_each_of_several_targets_gets_the_options() -> None:
    """Whichever answers, answers as was asked."""
    assert chosen("a | b:x", ["seed=1"]) == "a?seed=1 | b:x?seed=1"


def test_options_cannot_be_added_to_a_profile() -> None:
    """A profile stands alone."""
    with pytest.raises(click.UsageError, match="profile"):
        chosen("@prod", ["seed=1"])


def test_a_config_string_is_read_before_options_are_added() -> None:
    """Its own error, with a column, is not mistaken for one of -o."""
    with pytest.raises(ConfigSyntaxError):
        chosen("acme?", ["seed=1"])
