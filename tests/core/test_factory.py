"""Making a client: every form that an app may use, and every way to get it wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelplug import (
    BackendNotFoundError,
    ConfigError,
    ConfigSyntaxError,
    Event,
    InvalidCredentialError,
    MissingCredentialError,
    ModelRequest,
    PluginContractError,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    Timeouts,
    UnsupportedOptionError,
    new_client,
)
from modelplug.policies import Fallback, Policy
from modelplug_echo.client import EchoClient
from tests.support.dists import PLUGIN, install
from tests.support.leaks import our_locals

CANARY = "canary-0123456789abcdef"

FORMS = {
    "config string": lambda: new_client("echo:m?temperature=0.5&delay=0"),
    "params": lambda: new_client(
        ProxyModelParameters(proxyllm_backend="echo:m?temperature=0.5&delay=0")
    ),
    "params in full": lambda: new_client(
        ProxyModelParameters(
            proxyllm_backend="echo:m", defaults={"temperature": 0.5}, options={"delay": 0.0}
        )
    ),
    "mapping": lambda: new_client({"backend": "echo:m", "temperature": "0.5", "delay": 0}),
    "seed's mapping": lambda: new_client(
        {"proxyllm_backend": "echo:m", "defaults": {"temperature": 0.5}, "options": {"delay": 0}}
    ),
    "overrides": lambda: new_client("echo:m?temperature=9&delay=9", temperature=0.5, delay=0),
}


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS.keys())
def test_all_forms_make_the_same_client(make: object) -> None:
    """A config string, params, a mapping and overrides say the same in their own way."""
    client: ProxyLLMClient = make()  # type: ignore[operator]  # one of FORMS
    assert (
        client.backend,
        client.default_model,
        client.params.defaults["temperature"],
        client.params.options,
        client.sync_generate("hi").text,
    ) == ("echo", "m", 0.5, {"delay": 0.0}, "hi")


def test_dbgpts_old_form_is_understood() -> None:
    """``model_name`` chooses the backend and ``proxyllm_backend`` the model, with a warning."""
    with pytest.warns(DeprecationWarning, match="proxyllm_backend='echo:v3'") as caught:
        client = new_client(ProxyModelParameters(model_name="echo_proxyllm", proxyllm_backend="v3"))
    assert (client.backend, client.default_model) == ("echo", "v3")
    assert __file__ == caught[0].filename


@pytest.mark.parametrize("model", [None, "V 3?"])
def test_the_old_form_takes_any_model(model: str | None) -> None:
    """Without a model, or with one that is no config string, the old form holds too."""
    with pytest.warns(DeprecationWarning, match="old way"):
        client = new_client({"model_name": "echo_proxyllm", "proxyllm_backend": model})
    assert (model or "echo") == client.default_model


@pytest.mark.parametrize("old", [("Echo_proxyllm", "v3"), ("echo_proxyllm", "\ud800")], ids=repr)
def test_an_old_form_that_names_nothing_is_a_typed_error(old: tuple[str, str]) -> None:
    """A name that no backend can have, or text that is none, is a ConfigError."""
    with pytest.raises(ConfigError):
        new_client({"model_name": old[0], "proxyllm_backend": old[1]})


def test_a_name_like_the_old_form_changes_nothing_else() -> None:
    """Where the config string names an installed backend, it decides."""
    params = ProxyModelParameters(model_name="other_proxyllm", proxyllm_backend="echo:m")
    assert (new_client(params).backend, new_client(params).default_model) == ("echo", "m")


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("", ConfigSyntaxError),
        ("echo?delay", ConfigSyntaxError),
        ("ecko", BackendNotFoundError),
        ("echo@elsewhere", BackendNotFoundError),
        ("echo?dely=1", UnsupportedOptionError),
        ("echo?delay=soon", ConfigError),
        ("echo?temperature=warm", ConfigError),
        (f"echo?api_key={CANARY}", InvalidCredentialError),
        ("echo|ecko", BackendNotFoundError),
        ("echo|echo?dely=1", UnsupportedOptionError),
        ("echo?retries=-1", ConfigError),
        ("echo?retries=many", ConfigError),
        ("echo?retries=true", ConfigError),
        ("echo?concurrency=true", ConfigError),
        ("echo?requests_per_minute=true", ConfigError),
        ("echo?tokens_per_minute=true", ConfigError),
        ("echo?timeout=true", ConfigError),
        ("echo?timeout=1e400", ConfigError),
        ({"backend": "echo", "retries": True}, ConfigError),
        ("echo?concurrency=0", ConfigError),
        ("echo?requests_per_minute=0", ConfigError),
        ("echo?breaker=perhaps", ConfigError),
        (f"echo?redis_url=redis://:{CANARY}@x", InvalidCredentialError),
        ({"backend": "echo | echo", "api_key": CANARY}, ConfigError),
        ({"backend": "echo | echo", "api_base": "wss://x"}, ConfigError),
        ({"backend": "echo | echo", "profile": "p"}, ConfigError),
        ("@prod", ConfigError),
        ({}, ConfigError),
        (7, ConfigError),
        ({"backend": "echo", "max_context_size": 0}, ConfigError),
    ],
    ids=str,
)
def test_a_bad_configuration_is_a_typed_error(config: object, error: type[ProxyLLMError]) -> None:
    """Each way to get it wrong has its error, with a hint or the cause in words."""
    with pytest.raises(error):
        new_client(config)  # type: ignore[arg-type]  # that is the point


NEEDY = PLUGIN.replace(
    "contract=1",
    "contract=1, required=('proxy_api_app_id', 'proxy_api_key'),"
    "environment={'proxy_api_key': 'X_KEY', 'proxy_api_app_id': 'X_APP'}",
)


def test_all_that_is_missing_is_named_at_once(site: Path) -> None:
    """The error lists every credential that is needed and the variables to set."""
    install(site, source=NEEDY)
    with pytest.raises(MissingCredentialError, match="api_app_id, api_key") as caught:
        new_client("made-up")
    assert "X_APP, X_KEY" in str(caught.value.hint)
    assert "?api_app_id=...&api_key=env:NAME in the config string" in str(caught.value.hint)


def test_credentials_come_from_the_environment(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a backend names is read when the client is made, not before."""
    install(site, source=NEEDY)
    monkeypatch.setenv("X_APP", "app")
    monkeypatch.setenv("X_KEY", CANARY)
    credential = new_client("made-up").params.credential()
    assert (credential.app_id, credential.api_key.reveal()) == ("app", CANARY)


def test_credentials_of_two_origins_are_not_mixed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key by argument with an app id in the environment only is incomplete."""
    install(site, source=NEEDY)
    monkeypatch.setenv("X_APP", "app")
    monkeypatch.setenv("X_KEY", "theirs-12345")
    with pytest.raises(MissingCredentialError, match="api_app_id") as caught:
        new_client("made-up", api_key=CANARY)
    assert "api_key came from one place: give api_app_id there too" in str(caught.value.hint)


def test_the_variable_of_a_credential_that_is_missing_is_named(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the others came from the environment, it is the one to set."""
    install(site, source=NEEDY)
    monkeypatch.setenv("X_KEY", CANARY)
    monkeypatch.delenv("X_APP", raising=False)
    with pytest.raises(MissingCredentialError, match="api_app_id") as caught:
        new_client("made-up")
    assert str(caught.value.hint).startswith("api_key came from the environment: set X_APP too")


@pytest.mark.parametrize(
    "bad",
    ["made-up?nonsense=1", "nowhere", "made-up", f"echo?api_key={CANARY}", f"echo?x={CANARY}"],
)
def test_no_failure_shows_a_secret(site: Path, bad: str) -> None:
    """Neither the error nor any frame of ours holds what was passed in."""
    install(site, source=NEEDY)
    with pytest.raises(ProxyLLMError) as caught:
        new_client({"backend": bad, "api_key": CANARY}, api_secret=CANARY)
    error = caught.value
    chain = (error.__cause__, error.__context__, error.__dict__, error.args)
    assert CANARY not in f"{error} {our_locals(error)} {chain}"


def test_a_reference_is_checked_when_the_client_is_made(site: Path) -> None:
    """A variable that isn't set is an error at once, not at the first question."""
    install(site)
    with pytest.raises(MissingCredentialError, match="env:NOT_SET_ANYWHERE"):
        new_client("made-up?api_key=env:NOT_SET_ANYWHERE")


def test_an_executor_is_passed_through(site: Path) -> None:
    """The executor that an app gives is the client's."""
    with ThreadPoolExecutor(1) as pool:
        assert pool is new_client("echo", pool).executor


def test_observers_are_given_or_named(site: Path) -> None:
    """Observers come as objects, or by name from their group; nothing is loaded unasked."""
    install(
        site,
        source="events = []\nwatch = events.append",
        entry_points="[modelplug.observers]\nwatch = made_up:watch\n",
    )
    events: list[Event] = []
    new_client("echo?observers=watch", observers=[events.append]).sync_generate("hi")
    import made_up  # type: ignore[import-not-found]  # written above

    assert len(events) == 3
    assert events == made_up.events
    new_client("echo", observers=["watch"]).sync_generate("hi")
    assert len(made_up.events) == 6


def test_an_unknown_observer_is_refused() -> None:
    """A name that no installed observer has is an error."""
    with pytest.raises(ConfigError, match="'nobody'"):
        new_client("echo?observers=nobody")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("None", "TypeError"),
        ("{}['payload']", "KeyError"),
        ("__import__('sys').exit(3)", "SystemExit"),
    ],
)
def test_a_plugin_whose_new_client_fails_is_named(site: Path, body: str, words: str) -> None:
    """Whatever ``new_client`` of a plugin gives or raises but a client breaks the contract."""
    source = PLUGIN.replace(
        "return AsyncScripted",
        f"return type('Bad', (AsyncScripted,), {{'new_client': classmethod(lambda *a: {body})}})",
    )
    install(site, source=source)
    with pytest.raises(PluginContractError, match=words) as caught:
        new_client("made-up")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("config", ["echo?tmperature=1", "echo?dely=1", "echo?api_bse=x"])
def test_a_misspelt_option_is_set_right(config: str) -> None:
    """The nearest name is told, be it the backend's, a request default or of the params."""
    with pytest.raises(UnsupportedOptionError) as caught:
        new_client(config)
    assert "did you mean" in str(caught.value.hint)


def test_a_wrong_value_names_its_field_alone() -> None:
    """What is told is the field and what belongs there, not how it is validated."""
    with pytest.raises(ConfigError, match="timeout") as caught:
        new_client("echo?timeout=soon")
    assert "constrained" not in f"{caught.value} {caught.value.hint}"


def test_a_client_works_everywhere() -> None:
    """One client: several asyncio.run, threads, and sync calls inside a running loop."""
    client = new_client("echo")

    async def inside() -> str:
        return client.sync_generate("x").text + (await client.generate("y")).text

    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda text: client.sync_generate(text).text, "abcd"))
    assert ["xy", "xy", *"abcd"] == [asyncio.run(inside()), asyncio.run(inside()), *texts]


def test_a_default_may_be_a_whole_timeouts() -> None:
    """``timeout`` as a request default takes seconds or Timeouts."""
    client = new_client("echo", timeout=Timeouts(total=5))
    assert ("hi", Timeouts(total=5)) == (
        client.sync_generate("hi").text,
        client.params.defaults["timeout"],
    )


def test_none_is_not_given(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyword that is None leaves the environment its say."""
    install(site, source=NEEDY)
    monkeypatch.setenv("X_APP", "app")
    monkeypatch.setenv("X_KEY", CANARY)
    params = ProxyModelParameters(proxyllm_backend="made-up", proxy_api_key=None)  # type: ignore[arg-type]
    for client in (new_client("made-up", api_key=None), new_client(params)):
        assert client.params.proxy_api_app_id == "app"


@pytest.mark.parametrize(
    "name", ["proxy_api_base", "backend", "options", "defaults", "timeouts", "proxyllm_backend"]
)
def test_what_is_no_option_is_refused_in_a_config_string(name: str) -> None:
    """Full names, and what a config string says by its form, are no options of it."""
    with pytest.raises(UnsupportedOptionError, match=name):
        new_client(f"echo?{name}=x")


@pytest.mark.parametrize("name", ["api_key", "proxy_api_key", "proxy_api_secret"])
def test_a_secret_is_refused_under_any_name(name: str) -> None:
    """A key that is written out is refused, spelled short or in full."""
    with pytest.raises(InvalidCredentialError) as caught:
        new_client(f"echo?{name}={CANARY}")
    assert CANARY not in f"{caught.value} {our_locals(caught.value)}"


def test_one_value_under_two_names_is_refused() -> None:
    """The short and the full name of a field can't both be given."""
    with pytest.raises(ConfigError, match="twice"):
        new_client("echo", api_base="a", proxy_api_base="b")


@pytest.mark.parametrize("observer", ["x", 5])
def test_an_observer_has_to_be_callable(observer: object) -> None:
    """What can't be told is refused when the client is made."""
    with pytest.raises(ConfigError, match="observer"):
        new_client("echo", observers=[observer])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        ({"observers": print}, "observers are a list", "observers=[...]"),
        ({"observers": "watch"}, "observers are a list", "observers=[...]"),
        ({"observers": [7]}, "an observer is a callable", "name of an installed one"),
        ({"default_executor": "echo:b"}, "default_executor is an executor", "'one | other'"),
        ({"timeouts": 3}, "timeouts is a mapping, not a int", "timeout=30"),
        ({"backend": "echo?timeouts=3"}, "timeouts is no option", "timeout=30"),
        ({"redis_url": "redis://x"}, "redis_url is for rates", "requests_per_minute"),
        ({"tokens_per_minute": 9, "burst": 2}, "burst is for a rate", "requests_per_minute"),
        ({"api_key": "k", "backend": "echo | echo"}, "api_key can't be for all", "environment"),
    ],
)
def test_a_wrong_argument_is_told_with_what_to_write(
    given: dict[str, Any], words: str, hint: str
) -> None:
    """As a typed error, when the client is made."""
    with pytest.raises(ConfigError, match=words) as caught:
        new_client(**{"backend": "echo", **given})
    assert hint in str(caught.value.hint)


def test_keywords_alone_make_a_client() -> None:
    """The config string may be a keyword like all else."""
    assert new_client(proxyllm_backend="echo").backend == "echo"


def layers(client: ProxyLLMClient) -> list[str]:
    """The policies around a client, outermost first, and itself."""
    names = [type(client).__name__]
    return [*names, *layers(client.clients[0])] if isinstance(client, Policy) else names


FULL = "echo?retries=1&breaker=true&concurrency=2&requests_per_minute=600&tokens_per_minute=6000"


@pytest.mark.parametrize(
    "make",
    [
        lambda: new_client(FULL),
        lambda: new_client("echo", retries=1, breaker=True, concurrency=2, requests_per_minute=9),
        lambda: new_client(
            ProxyModelParameters(
                proxyllm_backend="echo",
                retries=1,
                breaker=True,
                concurrency=2,
                tokens_per_minute=6000,
            )
        ),
    ],
    ids=["config-string", "overrides", "params"],
)
def test_policies_are_asked_for_by_config(make: Callable[[], ProxyLLMClient]) -> None:
    """In whatever form, they stand in the order in which they belong."""
    with make() as client:
        assert layers(client) == ["Breaker", "Retry", "RateLimit", "ConcurrencyLimit", "EchoClient"]
        assert client.sync_generate("hi").text == "hi"


def test_policies_are_asked_for_by_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each target of a config string has those of its own."""
    file = tmp_path / "modelplug.toml"
    file.write_text(
        "[profiles.a]\nbackend = 'echo:x'\nretries = 2\n"
        "[profiles.b]\nbackend = 'echo:y'\nconcurrency = 3\nbreaker = true\n"
    )
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    with new_client("@a | @b | echo:z") as client:
        assert isinstance(client, Fallback)
        assert [layers(each) for each in client.clients] == [
            ["Retry", "EchoClient"],
            ["Breaker", "ConcurrencyLimit", "EchoClient"],
            ["EchoClient"],
        ]
        assert [each.default_model for each in client.clients] == ["x", "y", "z"]
        assert client.sync_generate("hi").served_by == "echo:x"


@pytest.mark.parametrize("config", ["echo", "echo?retries=0", "echo?breaker=false"])
def test_without_a_word_there_is_no_policy(config: str) -> None:
    """Nor is any imported."""
    code = (
        "import sys, modelplug; HEAVY = ('redis', 'pyrate_limiter'); "
        f"print(type(modelplug.new_client({config!r})).__name__, "
        "[each for each in sys.modules if 'policies' in each or each in HEAVY])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "EchoClient []\n"


@pytest.mark.parametrize("name", ["backend", "proxyllm_backend"])
@pytest.mark.parametrize("as_mapping", [False, True], ids=["keyword", "mapping"])
def test_several_targets_stand_under_either_name(name: str, *, as_mapping: bool) -> None:
    """The config string's short name does as well as its full one."""
    given: dict[str, Any] = {name: "echo?fail_after=0 | echo:other"}
    with new_client(given) if as_mapping else new_client(**given) as client:
        assert client.sync_generate("hi").served_by == "echo:other"


@pytest.mark.parametrize("how", ["config", "keyword", "default", "one-of-several"])
def test_a_profile_may_have_several_targets(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its own options, and what stands beside them is for all."""
    file = tmp_path / "modelplug.toml"
    file.write_text(
        "default = 'prod'\n[profiles.prod]\n"
        "backend = 'echo:a?retries=2&fail_after=0 | echo:b?breaker=true'\n"
        "concurrency = 3\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    made = {
        "config": lambda: new_client("@prod"),
        "keyword": lambda: new_client(profile="prod"),
        "default": lambda: new_client(temperature=0.5),
        "one-of-several": lambda: new_client("@prod | echo:c"),
    }
    with made[how]() as client:
        assert isinstance(client, Fallback)
        kinds = [layers(each) for each in client.clients]
        assert [each.params.concurrency for each in client.clients[:2]] == [3, 3]
        assert client.sync_generate("hi").served_by == "echo:b"
    assert [kind[:-1] for kind in kinds[:2]] == [
        ["Retry", "ConcurrencyLimit"],
        ["Breaker", "ConcurrencyLimit"],
    ]
    assert len(kinds) == (3 if how == "one-of-several" else 2)
    with pytest.raises(ConfigError, match="api_key can't be for all of 2 backends"):
        new_client("@prod", api_key=CANARY)


def test_what_is_for_all_targets_is_for_each() -> None:
    """Overrides that aren't one backend's own."""
    with new_client("echo:x | echo:y", retries=1, temperature=0.5) as client:
        assert isinstance(client, Fallback)
        assert [layers(each)[0] for each in client.clients] == ["Retry", "Retry"]
        assert {each.params.defaults["temperature"] for each in client.clients} == {0.5}


def test_a_target_that_cant_be_made_leaves_nothing_open(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before it are closed again."""
    closed: list[object] = []

    def close(self: EchoClient) -> None:
        closed.append(self)

    monkeypatch.setattr(EchoClient, "close", close)
    with pytest.raises(BackendNotFoundError):
        new_client("echo | echo | ecko")
    assert len(closed) == 2


def test_observers_are_told_once_of_a_call_at_several() -> None:
    """Whoever is given to all hears each event once."""
    events: list[Event] = []
    with new_client("echo | echo", observers=[events.append]) as client:
        client.sync_generate("hi")
    assert [type(event).__name__ for event in events] == [
        "CallStarted",
        "FirstDelta",
        "CallFinished",
    ]


@pytest.mark.parametrize(
    ("config", "overrides", "told"),
    [
        ("echo:a | echo:b?timeout=0.5", {}, "total (0.5 s) doesn't count"),
        ("echo:a?timeout=7 | echo:b?timeout=0.5", {}, "that of the first (7 s)"),
        ("echo:a?timeout=7 | echo:b", {}, None),
        ("echo:a | echo:b", {"timeout": 7}, None),
        ("echo:a?timeout=7 | echo:b?timeout=7", {}, None),
        ("echo:a | echo:b", {}, None),
    ],
)
def test_a_deadline_that_doesn_t_count_is_told_of(
    config: str, overrides: dict[str, Any], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A call has one for all its targets: that of the first."""
    new_client(config, **overrides).close()
    if told is None:
        assert caplog.messages == []
        return
    (message,) = caplog.messages
    assert message.startswith("echo:b comes after another, and its ")
    assert told in message


def test_the_deadlines_of_profiles_are_told_of_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may have been right by itself."""
    file = tmp_path / "modelplug.toml"
    file.write_text(
        "[profiles.a]\nbackend = 'echo:a'\ntimeouts = {total = 3}\n"
        "[profiles.b]\nbackend = 'echo:b'\ntimeouts = {total = 4}\n"
    )
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    with new_client("@a | @b") as client:
        assert client.timeouts_of(ModelRequest(messages="hi")).total == 3
    assert ["its total (4 s) doesn't count" in message for message in caplog.messages] == [True]
