"""Checks and their catalogue."""

from __future__ import annotations

import pytest

from modelplug.conformance.check import AREAS, PROFILES, check, registered
from modelplug.conformance.runner import all_checks

CHECKS = all_checks()


@pytest.mark.parametrize("each", CHECKS, ids=lambda each: str(each.id))
def test_a_check_says_what_its_rule_is(each: object) -> None:
    """As a sentence, with a title, in an area and for a level that there are."""
    found = next(check for check in CHECKS if check is each)
    assert found.rule.endswith(".")
    assert found.title
    assert found.id[:3] in AREAS
    assert found.profile in PROFILES
    assert found.area == AREAS[found.id[:3]]


def test_checks_stand_in_the_order_of_the_catalogue() -> None:
    """By area, and by number."""
    areas = list(AREAS)
    order = [(areas.index(each.id[:3]), each.id) for each in registered()]
    assert order == sorted(order)


def test_an_id_is_taken_once() -> None:
    """Two checks of one id would hide one another."""
    with pytest.raises(ValueError, match="STR-01"):
        check("STR-01", "again", profile="core")(lambda _: None)
