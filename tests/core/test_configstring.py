"""The grammar of config strings, both ways, and what their errors may tell."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import traceback
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelplug.configstring import SECRET_OPTIONS, ConfigString, Reference, Target, is_reference
from modelplug.errors import ConfigError, ConfigSyntaxError, InvalidCredentialError

CANARY = "Zq7CanaryX9"
"""A pasted key: not a well-formed name, and in lower case a well-formed one."""

MARKS = "aB1@:?&|=,%+ \t\n._-/é模\u3000\u200b\x7f\0\ud800"

GOOD: dict[str, tuple[Target, ...]] = {
    "acme": (Target(backend="acme"),),
    "4cme.b_c-d": (Target(backend="4cme.b_c-d"),),
    " \tacme\n": (Target(backend="acme"),),
    "acme@acme-llm": (Target(backend="acme", dist="acme-llm"),),
    "acme:large": (Target(backend="acme", model="large"),),
    "acme:llama3:8b": (Target(backend="acme", model="llama3:8b"),),
    "acme::": (Target(backend="acme", model=":"),),
    "acme:org/large@v2=+,": (Target(backend="acme", model="org/large@v2=+,"),),
    "acme:a%3Fb%7Cc%26d%25e%20f%0A": (Target(backend="acme", model="a?b|c&d%e f\n"),),
    "acme:模型。%e6%a8%a1": (Target(backend="acme", model="模型。模"),),
    "acme@dist:m?a=1": (Target(backend="acme", dist="dist", model="m", options={"a": "1"}),),
    "acme?t_1=0.5&n=2": (Target(backend="acme", options={"t_1": "0.5", "n": "2"}),),
    "acme?a=": (Target(backend="acme", options={"a": ""}),),
    "acme?a==b=@:/+": (Target(backend="acme", options={"a": "=b=@:/+"}),),
    "acme?stop=a,b%2Cc": (Target(backend="acme", options={"stop": ("a", "b,c")}),),
    "acme?stop=,": (Target(backend="acme", options={"stop": ("", "")}),),
    "acme?stop=%2C": (Target(backend="acme", options={"stop": ","}),),
    "acme?a=env:HOME": (Target(backend="acme", options={"a": "env:HOME"}),),
    "acme?api_key=env:_K1": (
        Target(backend="acme", options={"api_key": Reference(kind="env", name="_K1")}),
    ),
    "acme?api_secret=file:/run/a%20b,c:d": (
        Target(backend="acme", options={"api_secret": Reference(kind="file", name="/run/a b,c:d")}),
    ),
    "@Prod.1": (Target(profile="Prod.1"),),
    "a|b:m |\t@c": (Target(backend="a"), Target(backend="b", model="m"), Target(profile="c")),
}

BAD: dict[str, int] = {
    "": 1,
    "   ": 4,
    "|acme": 1,
    "acme|": 6,
    "a | | b": 5,
    ":m": 1,
    "?a=1": 1,
    "Acme": 1,
    "acMe": 3,
    "-acme": 1,
    "ac me": 3,
    "acme :m": 5,
    "acme/m": 5,
    "acmé": 4,
    "a\ud800": 2,
    "a&b=1": 2,
    "acme@": 6,
    "acme@Dist": 6,
    "acme@a@b": 7,
    "@": 2,
    "@_a": 2,
    "@@a": 2,
    "@prod:m": 6,
    "@prod?a=1": 6,
    "acme:": 6,
    "acme:?a=1": 6,
    "acme:a b": 7,
    "acme:a&b=1": 7,
    "acme:a\tb": 7,
    "acme:a\u3000b": 7,
    "acme:a\u200bb": 7,
    "acme:\ud800": 6,
    "acme:100%": 9,
    "acme:%4": 6,
    "acme:%G0": 6,
    "acme:%+1": 6,
    "acme:a%FF": 7,
    "acme:%E6%A8%A1%E6": 15,
    "acme:%ED%A0%80": 6,
    "acme:%C0%AF": 6,
    "acme?": 6,
    "acme?a": 6,
    "acme?a=1&": 10,
    "acme?a=1&&b=2": 10,
    "acme?a=1&b": 10,
    "acme?=1": 6,
    "acme?A=1": 6,
    "acme?a-b=1": 7,
    "acme? a=1": 6,
    "acme?a =1": 7,
    "acme?a=1&a=2": 10,
    "acme?api_key=env:A&api_key=env:A": 20,
    "acme?a= 1": 8,
    "acme?a=1 2": 9,
    "acme?a=b?c=d": 9,
    "acme?a=x,%zz": 10,
    "acme?a=%80": 8,
    "acme?api_key=file:/a b": 21,
    " acme | acme?a=%": 16,
}

NOT_REFERENCES = ["", CANARY, "env:", "env:1A", "env:A-B", "env:A,B", "ENV:A", "env", "file:"]
NOT_REFERENCES += ["file:%00", "env%3AA", "http://x", "a b", "%", "a?b", ",env:A", " env:A"]

characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters)
plain_names = st.from_regex(r"[a-z0-9][a-z0-9._-]*", fullmatch=True)
option_names = st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True)
variables = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
references = st.builds(Reference, kind=st.just("env"), name=variables) | st.builds(
    Reference, kind=st.just("file"), name=paths
)
values = texts | st.lists(texts, min_size=1, max_size=4).map(tuple)
options = st.builds(
    lambda plain, secret: {**plain, **secret},
    st.dictionaries(option_names.filter(lambda name: name not in SECRET_OPTIONS), values),
    st.dictionaries(st.sampled_from(sorted(SECRET_OPTIONS)), references),
)
backends = st.builds(
    Target,
    backend=plain_names,
    dist=st.none() | plain_names,
    model=st.none() | st.text(characters, min_size=1),
    options=options,
)
profiles = st.builds(Target, profile=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*", fullmatch=True))
configs = st.builds(
    ConfigString, targets=st.lists(backends | profiles, min_size=1, max_size=3).map(tuple)
)


def failure(text: str) -> ConfigError:
    """The error that parsing ``text`` raises."""
    with pytest.raises(ConfigError) as caught:
        ConfigString.parse(text)
    return caught.value


def outcome(text: str) -> ConfigString | ConfigError:
    """What parsing ``text`` gives or raises."""
    try:
        return ConfigString.parse(text)
    except ConfigError as error:
        return error


def told(error: ConfigError) -> str:
    """All that an error says, to people and to tools that show the locals of frames."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    shown = [frame.locals for frame in frames if frame.filename != __file__]
    assert len(shown) == 1, "parse's own frame, and none further in"
    return repr((str(error), error, error.args, vars(error), shown))


@pytest.mark.parametrize(("text", "targets"), GOOD.items(), ids=GOOD)
def test_parse_good(text: str, targets: tuple[Target, ...]) -> None:
    """Every production of the grammar is understood."""
    assert ConfigString(targets=targets) == ConfigString.parse(text)


@pytest.mark.parametrize("text", GOOD)
def test_format_good(text: str) -> None:
    """What was parsed is written so that it parses to the same, and a second time alike."""
    config = ConfigString.parse(text)
    assert config == ConfigString.parse(str(config))
    assert str(config) == str(ConfigString.parse(str(config)))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  a|b  ", "a | b"),
        ("a@d:llama3:8b?t=0.5&s=x,y", "a@d:llama3:8b?t=0.5&s=x,y"),
        ("a?u=wss://h.cn:80/v1.1~_-@", "a?u=wss://h.cn:80/v1.1~_-@"),
        ("a:模型é。%e6%A8%a1", "a:模型é。模"),
        ("a:%61+=%3f%20", "a:a%2B%3D%3F%20"),
        ("a:%E3%80%80%E2%80%8B%7f", "a:%E3%80%80%E2%80%8B%7F"),
        ("a?api_key=file:/run/a,b", "a?api_key=file:/run/a%2Cb"),
    ],
)
def test_format_canonical(text: str, canonical: str) -> None:
    """One spelling is canonical: readable characters raw, all others percent-encoded."""
    assert canonical == str(ConfigString.parse(text))


@given(configs)
def test_round_trip(config: ConfigString) -> None:
    """Any config string that can be built is written and read back, options in their order."""
    back = ConfigString.parse(str(config))
    assert config == back
    assert [list(target.options) for target in config.targets] == [
        list(target.options) for target in back.targets
    ]


@given(configs)
def test_format_prints(config: ConfigString) -> None:
    """What is written is one line of printable characters."""
    assert str(config).isprintable()


@pytest.mark.parametrize(("text", "column"), BAD.items(), ids=[ascii(text) for text in BAD])
def test_parse_bad(text: str, column: int) -> None:
    """What breaks the grammar is refused with the column where it does, and a remedy."""
    error = failure(text)
    assert isinstance(error, ConfigSyntaxError)
    assert column == error.column
    assert f"column {column}:" in str(error)
    assert error.hint


def test_secret_options() -> None:
    """The address of a Redis has a password in it as a rule."""
    assert {"proxy_api_key", "proxy_api_secret", "redis_url", "api_key", "api_secret"} == {
        *SECRET_OPTIONS
    }


@pytest.mark.parametrize("option", sorted(SECRET_OPTIONS))
@pytest.mark.parametrize("value", NOT_REFERENCES)
def test_parse_secret_written_out(option: str, value: str) -> None:
    """A secret that is not a well-formed reference is refused, with what to write instead."""
    error = failure(f"acme?{option}={value}")
    assert isinstance(error, InvalidCredentialError)
    assert f"use {option}=env:NAME or file:/path" in str(error)
    assert error.hint


@pytest.mark.parametrize(
    ("text", "lower"), [("Acme", "acme"), ("a | B.2:m", "b.2"), ("acme@My-Dist", "my-dist")]
)
def test_hint_upper_case(text: str, lower: str) -> None:
    """A name in upper case gets a hint with the one in lower case."""
    assert str(failure(text).hint).startswith(f"write {lower}: ")


@pytest.mark.parametrize("text", [f"a?b=c|{CANARY}", f"a?b=c|d@{CANARY}", "K" * 21, f"@{CANARY}!"])
def test_hint_upper_case_withheld(text: str) -> None:
    """What may be the rest of a value, or a pasted key, is not repeated as a name."""
    assert "write" not in str(failure(text).hint)


def test_duplicate_names_option() -> None:
    """An option that is given twice is named."""
    assert "option stop_at is given twice" in str(failure("acme?stop_at=1&stop_at=2"))


@pytest.mark.parametrize(
    "text",
    [
        f"a?api_key={CANARY}",
        f"a?api_key=env:{CANARY}-",
        f"a?api_key=file:{CANARY} ",
        f"a?{CANARY}",
        f"a?{CANARY}=1",
        f"a?b={CANARY}%FF{CANARY}",
        f"a?b={CANARY}?c={CANARY}",
        f"a?b={CANARY}&{CANARY}",
        f"a?b={CANARY}&{CANARY}=1",
        f"a?b={CANARY}&b={CANARY}",
        f"a?b={CANARY}|{CANARY}",
        f"a:{CANARY}|",
    ],
)
def test_errors_tell_no_value(text: str) -> None:
    """A key that was pasted anywhere shows neither in the error nor in a frame of the module."""
    trail = f"{text}|?"  # makes those an error that would be none
    error = failure(trail)
    assert CANARY.lower() not in told(error).lower()
    assert error.__cause__ is error.__context__ is None


@given(st.text(MARKS), st.text(MARKS), st.sampled_from(["b", "api_key", "api_secret", ""]))
@example("", "", "api_key")
@example("|", "", "b")
def test_fuzz_values(left: str, right: str, name: str) -> None:
    """Whatever stands around a pasted key, parsing succeeds or its error doesn't tell the key."""
    result = outcome(f"a?{name}={left}{CANARY}{right}")
    if isinstance(result, ConfigError):
        assert CANARY.lower() not in told(result).lower()
        assert result.__cause__ is result.__context__ is None


@given(st.text() | st.text(MARKS) | st.text(MARKS).map("a:{}".format))
def test_fuzz_texts(text: str) -> None:
    """Any text is a config string with a canonical form, or an error with column and remedy."""
    result = outcome(text)
    if isinstance(result, ConfigError):
        assert result.hint
        assert 1 <= getattr(result, "column", 1) <= len(text) + 1
    else:
        assert result == ConfigString.parse(str(result))
        assert str(result) == str(ConfigString.parse(str(result)))


def test_errors_pickle() -> None:
    """An error crosses processes with its column and hint."""
    error = failure("acme:")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert (type(error), str(error), vars(error)) == (type(back), str(back), vars(back))


def test_parse_long() -> None:
    """Hundreds of thousands of marks cost time in proportion, not an age."""
    for mark in "|&,%:@=?":
        failure("a?b=c&" + mark * 200_000 + "%")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"backend": "a", "profile": "b"},
        {"profile": "a", "dist": "b"},
        {"profile": "a", "model": "b"},
        {"profile": "a", "model": ""},
        {"profile": "a", "options": {"b": "c"}},
        {"backend": ""},
        {"backend": "A"},
        {"backend": "a\n"},
        {"profile": "a b"},
        {"backend": "a", "dist": ""},
        {"backend": "a", "model": ""},
        {"backend": "a", "model": "\ud800"},
        {"backend": "a", "options": {"B": "c"}},
        {"backend": "a", "options": {"b": ()}},
        {"backend": "a", "options": {"b": "\ud800"}},
        {"backend": "a", "options": {"b": ("c", "\ud800")}},
        {"backend": "a", "options": {"b": Reference(kind="env", name="A")}},
        {"backend": "a", "options": {"api_key": CANARY}},
    ],
    ids=repr,
)
def test_target_impossible(fields: Mapping[str, Any]) -> None:
    """A target that no config string can say can't be built."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the class is the promise
        Target(**fields)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("env", ""), ("env", "A B"), ("env", "A\n"), ("file", ""), ("file", "\0"), ("file:a", "b")],
)
def test_reference_impossible(kind: Any, name: str) -> None:
    """A reference to what can be no variable and no file can't be built."""
    with pytest.raises(ValueError, match="a reference is"):
        Reference(kind=kind, name=name)


def test_config_without_targets() -> None:
    """A config string has at least one target."""
    with pytest.raises(ValueError, match="at least one target"):
        ConfigString(targets=())


def test_target_list_of_one() -> None:
    """A list of one is kept as a text, which the grammar can't tell from it."""
    options = {"stop": ("a,b",), "other": ("a", "b")}
    target = Target(backend="acme", options=options)
    assert target.options == {"stop": "a,b", "other": ("a", "b")}


def test_target_read_only() -> None:
    """A target's options are its own and can't be changed."""
    options = {"a": "1"}
    target = Target(backend="acme", options=options)
    options["a"] = "2"
    assert target.options == {"a": "1"}
    with pytest.raises(TypeError):
        target.options["a"] = "2"  # type: ignore[index]  # that is the point


def test_values_hash_and_copy() -> None:
    """Equal values have equal hashes and can be copied and replaced."""
    config = ConfigString.parse("acme?a=1&b=2 | @prod")
    assert len({config, ConfigString.parse("acme?b=2&a=1|@prod"), copy.copy(config)}) == 1
    assert str(dataclasses.replace(config.targets[0], model="m")) == "acme:m?a=1&b=2"


def test_reference_shows_source() -> None:
    """A reference shows where the secret is, as it is written in a config string."""
    assert str(Reference(kind="env", name="NAME")) == "env:NAME"
    assert str(Reference(kind="file", name="/a b")) == "file:/a b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("env:NAME", True), (" file:/a b\n", True), ("env:", False), ("sk-1", False)],
)
def test_a_reference_is_known_by_its_spelling(text: str, expected: bool) -> None:
    """Blanks around it make no key of it."""
    assert expected is is_reference(text)
