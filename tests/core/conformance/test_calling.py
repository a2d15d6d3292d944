"""A call in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelplug import Finish
from modelplug.conformance.calling import calling
from modelplug.conformance.directions import Direction, Loop
from modelplug.conformance.lab import Lab
from modelplug.conformance.subject import Subject
from modelplug.conformance.verdict import Violation


@pytest.fixture
def lab(installed: Path) -> Iterator[Lab]:
    """One of the reference's."""
    subject = Subject.of("reference")
    with (
        Loop.running() as loop,
        Lab(subject, direction=Direction("sync-stream", loop)) as lab,
    ):
        yield lab


def test_it_calls_the_checks_own_service(lab: Lab) -> None:
    """And tells what came."""
    with calling(lab, "cost", ["Hello", Finish()], calls=1) as process:
        told = process.next("cost")
    assert told["lengths"] == [5]
    assert lab.asked().messages == [("user", "hi")]


def test_an_error_of_the_plugins_is_a_violation(lab: Lab) -> None:
    """With its words."""
    with (
        calling(lab, "cost", ["Hello", Finish()], calls=2) as process,
        pytest.raises(Violation, match="in a process of its own the plugin raised"),
    ):
        process.next("cost")


def test_an_end_before_anything_was_told_is_a_violation(lab: Lab) -> None:
    """With what the process complained of."""
    with (
        calling(lab, "nothing", ["Hello", Finish()]) as process,  # type: ignore[arg-type]  # the point
        pytest.raises(Violation, match=r"(?s)ended too early: .*KeyError"),
    ):
        process.next("cost")


def test_a_process_that_goes_on_is_ended_with_the_block(lab: Lab) -> None:
    """However long it would have waited."""
    with calling(lab, "cost", ["Hello", Finish()], calls=1) as process:
        assert process.ended(0.0) is None
    assert process.ended(0.0) is not None
