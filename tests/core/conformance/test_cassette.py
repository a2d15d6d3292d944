"""Codecs that are recordings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modelplug import Delta, Finish, ToolCallDelta, Usage
from modelplug.conformance import Account, Cassette, CassetteError, Harness
from modelplug.conformance.check import Check
from modelplug.conformance.runner import Subject, all_checks, run
from modelplug.conformance.selfcheck import self_checked
from modelplug.testing import Fail, RawRequest
from tests.core.conformance.reference import HARNESS, Codec

FILE = Path(__file__).parent / "cassettes" / "reference.toml"
TEXT = FILE.read_text("utf-8")
ASKED = RawRequest(target="/")


class Taped(Cassette):
    """A recording can't tell good credentials; who can, says so in code."""

    verify_auth = Codec.verify_auth


def harness() -> Harness:
    """The reference's, with its codec from the file."""
    tape = Taped(FILE)
    return replace(HARNESS, codec=tape, finish_reasons=tape.finish_reasons)


def made(folder: Path, text: str, name: str = "acme.toml") -> Cassette:
    """A cassette with this text."""
    path = folder / name
    path.write_text(text, "utf-8")
    return Cassette(path)


def said(message: bytes) -> dict[str, object]:
    """What a message says but for the session."""
    told: dict[str, object] = json.loads(message)
    del told["id"]
    return told


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: str(check.id))
def test_the_reference_passes_by_its_recordings(installed: Path, check: Check) -> None:
    """All that it passes by the codec in code; each check has another way of asking."""
    subject = Subject.of("reference")
    taped = replace(subject, harness=harness())
    ways = check.directions
    one = [ways[int(check.id[4:]) % len(ways)]] if ways else None
    for cell in run(taped, [check], directions=one, quantum=0.1).cells:
        assert cell.verdict in ("pass", "n/a"), cell.told
        if cell.verdict == "n/a":  # nor is there anything to look at by the codec in code
            assert cell.verdict in {
                each.verdict for each in run(subject, [check], directions=one).cells
            }


def test_recordings_can_be_trusted() -> None:
    """As the kit asks of every harness."""
    assert [cell.told for cell in self_checked(harness()) if cell.told] == []


def test_values_are_put_in_their_places() -> None:
    """Texts as JSON has them, numbers as numbers, what is unknown as null."""
    encoder = Cassette(FILE).encoder(ASKED)
    (text,) = encoder.delta(Delta('"wörld"\n~text~'))
    assert said(text) == {"text": '"wörld"\n~text~', "think": ""}
    (end,) = encoder.finish(Finish("length", usage=Usage(prompt_tokens=3, completion_tokens=4)))
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    unknown = {"cached_tokens": None, "reasoning_tokens": None}
    assert said(end) == {"done": "length", "usage": {**usage, **unknown}}


def test_a_message_is_used_when_it_fits() -> None:
    """One end tells the usage, the other has none to tell."""
    (end,) = Cassette(FILE).encoder(ASKED).finish(Finish())
    assert said(end) == {"done": "stop", "usage": None}


def test_a_delta_may_be_several_messages() -> None:
    """One for each thing in it."""
    call = ToolCallDelta(0, name="clock", arguments="{}")
    encoder = Cassette(FILE).encoder(ASKED)
    delta = Delta("a", reasoning="b", tool_call=call, sources=[{"url": "u"}])
    told = [[*said(each)] for each in encoder.delta(delta)]
    assert told == [["tool"], ["sources"], ["text", "think"], ["text", "think"]]


def test_each_answer_has_its_own_name() -> None:
    """And keeps it."""
    tape = Cassette(FILE)
    one, other = tape.encoder(ASKED), tape.encoder(ASKED)
    names = [json.loads(each.delta(Delta("a"))[0])["id"] for each in (one, one, other)]
    assert names[0] == names[1] != names[2]


def test_a_refusal_is_a_status() -> None:
    """Where one was recorded."""
    tape = Cassette(FILE)
    refused = tape.refusal(Fail("auth", message="no", retry_after=3))
    assert refused is not None
    assert (refused.status, refused.body, refused.headers) == (401, "no", {"Retry-After": "3"})
    assert tape.refusal(Fail("server")) is None


@pytest.mark.parametrize(
    "question", [b"{", b"[]", b"{}", b'{"messages": {}}', b'{"messages": [7]}'], ids=str
)
def test_what_is_no_question_is_told_so(question: bytes) -> None:
    """By a ValueError, as codecs do."""
    with pytest.raises(ValueError, match=r"."):
        Cassette(FILE).asked(RawRequest(target="/", body=question))


def test_json_serves_as_well(tmp_path: Path) -> None:
    """With bodies that are objects."""
    kinds = json.loads(json.dumps({"body": {"error": "~message~"}, "message": "no"}))
    told = {
        "source": "made up",
        "stream": [
            {"kind": "delta", "body": {"say": "~text~"}},
            {"kind": "finish", "body": {"end": True}},
        ],
        "noise": {"novelty": 1},
        "failures": {"server": kinds},
        "cannot_express": {
            kind: "not there" for kind in Cassette(FILE)._told.failures if kind != "server"
        },
        "request": {"messages": "turns", "role": "who", "text": "what", "roles": {"me": "user"}},
    }
    tape = made(tmp_path, json.dumps(told), "acme.json")
    asked = tape.asked(RawRequest(target="/", body=b'{"turns": [{"who": "me", "what": "hi"}]}'))
    assert asked.messages == [("user", "hi")]
    assert tape.encoder(ASKED).delta(Delta("a")) == [b'{"say": "a"}']
    assert tape.cannot_express["quota"] == "not there"


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


def test_every_failure_has_its_words_or_a_reason(tmp_path: Path) -> None:
    """One that was forgotten is named."""
    cut = TEXT.index("[failures.overloaded]")
    with pytest.raises(CassetteError, match="lacks overloaded, unknown_code: give each a body"):
        made(tmp_path, TEXT[:cut])


def test_a_cassette_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    """In the system's words."""
    with pytest.raises(CassetteError, match="No such file"):
        Cassette(tmp_path / "acme.toml")


@pytest.mark.parametrize("secret", [Account().api_key, Account().api_secret, "Bearer abcdefgh123"])
def test_a_cassette_with_a_credential_is_refused(tmp_path: Path, secret: str) -> None:
    """And the error doesn't repeat it."""
    text = TEXT.replace("so much for quota", f"no {secret}")
    with pytest.raises(CassetteError, match=r"line \d+ has what looks like") as refused:
        made(tmp_path, text)
    assert secret not in str(refused.value)
