from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from modelplug.conformance.badge import badge, svg
from tests.core.conformance.samples import cell, report


def test_a_badge_has_the_level_and_what_it_stands_on() -> None:
    """Set, kit and plugin, as shields.io wants to be told."""
    assert badge(report(cell("GEN-01"))) == {
        "schemaVersion": 1,
        "label": "modelplug",
        "message": "Complete · set 2026.1 · kit 0.1.0 · acme 1.5",
        "color": "#1a7f37",
        "isError": False,
    }


def test_no_level_is_a_badge_too() -> None:
    """A red one."""
    found = badge(report(cell("GEN-01", verdict="fail")))
    told = "No level · set 2026.1 · kit 0.1.0 · acme 1.5"
    assert (found["message"], found["isError"]) == (told, True)


def test_side_badges_stand_beside_the_level() -> None:
    """In the same badge."""
    seen = replace(report(cell("FEA-19")), claims={"images": "native"})
    assert str(badge(seen)["message"]).startswith("Complete + Vision · set 2026.1 · ")


def test_what_one_run_shows_is_said_to_be_so() -> None:
    """Nobody takes it for more."""
    once = report(cell("GEN-01"))
    once = replace(once, conditions=replace(once.conditions, repeat=1))
    assert str(badge(once)["message"]).startswith("Complete (one run) · set 2026.1 · ")


def test_the_picture_says_the_same() -> None:
    """It is well-formed, whatever the backend's name."""
    found = report(cell("GEN-01"), backend="a<b&c")
    root = ET.fromstring(svg(found))  # noqa: S314  # our own
    assert root.get("aria-label") == "modelplug: Complete · set 2026.1 · kit 0.1.0 · a<b&c 1.5"
