"""The reference over SSE: what is right is never called wrong, whatever the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelplug import TooLargeError
from modelplug.conformance.check import Check
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from tests.core.conformance.reference_sse import MAX_EVENT, Events

APART = {"LIF-18": "it has a connection for each call, and the check warns of that"}

CHECKS = [check for check in all_checks() if check.id not in APART]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_the_reference_passes(installed: Path, check: Check) -> None:
    """What HTTP has no place for is not applicable, and the reason is told."""
    report = run(Subject.of("reference-sse"), [check], quantum=0.1)
    assert [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")] == []
    assert all(cell.told for cell in report.cells if cell.verdict == "n/a")


STREAM = (
    b"\xef\xbb\xbf: a comment\r\ndata:one\r\r\nid: 7\nevent\n\n"
    b"data: two\ndata\ndata:  lines\nretry: 3\n\ndata: never ended\n"
)
"""Not dispatched: a block without data, and one without its blank line."""


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events_are_found_however_the_bytes_are_cut(size: int) -> None:
    """As the standard of SSE has it, whatever ends the lines."""
    events = Events()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    found = [event for piece in pieces for event in events.feed(piece)]
    assert found == [b"one", b"two\n\n lines"]


@pytest.mark.parametrize("line", [b"", b"data: x\n"], ids=["one-line", "many-lines"])
def test_an_event_that_is_too_large_is_refused(line: bytes) -> None:
    """Also where each of its lines is short."""
    with pytest.raises(TooLargeError):
        Events().feed((line or b"x") * (MAX_EVENT + 1))
