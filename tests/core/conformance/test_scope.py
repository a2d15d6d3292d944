"""What a level asks for."""

from __future__ import annotations

import pytest

from modelplug.conformance.check import Profile
from modelplug.conformance.runner import all_checks
from modelplug.conformance.scope import Scope


def test_a_level_has_those_below_it() -> None:
    """And nothing above."""
    scope = Scope.of("streaming")
    assert {each.profile for each in scope.checks} == {"core", "streaming"}
    assert scope.level == "streaming"


def test_without_a_level_there_is_everything() -> None:
    """And warnings are warnings."""
    scope = Scope.of(None)
    assert (scope.level, scope.strict) == ("complete", False)
    assert [*scope.checks] == all_checks()


@pytest.mark.parametrize(
    ("level", "strict", "is_strict"),
    [(None, True, True), ("core", False, False), ("core", True, True), ("complete", False, True)],
)
def test_who_asks_for_complete_asks_for_no_warning(
    level: Profile | None, strict: bool, is_strict: bool
) -> None:
    """Otherwise it takes strictness."""
    assert Scope.of(level, strict=strict).strict is is_strict
