"""Codecs that are recordings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modelplug import Delta, Finish, ToolCallDelta, Usage
from modelplug.conformance import Cassette, Harness
from modelplug.conformance.check import Check
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.selfcheck import self_checked
from modelplug.conformance.subject import Subject
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
    return Taped(FILE).harness(
        params=HARNESS.params, clock_moved=HARNESS.clock_moved, wire=HARNESS.wire
    )


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


def test_a_harness_has_from_the_file_what_it_says() -> None:
    """And from its author what else there is."""
    tape = Cassette(FILE)
    made = tape.harness(params=HARNESS.params, model="big", cannot_express={"quota": "gone"})
    assert (made.codec, made.params, made.model) == (tape, HARNESS.params, "big")
    assert made.finish_reasons == tape.finish_reasons != {}
    assert made.cannot_express == {"quota": "gone"}
    assert tape.harness(params=HARNESS.params).cannot_express == tape.cannot_express


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
    untimed = tape.refusal(Fail("auth"))
    assert untimed is not None
    assert (untimed.body, untimed.headers) == ("so much for auth", {})
    assert tape.refusal(Fail("server")) is None


def test_a_refusal_has_the_recorded_headers(tmp_path: Path) -> None:
    """And none besides."""
    text = TEXT.replace("{ Retry-After =", '{ X-Plan = "free", X-Wait =')
    refused = made(tmp_path, text).refusal(Fail("auth", retry_after=1.5))
    assert refused is not None
    assert refused.headers == {"X-Plan": "free", "X-Wait": "1.5"}


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
