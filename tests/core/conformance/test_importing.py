"""What importing a plugin does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelplug.conformance import importing as module
from modelplug.conformance.directions import Direction, Loop
from modelplug.conformance.importing import importing
from modelplug.conformance.lab import Lab
from modelplug.conformance.subject import Subject
from modelplug.conformance.verdict import Violation


@pytest.fixture
def lab(installed: Path) -> Iterator[Lab]:
    """One of the reference's."""
    subject = Subject.of("reference")
    with Loop.running() as loop, Lab(subject, direction=Direction("async", loop)) as lab:
        yield lab


def test_the_reference_does_nothing_besides(lab: Lab) -> None:
    """It is loaded, and that is all."""
    found = importing(lab, "import")
    assert found["client"] == "ReferenceClient"
    assert (found["error"], found["early"], found["reached"], found["changed"]) == ("", [], [], [])
    assert found["needs"] == ["websockets"]
    assert found["printed"] == ""


def test_a_package_can_be_taken_away(lab: Lab) -> None:
    """As if it weren't installed."""
    assert "websockets" in importing(lab, "import", without="websockets")["error"]


def test_a_client_is_made_as_the_harness_says(installed: Path) -> None:
    """For an address of the kind that its service has, and for the model that is checked."""
    subject = Subject.of("reference-sse")
    with Loop.running() as loop, Lab(subject, direction=Direction("async", loop)) as lab:
        found = importing(lab, "count")
    assert found["error"] == ""


def test_a_process_that_hangs_is_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """And said to hang."""
    monkeypatch.setattr(module, "_PATIENCE", 0.001)
    with pytest.raises(Violation, match="doesn't end"):
        importing(lab, "import")
