"""Side badges, and what they stand on."""

from __future__ import annotations

import pytest

from modelplug.capabilities import CAPABILITY_NAMES
from modelplug.conformance.runner import all_checks
from modelplug.conformance.sides import SIDES, Side

NEEDS = {
    "tools": "tools",
    "tool_choice": "tools",
    "tool_role": "tools",
    "reasoning": "reasoning",
    "images": "vision",
}
"""Capability to the side badge that a check which needs it belongs to."""


@pytest.mark.parametrize("side", SIDES)
def test_a_group_is_of_checks_that_there_are(side: Side) -> None:
    """And of a capability that a plugin can claim."""
    group = SIDES[side]
    assert set(group.checks) <= {each.id for each in all_checks() if each.area == "Features"}
    assert group.capability in CAPABILITY_NAMES


def test_a_feature_of_a_side_belongs_to_its_group() -> None:
    """A new check of tools, thinking or images is written down there."""
    wanted = {
        each.id: NEEDS[each.needs]
        for each in all_checks()
        if each.area == "Features" and each.needs in NEEDS
    }
    found = {id: side for side, group in SIDES.items() for id in group.checks if id in wanted}
    assert found == wanted
