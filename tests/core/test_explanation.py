"""What ``explain`` tells, that it goes nowhere, and that it shows no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelplug import (
    ConfigError,
    ExplainedValue,
    ModelRequest,
    ProxyLLMError,
    ProxyModelParameters,
    Secret,
    Timeouts,
    explain,
)
from tests.support.dists import PLUGIN, install
from tests.support.leaks import our_locals

CANARY = "canary-0123456789abcdef"

ACCOUNT = {"api_app_id": "app", "api_key": CANARY, "api_secret": f"{CANARY}-2"}

NO_NETWORK = """
import json, sys
def guard(event, args):
    if event.startswith("socket."):
        raise SystemExit(f"{event} was called")
import modelplug_spark.client  # what is imported may make sockets, to see what there is
sys.addaudithook(guard)
import modelplug
told = modelplug.explain("spark:lite", "hello", api_app_id="a", api_key="k" * 9, api_secret="s" * 9)
print(json.dumps(told.to_dict()))
"""


def test_nothing_goes_to_the_network() -> None:
    """Not a socket is made, nor a name looked up; the whole message is there all the same."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NO_NETWORK],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["failures"] == []
    assert told["request"]["message"]["payload"]["message"]["text"] == [
        {"role": "user", "content": "hello"}
    ]


def test_the_whole_of_it() -> None:
    """Which plugin, which model, and all values with where they come from."""
    told = explain("spark:v3.5?temperature=0.5", top_k=3, **ACCOUNT)
    assert (
        told.backend,
        told.distribution,
        told.model,
    ) == ("spark", "modelplug-spark", "generalv3.5")
    assert told.values["top_k"] == ExplainedValue(value=3, origin="argument")
    assert told.values["temperature"] == ExplainedValue(value=0.5, origin="config string")
    assert told.values["api_key"] == ExplainedValue(
        value="**********", origin="argument", variable="XUNFEI_SPARK_API_KEY"
    )
    assert told.values["sequence"] == ExplainedValue(value="strict", origin="default")
    assert told.values["timeouts.idle"].value == Timeouts().idle
    assert (told.request, told.refused, told.failures) == (None, (), ())


def test_missing_credentials_are_told_and_no_hindrance() -> None:
    """The message is shown, with what a call would lack and which variable would give it."""
    told = explain("spark", "hello")
    assert told.request is not None
    assert "MissingCredentialError: spark needs api_app_id" in told.failures[0]
    key = told.values["api_key"]
    assert (key.value, key.origin, key.variable) == (None, "default", "XUNFEI_SPARK_API_KEY")


def test_a_reference_that_leads_nowhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call would fail of it; the reference itself is no secret."""
    told = explain("echo?api_key=env:NOT_SET_ANYWHERE", "hello")
    assert told.values["api_key"].value == "env:NOT_SET_ANYWHERE"
    assert "env:NOT_SET_ANYWHERE" in told.failures[0]


def test_a_callable_is_not_asked() -> None:
    """It may do anything, such as to fetch the key from another machine."""

    def fetch() -> str:
        raise AssertionError

    told = explain("echo", "hello", api_key=fetch, api_secret=Secret(fetch))
    assert (told.values["api_secret"].value, told.failures) == ("**********", ())


@pytest.mark.parametrize(("policy", "failures"), [("error", 1), ("warn", 0), ("drop", 0)], ids=str)
def test_what_is_refused_is_collected(policy: str, failures: int) -> None:
    """All of it, whatever the policy: the core's part and the plugin's; the policy decides."""
    told = explain(
        "spark:lite?top_p=0.5&temperature=7&seed=1",
        "hello",
        on_unsupported=policy,
        **ACCOUNT,
    )
    assert told.on_unsupported == policy
    assert len(told.failures) == failures
    assert "top_p, seed" in told.refused[0]
    assert "temperature 7.0 is outside" in told.refused[1]
    assert "temperature" not in json.dumps(told.request)


def test_the_request_s_own_policy_goes_before() -> None:
    """As it does in a call."""
    request = ModelRequest(messages="hi", seed=1, on_unsupported="drop")
    told = explain("spark:lite", request, on_unsupported="error", **ACCOUNT)
    assert (told.on_unsupported, len(told.refused), told.failures) == ("drop", 1, ())


def test_what_cannot_be_left_out_is_a_failure() -> None:
    """A request that no policy mends has no message."""
    messages = [("system", "a"), ("human", "b"), ("tool", "c")]
    request = ModelRequest(messages=[{"role": role, "content": text} for role, text in messages])
    told = explain("spark:lite", request, **ACCOUNT)
    assert told.request is None
    assert "tool_role" in told.failures[0]


def test_a_request_may_be_an_iterator() -> None:
    """It is read more than once here, but by the caller's lights once."""
    messages: Iterator[dict[str, object]] = iter([{"role": "user", "content": "hi"}])
    assert explain("spark:lite", messages, **ACCOUNT).failures == ()


def test_a_plugin_that_cannot_tell_says_nothing() -> None:
    """The preview is the author's choice."""
    told = explain("echo?temperature=1&stop=x", "hello", on_unsupported="warn")
    assert told.emulated == ("temperature",)
    assert (told.request, len(told.refused), told.failures) == (None, 1, ())


def test_each_target_of_a_fallback_is_explained() -> None:
    """In the order in which they are asked; what is given for all is in each."""
    messages: Iterator[dict[str, object]] = iter([{"role": "user", "content": "hello"}])
    told = explain("spark:lite?top_k=3 | echo", messages, temperature=0.5)
    (other,) = told.fallbacks
    assert [each.backend for each in (told, other)] == ["spark", "echo"]
    assert [each.values["temperature"].value for each in (told, other)] == [0.5, 0.5]
    assert (told.values["top_k"].value, other.values["top_k"].value) == (3, None)
    assert other.fallbacks == ()
    assert told.request is not None
    assert json.loads(json.dumps(told.to_dict()))["fallbacks"] == [
        json.loads(json.dumps(other.to_dict()))
    ]


def test_each_target_of_a_profile_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own options, and what stands beside them."""
    file = tmp_path / "modelplug.toml"
    text = "[profiles.prod]\nbackend = 'spark:lite?top_k=3 | echo:x'\ntemperature = 0.5\n"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    told = explain("@prod")
    (other,) = told.fallbacks
    assert [(each.backend, each.model) for each in (told, other)] == [
        ("spark", "lite"),
        ("echo", "x"),
    ]
    assert [each.values["temperature"].value for each in (told, other)] == [0.5, 0.5]
    assert (told.values["top_k"].value, other.values["top_k"].value) == (3, None)


@pytest.mark.parametrize(
    ("model", "asked"), [(None, "lite"), ("generalv3.5", "generalv3.5"), ("parrot", "lite")]
)
def test_a_model_is_asked_of_who_has_it(model: str | None, asked: str) -> None:
    """Others are asked for their own, as a fallback does it."""
    request = ModelRequest(messages="hello", model=model)
    (other,) = explain("echo | spark:lite", request).fallbacks
    assert json.loads(json.dumps(other.request))["message"]["parameter"]["chat"]["domain"] == asked


def test_a_dict_that_json_can_hold() -> None:
    """For tools."""
    told = explain("spark?timeout=5&stop=a,b&patch_id=x", "hello", **ACCOUNT)
    back = json.loads(json.dumps(told.to_dict()))
    assert (
        back["values"]["stop"]["value"],
        back["values"]["patch_id"]["value"],
    ) == (["a", "b"], ["x"])
    limits = explain("spark", timeout=Timeouts(total=5)).values["timeout"].value
    assert isinstance(limits, dict)
    assert limits["total"] == 5


ODD = PLUGIN.replace(
    "from modelplug import",
    "from pydantic import BaseModel, Field, SecretStr\n\n"
    "class Options(BaseModel):\n"
    "    token: SecretStr = SecretStr('')\n"
    "    words: set[str] = Field(default_factory=set)\n\n"
    "from modelplug import",
).replace("contract=1", "contract=1, options=Options")


def test_options_of_any_type_are_shown(site: Path) -> None:
    """As JSON can hold them, and a secret among them masked."""
    install(site, source=ODD)
    told = explain("made-up", token=CANARY, words={"a"})
    assert (told.values["token"].value, told.values["words"].value) == ("**********", "{'a'}")
    assert CANARY not in json.dumps(told.to_dict())


TELLS = PLUGIN.replace(
    "return AsyncScripted",
    "return type('Tells', (AsyncScripted,), {'preview': lambda self, request, call: BODY})",
)


@pytest.mark.parametrize(
    "body",
    [
        "{'Authorization': 'Bearer ' + self.params.proxy_api_key.reveal()}",
        "{(key := self.params.proxy_api_key.reveal()): ['x', {'y': ('z', key)}]}",
        "{'Authorization': 'Bearer ' + call.credential().api_key.reveal()}",
        "call.note(warning=self.params.proxy_api_key.reveal())",
    ],
)
def test_what_a_careless_plugin_previews_is_cleaned(site: Path, body: str) -> None:
    """A secret that is at hand is taken out of whatever it tells."""
    install(site, source=TELLS.replace("BODY", body))
    assert CANARY not in str(explain("made-up", "hello", api_key=CANARY).to_dict())


@pytest.mark.parametrize("body", ["{}['x']", "__import__('x-y')"])
def test_a_preview_that_breaks_is_the_plugin_s_fault(site: Path, body: str) -> None:
    """It is told, and all else is told, too."""
    install(site, source=TELLS.replace("BODY", body))
    told = explain("made-up", "hello")
    assert "PluginContractError" in told.failures[0]


def test_a_plugin_may_need_a_key_to_be_made(site: Path) -> None:
    """Then there is no preview, and the reason is told."""
    body = "{'new_client': classmethod(lambda *a: FAIL())}"
    source = PLUGIN.replace("return AsyncScripted", f"return type('Bad', (AsyncScripted,), {body})")
    source += (
        "\ndef FAIL():\n    from modelplug import MissingCredentialError\n"
        "    raise MissingCredentialError('no key')\n"
    )
    install(site, source=source)
    told = explain("made-up:big", "hello")
    assert (told.model, told.failures[0]) == ("big", "MissingCredentialError: no key")


def test_a_password_in_an_address_is_masked() -> None:
    """A proxy's, say."""
    told = explain("echo", http_proxy=f"http://me:{CANARY}@proxy:8080/")
    assert told.values["http_proxy"].value == "http://**********@proxy:8080/"


def test_policies_are_told_and_the_address_of_redis_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not given as it is, nor where a reference leads; nobody is asked there."""
    monkeypatch.setenv("A_REDIS", f"redis://:{CANARY}@127.0.0.1:1/0")
    config = "echo?retries=2&breaker=true&concurrency=3&requests_per_minute=4&tokens_per_minute=5"
    told = explain(config, "hello", redis_url=f"redis://:{CANARY}@127.0.0.1:1/0")
    names = ("retries", "breaker", "concurrency", "requests_per_minute", "tokens_per_minute")
    assert [told.values[name].value for name in names] == [2, True, 3, 4, 5]
    assert {told.values[name].origin for name in names} == {"config string"}
    referred = explain(f"{config}&redis_url=env:A_REDIS", "hello")
    assert referred.values["redis_url"].value == "env:A_REDIS"
    assert CANARY not in repr(told) + repr(referred)


@pytest.mark.parametrize("useless", [{"redis_url": "redis://x"}, {"burst": 2}])
def test_what_is_about_a_rate_needs_one(useless: dict[str, Any]) -> None:
    """Without one no client can be made, which is told."""
    (failure,) = explain("echo", **useless).failures
    assert "requests_per_minute" in failure
    assert explain("echo?requests_per_minute=60", **useless).failures == ()


FORMS: dict[str, Callable[[], object]] = {
    "redis": lambda: explain("echo", redis_url=CANARY, api_base=f"wss://x/?{CANARY}"),
    "mapping": lambda: explain({"backend": "echo", "api_key": CANARY}),
    "params": lambda: explain(ProxyModelParameters(proxyllm_backend="echo", proxy_api_key=CANARY)),
    "override": lambda: explain("echo", proxy_api_key=Secret(CANARY)),
    "base": lambda: explain("echo", api_key=CANARY, api_base=f"wss://x/?{CANARY}"),
}


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_no_secret_shows(make: Callable[[], object]) -> None:
    """However it was given, and wherever it was pasted besides."""
    assert CANARY not in repr(make())


@pytest.mark.parametrize("bad", ["echo?dely=1", "echo?api_key=x", "@nobody", 7, {}])
def test_a_configuration_that_cannot_be_is_new_client_s_error(bad: object) -> None:
    """It shows no secret, in no frame of ours."""
    with pytest.raises((ConfigError, ProxyLLMError)) as caught:
        explain(bad, api_key=CANARY)  # type: ignore[arg-type]  # that is the point
    assert CANARY not in f"{caught.value} {our_locals(caught.value)}"


def test_the_old_form_is_explained_with_its_warning() -> None:
    """DB-GPT's way to choose a backend; the warning is the caller's."""
    with pytest.warns(DeprecationWarning, match="old way") as caught:
        told = explain({"model_name": "echo_proxyllm", "proxyllm_backend": "v3"})
    assert __file__ == caught[0].filename
    assert (
        told.values["model"].origin,
        told.values["model"].where,
    ) == ("argument", "model_name")


def test_a_deadline_that_doesn_t_count_is_warned_of() -> None:
    """As the first target has it for the whole call."""
    for request in (None, "hi"):
        told = explain("echo:a?timeout=7 | echo:b?timeout=0.5 | echo:c", request)
        second, third = told.fallbacks
        (warning,) = second.warnings
        assert warning.startswith("its total (0.5 s) doesn't count")
        assert (told.warnings, third.warnings) == ((), ())
