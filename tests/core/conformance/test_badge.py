from __future__ import annotations

from xml.etree import ElementTree as ET

from modelplug.conformance.badge import badge, svg
from tests.core.conformance.samples import cell, report


def test_a_badge_has_the_level() -> None:
    """As shields.io wants to be told."""
    assert badge(report(cell("GEN-01"))) == {
        "schemaVersion": 1,
        "label": "modelplug",
        "message": "complete · acme 1.5",
        "color": "#1a7f37",
        "isError": False,
    }


def test_no_level_is_a_badge_too() -> None:
    """A red one."""
    found = badge(report(cell("GEN-01", verdict="fail")))
    assert (found["message"], found["isError"]) == ("no level · acme 1.5", True)


def test_the_picture_says_the_same() -> None:
    """It is well-formed, whatever the backend's name."""
    found = report(cell("GEN-01"), backend="a<b&c")
    root = ET.fromstring(svg(found))  # noqa: S314  # our own
    assert root.get("aria-label") == "modelplug: complete · a<b&c 1.5"
