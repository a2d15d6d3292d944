"""Params: validation, secrets, references."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from modelplug import (
    ConfigError,
    InvalidCredentialError,
    MissingCredentialError,
    ProxyLLMError,
    ProxyModelParameters,
    Secret,
    Timeouts,
    UnsupportedOptionError,
)
from modelplug.configstring import Reference
from modelplug.params import SecretReference, fitted, is_callable, read_variable, validated
from tests.support.leaks import our_locals

CANARY = "canary-0123456789abcdef"

SEED_FIELDS = {
    "model_name",
    "model_path",
    "proxy_server_url",
    "proxy_api_key",
    "proxy_api_secret",
    "proxy_api_app_id",
    "proxy_api_base",
    "proxy_api_type",
    "proxy_api_version",
    "http_proxy",
    "proxyllm_backend",
    "model_type",
    "device",
    "prompt_template",
    "max_context_size",
    "llm_client_class",
}


def test_the_seeds_names_are_all_there() -> None:
    """Every field of DB-GPT's params can be given, by keyword."""
    assert set(ProxyModelParameters.model_fields) > SEED_FIELDS


def test_params_are_frozen() -> None:
    """What a client was made from can't be changed behind its back."""
    with pytest.raises(Exception, match="frozen"):
        ProxyModelParameters().model_name = "x"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    """A misspelt field is a typed error that says what was meant."""
    with pytest.raises(UnsupportedOptionError, match="proxy_api_ky") as caught:
        ProxyModelParameters(proxy_api_ky=CANARY)  # type: ignore[call-arg]  # that is the point
    assert "did you mean proxy_api_key?" in str(caught.value.hint)
    assert CANARY not in told(caught.value)


def told(error: BaseException) -> str:
    """Everything that an error shows: text, attributes, and our frames with their locals."""
    chain = f"{error.__cause__!r} {error.__context__!r}"
    return f"{error} {error!r} {error.__dict__} {chain} {our_locals(error)}"


@pytest.mark.parametrize(
    "values",
    [
        {"proxy_api_key": f"{CANARY}\r\nHost: x"},
        {"proxy_api_key": f"{CANARY}é"},
        {"proxy_api_secret": f"\ufeff{CANARY}"},
        {"proxy_api_key": CANARY, "max_context_size": "many"},
        {"proxy_api_key": CANARY, "timeouts": "x"},
        {"proxy_api_key": [CANARY]},
        {"proxy_api_key": CANARY, "defaults": {"temperature": CANARY}},
    ],
    ids=str,
)
def test_a_refusal_shows_no_secret(values: dict[str, object]) -> None:
    """Whatever is wrong with the params, no value of theirs is in the error or its frames."""
    with pytest.raises(ConfigError) as caught:
        ProxyModelParameters(**values)  # type: ignore[arg-type]  # that is the point
    assert CANARY not in told(caught.value)


@pytest.mark.parametrize("given", [CANARY, f" {CANARY}\n", lambda: CANARY, SecretStr(CANARY)])
def test_a_secret_may_be_given_in_many_ways(given: object) -> None:
    """Text, a callable and pydantic's SecretStr are all a secret; blanks around it go."""
    params = ProxyModelParameters(proxy_api_key=given)  # type: ignore[arg-type]  # any of them
    assert params.credential().api_key.reveal() == CANARY


@pytest.mark.parametrize("given", ["env:A_KEY", " file:/run/key ", SecretStr("env:A_KEY")])
@pytest.mark.parametrize("name", ["proxy_api_key", "proxy_api_secret", "redis_url"])
def test_a_reference_as_text_is_no_secret(name: str, given: object) -> None:
    """Config strings and profiles have references; elsewhere one isn't sent as if it were a key."""
    with pytest.raises(InvalidCredentialError, match="isn't read here") as caught:
        ProxyModelParameters(**{name: given})  # type: ignore[arg-type]  # any of them
    assert "os.environ[NAME]" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "meant"), [("base_url", "proxy_api_base"), ("key", "proxy_api_key")]
)
def test_a_name_of_other_libraries_is_known(name: str, meant: str) -> None:
    """What isn't like ours in its letters is told by what it means."""
    with pytest.raises(UnsupportedOptionError) as caught:
        ProxyModelParameters.model_validate({name: "x"})
    assert f"did you mean {meant}?" in str(caught.value.hint)


def test_params_show_no_secret() -> None:
    """Not in repr, str, dumps, copies or pickles."""
    params = ProxyModelParameters(proxy_api_key=CANARY, proxy_api_secret=CANARY)
    shown = [
        repr(params),
        str(params),
        f"{params}",
        params.model_dump_json(),
        str(params.model_dump()),
    ]
    shown += [repr(copy.deepcopy(params)), repr(params.credential()), str(vars(params))]
    assert not [text for text in shown if CANARY in text]
    with pytest.raises(TypeError, match="env:NAME"):
        pickle.dumps(params)


def test_a_mask_is_not_taken_for_a_secret() -> None:
    """A dump's mask that is read back in is refused, not sent as a key."""
    dumped = ProxyModelParameters(proxy_api_key=CANARY).model_dump_json()
    with pytest.raises(InvalidCredentialError):
        ProxyModelParameters.model_validate_json(dumped)


def test_params_without_a_written_secret_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """References travel as references and are read where they are used."""
    secret = SecretReference(Reference(kind="env", name="A_KEY"))
    params = pickle.loads(pickle.dumps(ProxyModelParameters(proxy_api_key=secret)))  # noqa: S301  # our own
    monkeypatch.setenv("A_KEY", CANARY)
    assert params.credential().api_key.reveal() == CANARY
    assert "env:A_KEY" in repr(params)


def test_equal_params_are_equal() -> None:
    """Params with the same values are equal; another secret makes a difference."""
    one, same, other = (
        ProxyModelParameters(proxy_api_key=key) for key in ("a" * 9, "a" * 9, "b" * 9)
    )
    assert (one == same, one == other) == (True, False)


def test_a_callable_is_asked_each_time() -> None:
    """A credential that rotates is new for every attempt."""
    keys = iter(["first", "second"])
    params = ProxyModelParameters(proxy_api_key=lambda: next(keys))
    assert [params.credential().api_key.reveal() for _ in range(2)] == ["first", "second"]


def test_a_file_is_read_at_each_use(tmp_path: Path) -> None:
    """A secret in a file may change; the newline at its end is no part of it."""
    path = tmp_path / "key"
    path.write_text("one\n")
    secret = SecretReference(Reference(kind="file", name=str(path)))
    seen = [secret.reveal()]
    path.write_text("two\n")
    assert [*seen, secret.reveal()] == ["one", "two"]


@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_reference_to_nothing_is_a_missing_credential(tmp_path: Path, kind: str) -> None:
    """What isn't there is named, with what to do."""
    name = "NO_SUCH_VARIABLE" if kind == "env" else str(tmp_path / "none")
    with pytest.raises(MissingCredentialError, match=kind):
        SecretReference(Reference(kind=kind, name=name)).reveal()  # type: ignore[arg-type]  # one of both


def test_the_config_string_tells_backend_and_model() -> None:
    """``model`` is what the string names, None without."""
    assert ProxyModelParameters(proxyllm_backend="x:llama3:8b").model == "llama3:8b"
    assert (ProxyModelParameters(proxyllm_backend="x").model, ProxyModelParameters().model) == (
        None,
        None,
    )


def test_values_are_coerced_by_their_fields() -> None:
    """Numbers and truth values may come as text; what doesn't fit is refused."""
    params = ProxyModelParameters(
        allow_insecure="true",  # type: ignore[arg-type]  # as from a file
        max_context_size="8192",  # type: ignore[arg-type]  # as from a file
        timeouts={"idle": 3},  # type: ignore[arg-type]  # as from a file
    )
    assert (True, 8192, Timeouts(idle=3)) == (
        params.allow_insecure,
        params.max_context_size,
        params.timeouts,
    )


class Sample(BaseModel, extra="forbid"):
    """An options model."""

    number: int = 0
    fields: Mapping[str, object] | None = None
    words: list[str] | None = None
    text: str = ""


def test_config_string_values_fit_their_fields() -> None:
    """A comma is text in a text field; one item is a list where a list belongs."""
    made = validated(
        Sample, {"number": "3", "words": "one", "text": ("a", "b")}, whose="options", fit=True
    )
    assert Sample(number=3, words=["one"], text="a,b") == made
    assert fitted(("a", "b"), list[str]) == ("a", "b")


@pytest.mark.parametrize("text", ['{"a": [1, 2]}', ('{"a": [1', " 2]}")])
def test_a_mapping_is_written_as_json(text: object) -> None:
    """Its commas, which a config string takes for a list's, are its own."""
    made = validated(Sample, {"fields": text}, whose="options", fit=True)
    assert made.fields == {"a": [1, 2]}


@pytest.mark.parametrize("text", ["a", "[1]", "{", "[" * 100_000])
def test_what_is_no_mapping_is_refused_with_how_to_write_one(text: str) -> None:
    """Whether it is no JSON, or JSON of something else; the value isn't shown."""
    with pytest.raises(ConfigError, match="fields: Input should be a") as caught:
        validated(Sample, {"fields": text}, whose="options", fit=True)
    assert '{"name": "value"}' in str(caught.value.hint)


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"nmber": 1}, UnsupportedOptionError, "no 'nmber'"),
        ({"number": CANARY}, ConfigError, "number: Input should be a valid integer"),
    ],
)
def test_options_are_refused_by_name(
    values: dict[str, object], error: type[ProxyLLMError], words: str
) -> None:
    """An unknown option and a wrong value are typed errors without the value."""
    with pytest.raises(error, match=words) as caught:
        validated(Sample, values, whose="options of x")
    assert CANARY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(("value", "expected"), [(" x ", "x"), ("", None), ("  ", None)])
def test_a_blank_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: str | None
) -> None:
    """Blanks around a variable go; nothing else left means unset."""
    monkeypatch.setenv("A_VARIABLE", value)
    assert expected == read_variable("A_VARIABLE")


def test_the_schema_marks_secrets() -> None:
    """Editors are told that a key is a password."""
    schema = ProxyModelParameters.model_json_schema()
    assert schema["properties"]["proxy_api_key"]["format"] == "password"


def test_secrets_are_falsy_when_empty() -> None:
    """An empty or blank key counts as not given."""
    assert not ProxyModelParameters(proxy_api_key=" \n").proxy_api_key
    assert Secret() == ProxyModelParameters().proxy_api_key


def test_a_file_that_is_no_text_shows_nothing_of_it(tmp_path: Path) -> None:
    """Bytes that aren't UTF-8 are a typed error without them."""
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xfe" + CANARY.encode())
    with pytest.raises(MissingCredentialError) as caught:
        SecretReference(Reference(kind="file", name=str(path))).reveal()
    assert CANARY not in told(caught.value)


def test_a_copy_with_changes_is_validated_too() -> None:
    """``model_copy`` wraps secrets and refuses unknown names as the constructor does."""
    copied = ProxyModelParameters().model_copy(update={"proxy_api_key": CANARY})
    assert CANARY not in repr(copied)
    with pytest.raises(UnsupportedOptionError):
        copied.model_copy(update={"nope": 1})


def test_validating_a_mapping_shows_no_secret() -> None:
    """The frames of ``model_validate`` that are ours hold nothing of what was given."""
    with pytest.raises(UnsupportedOptionError) as caught:
        ProxyModelParameters.model_validate({"proxy_api_key": CANARY, "nope": 1})
    assert CANARY not in told(caught.value)


def test_it_is_known_what_only_a_callable_can_tell() -> None:
    """A text and a reference can be read without running the app's code."""
    reference = SecretReference(Reference(kind="env", name="A"))
    secrets = (Secret(), Secret("some-text"), reference, Secret(lambda: "some-text"))
    assert [is_callable(secret) for secret in secrets] == [False, False, False, True]
    assert str(reference.reference) == "env:A"
