"""Requirement sets."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from modelplug.conformance.requirements import NEWEST, SETS, RequirementSet, requirement_set, scored
from modelplug.conformance.runner import all_checks
from tests.core.conformance.samples import cell, report, rule


@pytest.mark.parametrize("name", SETS)
def test_a_set_names_checks_that_there_are(name: str) -> None:
    """No level may ask for what the kit can't look at."""
    assert requirement_set(name).name == name
    assert requirement_set(name).lacking(all_checks()) == []


def test_the_newest_set_has_every_check_until_it_is_frozen() -> None:
    """Otherwise ``make tables`` has been forgotten."""
    newest = requirement_set(NEWEST)
    assert newest.frozen or newest == RequirementSet.of(NEWEST, all_checks())


def test_older_sets_are_frozen() -> None:
    """What a release had stays as it was."""
    assert all(requirement_set(name).frozen for name in SETS[:-1])


def test_a_set_that_there_is_not_is_refused() -> None:
    """By its name."""
    with pytest.raises(ValueError, match=r"no requirement set '1999\.1'"):
        requirement_set("1999.1")


def test_what_a_set_lacks_words_for_is_told() -> None:
    """A check that is gone, and one that isn't as strict as the set has it."""
    wanted = RequirementSet(name="x", frozen=True, revisions={"GEN-01": 2, "GEN-02": 1})
    assert wanted.lacking([rule("GEN-01")]) == ["GEN-01@2", "GEN-02@1"]
    assert wanted.lacking([replace(rule("GEN-01"), revision=3), rule("GEN-02")]) == []


def test_what_a_set_does_not_have_is_not_scored() -> None:
    """Nor what has become stricter since: the next set has that."""
    wanted = RequirementSet(name="x", frozen=True, revisions={"GEN-01": 1, "GEN-02": 1})
    checks = (rule("GEN-01"), replace(rule("GEN-02"), revision=2), rule("GEN-03"))
    found = report(*(cell(each.id, verdict="fail") for each in checks), checks=checks)
    held = scored(found, wanted)
    assert held.not_scored == ("GEN-02", "GEN-03")
    assert held.conditions.set == "x"
    assert [each.check for each in held.failures] == ["GEN-01"]


def test_what_the_harness_is_asked_is_in_no_set() -> None:
    """And isn't called left out of it."""
    wanted = RequirementSet(name="x", frozen=True, revisions={})
    assert scored(report(cell("HAR-01", "-", "harness")), wanted).not_scored == ()


def test_a_set_is_written_as_it_is_read() -> None:
    """As TOML."""
    wanted = RequirementSet.of("2099.1", [rule("GEN-01"), replace(rule("STR-02"), revision=3)])
    assert tomllib.loads("\n".join(wanted.to_toml())) == {
        "set": "2099.1",
        "frozen": False,
        "checks": {"GEN-01": 1, "STR-02": 3},
    }
