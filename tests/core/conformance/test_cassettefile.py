"""Files of cassettes, and what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelplug.conformance import Account, Cassette, CassetteError
from modelplug.conformance.cassettefile import filled
from tests.core.conformance.test_cassette import TEXT, made


def test_values_are_filled_in_as_json_has_them() -> None:
    """Whole ones where the quotes are the place's, and within a text what isn't there is none."""
    assert filled('{"a": "~a~", "b": "so ~b~!"}', {"a": 7}) == '{"a": 7, "b": "so !"}'
    assert filled({"a": "~a~"}, {"a": None}) == '{"a": null}'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("source = ", "sauce = ", "nobody knows sauce; did you mean source|there is no source"),
        ("[request]", "[[request", "neither TOML nor JSON, at line"),
        ('messages = "messages"\n', "", "there is no request.messages"),
        ('kind = "delta"', 'kind = "opening"', "no ~text~; known are id, seq"),
        ('"~text~"', '"words"', 'no message of the kind "delta" with ~text~ in it'),
        ('kind = "finish"', 'kind = "opening"', "no ~finish_reason~"),
        ("~reasoning~", "~resoning~", "did you mean ~reasoning~"),
        ("[failures.quota]", "[failures.qouta]", "failures.qouta"),
        ('"novelty": {"x": 1}}', '"novelty": {"x": 1}', "noise: the body is no JSON"),
        ('status_body = "~message~"', 'status_body = "~mesage~"', "did you mean ~message~"),
        ('= "~retry_after~" }', '= "~message~" }', r"headers.Retry-After: .* no ~message~"),
        ("~finish_reason~", "done", "finish_reasons and ~finish_reason~ go together"),
        ('length = "length"', 'length = "long"', "finish_reasons.length"),
    ],
    ids=[
        "unknown name",
        "no TOML",
        "no messages",
        "place of another kind",
        "no text",
        "no finish",
        "unknown place",
        "unknown failure",
        "no JSON",
        "unknown place of a status",
        "unknown place of a header",
        "no reason",
        "unknown reason",
    ],
)
def test_a_broken_cassette_says_what_is_wrong(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    """And where, so that its author needn't look for it."""
    assert old in TEXT
    with pytest.raises(CassetteError, match=rf"cassette acme.toml: .*({told})"):
        made(tmp_path, TEXT.replace(old, new))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Nobody likes to mend a file fault by fault."""
    text = TEXT.replace("~reasoning~", "~resoning~").replace('"~text~"', '"words"')
    with pytest.raises(CassetteError, match=r"~resoning~.*; the stream has no message"):
        made(tmp_path, text)


def test_every_failure_has_its_words_or_a_reason(tmp_path: Path) -> None:
    """One that was forgotten is named."""
    cut = TEXT.index("[failures.overloaded]")
    with pytest.raises(CassetteError, match="lacks overloaded, unknown_code: give each a body"):
        made(tmp_path, TEXT[:cut])


def test_a_cassette_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    """In the system's words."""
    with pytest.raises(CassetteError, match="No such file"):
        Cassette(tmp_path / "acme.toml")


@pytest.mark.parametrize(
    "secret",
    [Account().api_key, Account().api_secret, "Bearer abcdefgh123"],
    ids=["key", "secret", "bearer"],
)
def test_a_cassette_with_a_credential_is_refused(tmp_path: Path, secret: str) -> None:
    """And the error doesn't repeat it."""
    text = TEXT.replace("so much for quota", f"no {secret}")
    with pytest.raises(CassetteError, match=r"line \d+ has what looks like") as refused:
        made(tmp_path, text)
    assert secret not in str(refused.value)
