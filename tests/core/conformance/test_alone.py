"""What a plugin does in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelplug.conformance import alone as module
from modelplug.conformance.alone import alone, plugin_of
from modelplug.conformance.directions import Direction, Loop
from modelplug.conformance.lab import Lab
from modelplug.conformance.runner import Subject
from modelplug.conformance.verdict import Violation


@pytest.fixture
def lab(installed: Path) -> Iterator[Lab]:
    """One of the reference's."""
    subject = Subject.of("reference")
    with Loop.running() as loop:
        yield Lab(subject.backend, subject.harness, direction=Direction("async", loop))


def test_the_reference_does_nothing_besides(lab: Lab) -> None:
    """It is loaded, and that is all."""
    found = alone(lab, "import")
    assert found["client"] == "ReferenceClient"
    assert (found["error"], found["early"], found["reached"], found["changed"]) == ("", [], [], [])
    assert found["needs"] == ["websockets"]
    assert found["printed"] == ""


def test_a_package_can_be_taken_away(lab: Lab) -> None:
    """As if it weren't installed."""
    assert "websockets" in alone(lab, "import", without="websockets")["error"]


def test_a_process_that_hangs_is_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """And said to hang."""
    monkeypatch.setattr(module, "_PATIENCE", 0.001)
    with pytest.raises(Violation, match="doesn't end"):
        alone(lab, "import")


def test_the_plugin_is_found(lab: Lab) -> None:
    """By the backend's name."""
    assert plugin_of(lab).dist == "modelplug-reference"
