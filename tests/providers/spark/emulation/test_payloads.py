"""The frames of an answer, before they are bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.faults import INVENTED, TEXTS, Fault
from modelplug_spark.emulation.payloads import numbered, payloads, refused
from modelplug_spark.emulation.replies import Reply
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.frames import FunctionCall

USAGE = {"total_tokens": 1}
SOURCES = ({"index": 1, "url": "https://spark.example/1", "title": "x"},)


@given(st.text(), st.text(min_size=1), st.booleans(), st.booleans(), st.booleans())
def test_the_frames_make_the_whole(
    thinking: str, text: str, sourced: bool, empty_last: bool, bare: bool
) -> None:
    """Whatever the settings: all of the text, numbered, one usage, at the end."""
    answer = Reply(text, USAGE, thinking=thinking, sources=SOURCES if sourced else ())
    settings = EmulatorSettings(empty_last=empty_last, bare_sources=bare)
    said = payloads(answer, settings)
    choices = [payload.choices for payload in said if payload.choices]
    pieces = [piece for each in choices for piece in each.text or ()]
    assert text == "".join(piece.content or "" for piece in pieces)
    assert thinking == "".join(piece.reasoning_content or "" for piece in pieces)
    assert [*range(len(choices))] == [each.seq for each in choices]
    assert [bool(payload.usage) for payload in said] == [False] * (len(said) - 1) + [True]


@given(st.text(min_size=1))
def test_statuses_go_from_0_to_2(text: str) -> None:
    """0 first, 1 then, 2 last, alike in header and choices; a single frame has 2."""
    frames = numbered(payloads(Reply(text, USAGE), EmulatorSettings()), "sid")
    statuses = [frame.header.status for frame in frames]
    assert statuses == ([0] + [1] * (len(frames) - 2) if len(frames) > 1 else []) + [2]
    told = [frame.payload and frame.payload.choices for frame in frames]
    assert statuses == [choices.status for choices in told if choices]


def test_a_call_is_a_frame_of_its_own() -> None:
    """Sources and settings aside."""
    answer = Reply("", USAGE, call=FunctionCall("f", "{}"))
    assert len(payloads(answer, EmulatorSettings(empty_last=True))) == 1


@pytest.mark.parametrize("code", TEXTS)
@pytest.mark.parametrize("invented", [True, False])
def test_an_invented_text_may_be_left_out(code: int, invented: bool) -> None:
    """By a setting; a recorded one stays."""
    frame = refused(Fault(code, "told"), "sid", EmulatorSettings(invented_texts=invented))
    expected = "told" if invented or code not in INVENTED else ""
    assert (code, expected, 2) == (frame.header.code, frame.header.message, frame.header.status)
    assert not frame.payload
