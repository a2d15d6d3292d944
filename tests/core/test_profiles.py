"""What ``modelplug.toml`` may say, and what it may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelplug import ConfigError, ConfigSyntaxError, InvalidCredentialError, new_client
from modelplug.configstring import Target
from modelplug.errors import UnsupportedOptionError
from modelplug.profiles import Profiles, read_profiles
from modelplug.settings import Settings
from tests.support.leaks import our_locals

CANARY = "Zq7CanaryX9"

FULL = """
default = "dev"
"$schema" = "./modelplug.schema.json"

[profiles.dev]
backend = "echo"

[profiles."Prod.1"]
backend = "acme@dist:large?temperature=0.25&api_secret=file:b"
api_key = "env:ACME_KEY"
proxy_api_app_id = "app"
seed = 1
delay = 2
stop = ["a", "b"]
defaults = { top_p = 0.5 }
options = { words = [1, 2] }
timeouts = { first_delta = 120, idle = false }
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that holds; not there yet."""
    file = tmp_path / "modelplug.toml"
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    return file


def failure(file: Path, text: str) -> ConfigError:
    """What is wrong with a file, or with the profile in it."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_all()
    return caught.value


def read_all() -> None:
    """Read the file, and have its first profile that can't be raised."""
    for fault in read_profiles().faults.values():
        raise fault


def test_everything_that_a_profile_may_say(file: Path) -> None:
    """Params by short and full name, defaults, options and clocks, flat and in tables."""
    file.write_text(FULL, encoding="utf-8")
    found = read_profiles()
    profile = found.named("Prod.1")
    assert Target(backend="acme", dist="dist", model="large") == profile.target
    settings = profile.settings
    secrets = {name: repr(settings.fields[name]) for name in ("proxy_api_key", "proxy_api_secret")}
    assert secrets == {
        "proxy_api_key": "Secret('env:ACME_KEY')",
        "proxy_api_secret": f"Secret('file:{file.parent / 'b'}')",
    }
    assert settings == Settings(
        fields={**settings.fields, "proxy_api_app_id": "app"},
        defaults={"temperature": "0.25", "seed": 1, "stop": ["a", "b"], "top_p": 0.5},
        options={"delay": 2, "words": [1, 2]},
        clocks={"first_delta": 120, "idle": None},
    )
    assert found.default is found.named("dev")


def test_without_a_file_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No profile, no default; asking for one says how there would be."""
    assert Profiles() == read_profiles()
    with pytest.raises(ConfigError, match=r"no profile 'a', as there is no modelplug\.toml"):
        read_profiles().named("a")


def test_an_empty_file_is_one(file: Path) -> None:
    """It has no profile, and says so by its name."""
    file.touch()
    with pytest.raises(ConfigError, match="there is no profile 'a'") as caught:
        read_profiles().named("a")
    assert (str(file) in str(caught.value), "there are none") == (True, caught.value.hint)


@pytest.mark.parametrize(("name", "near"), [("prod1", "did you mean Prod.1? "), ("x", "")])
def test_an_unknown_name_is_told_the_known_ones(file: Path, name: str, near: str) -> None:
    """The nearest first, then all."""
    file.write_text(FULL, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_profiles().named(name)
    assert f"{near}there are dev, Prod.1" == caught.value.hint


TOP = {
    'defalt = "a"': "no 'defalt' at the top",
    'api_key = "env:A"': "no 'api_key' at the top",
    "profiles = 1": "profiles are tables",
    "default = 1": "default is a profile's name",
    'default = "a"': "no default profile 'a'",
    '[profiles."a b"]': "nobody can ask",
    "[profiles]\na = 1": "a profile is a table",
}


@pytest.mark.parametrize(("text", "words"), TOP.items(), ids=TOP)
def test_what_cannot_stand_in_a_file(file: Path, text: str, words: str) -> None:
    """The message has the file and what is wrong, the hint what to write."""
    error = failure(file, text)
    assert words in str(error)
    assert str(error).startswith(str(file))
    assert error.hint


INSIDE = {
    "seed = 1": "backend is missing",
    "backend = 1": "backend is missing",
    "backend = ''": "backend: config string, column 1",
    "backend = 'a | @b'": "can't name another",
    "backend = 'a | b'\napi_key = 'env:KEY'": "api_key can't be for all of 2 backends",
    "backend = 'a | b'\napi_base = 'wss://x'": "api_base can't be for all of 2 backends",
    "backend = 'a | b?seed=1'\nseed = 1": "seed is given twice",
    "backend = '@other'": "can't name another",
    "backend = 'a'\nprofile = 'b'": "can't name another",
    "backend = 'a'\nproxyllm_backend = 'b'": "proxyllm_backend is given twice",
    "backend = 'a?seed=1'\nseed = 1": "seed is given twice",
    "backend = 'a?delay=1'\noptions = { delay = 1 }": "delay is given twice",
    "backend = 'a?api_base=x'\nproxy_api_base = 'x'": "proxy_api_base is given twice",
    "backend = 'a?timeouts=1'": "timeouts is no option",
    "backend = 'a'\nseed = 'x'": "seed",
    "backend = 'a'\nmax_context_size = 0": "max_context_size",
    "backend = 'a'\ndefaults = 1": "defaults is a mapping",
    "backend = 'a'\ndefaults = { sed = 1 }": "sed",
    "backend = 'a'\ntimeouts = { idel = 1 }": "timeouts: there is no 'idel'",
    "backend = 'a'\ntimeouts = { idle = 0 }": "Timeouts.idle",
    "backend = 'a'\ntimeouts = { idle = true }": "timeouts: idle: seconds",
    "backend = 'a'\ntemperature = 1979-05-27": "temperature",
    "backend = 'a'\nobservers = 'log'": "observers: Input should be a list",
}


@pytest.mark.parametrize(("text", "words"), INSIDE.items(), ids=INSIDE)
def test_what_cannot_stand_in_a_profile(file: Path, text: str, words: str) -> None:
    """The message has the file, the profile and what is wrong."""
    error = failure(file, f"[profiles.p]\n{text}\n")
    assert str(error).startswith(f"{file}, profile p: ")
    assert words in str(error)


@pytest.mark.parametrize(
    "key", ["api_key", "api_secret", "proxy_api_key", "proxy_api_secret", "redis_url"]
)
@pytest.mark.parametrize(
    "value", [CANARY, "", "env:", f"env:{CANARY}-", "file:", f"http:{CANARY}", [CANARY], 7]
)
def test_a_secret_is_given_by_reference(file: Path, key: str, value: object) -> None:
    """One that is written out is refused, and neither the error nor a frame of ours has it."""
    error = failure(file, f"[profiles.p]\nbackend = 'a'\n{key} = {value!r}\n")
    assert isinstance(error, InvalidCredentialError)
    assert f'{key} = "env:NAME"' in str(error)
    seen = f"{error} {error.hint} {error.__cause__} {error.__context__} {our_locals(error)}"
    assert CANARY not in seen


@pytest.mark.parametrize(
    "text",
    [
        f"backend = 'a?api_key={CANARY}'",
        f"backend = 'a'\nseed = '{CANARY}'",
        f"backend = 'a'\ndefaults = '{CANARY}'",
        f"backend = '{CANARY * 2}'",
        f"backend = 'a'\nkey = {CANARY}",
    ],
)
def test_no_error_shows_a_value(file: Path, text: str) -> None:
    """Whatever is wrong: a key may have been pasted into the wrong place."""
    error = failure(file, f"[profiles.p]\n{text}\n")
    seen = f"{error} {error.hint} {error.__cause__} {error.__context__} {our_locals(error)}"
    assert CANARY.lower() not in seen.lower()


def test_a_near_name_is_told(file: Path) -> None:
    """For clocks, as for all else."""
    error = failure(file, "[profiles.p]\nbackend = 'a'\ntimeouts = { idel = 1 }\n")
    assert isinstance(error, UnsupportedOptionError)
    assert "did you mean idle?" in str(error.hint)


def test_files_of_secrets_are_looked_for_beside_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever the program was started."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/acme").write_text("some-secret\n", encoding="utf-8")
    file.write_text(
        "[profiles.p]\nbackend = 'echo'\napi_key = 'file:keys/acme'\n", encoding="utf-8"
    )
    monkeypatch.chdir(os.sep)
    assert new_client("@p").params.credential().api_key.reveal() == "some-secret"


def test_a_broken_file_is_an_error_for_every_client(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its default profile might matter to any; switched off, it matters to none."""
    file.write_text("oops", encoding="utf-8")
    with pytest.raises(ConfigSyntaxError):
        new_client("echo")
    monkeypatch.setenv("MODELPLUG_CONFIG", "none")
    assert new_client("echo").backend == "echo"


def test_a_profile_that_cannot_be_harms_none_but_its_own(file: Path) -> None:
    """Others are served; whoever asks for it, or has it as the default, is told."""
    text = "[profiles.good]\nbackend = 'echo'\n[profiles.bad]\nbackend = 'echo'\nseed = 'x'\n"
    file.write_text(text, encoding="utf-8")
    assert new_client("@good").sync_generate("hi").text == "hi"
    assert new_client("echo").sync_generate("hi").text == "hi"
    with pytest.raises(ConfigError, match="profile bad: "):
        new_client("@bad")
    file.write_text(f"default = 'bad'\n{text}", encoding="utf-8")
    with pytest.raises(ConfigError, match="profile bad: "):
        new_client("@good")


def test_a_file_is_read_whenever_a_client_is_made(file: Path) -> None:
    """What was changed between two clients holds for the second, and for that alone."""
    clients = []
    for seed in (1, 2):
        file.write_text(f"[profiles.p]\nbackend = 'echo'\nseed = {seed}\n", encoding="utf-8")
        clients.append(new_client("@p"))
    assert [client.params.defaults["seed"] for client in clients] == [1, 2]
