"""Rules that a plugin keeps, and checks: a rule with the function that looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from modelplug.conformance.directions import ALL, DirectionName

if TYPE_CHECKING:
    from modelplug.conformance.lab import Lab

__all__ = ["AREAS", "PROFILES", "Check", "Profile", "Rule", "check", "registered"]

Profile: TypeAlias = Literal["core", "streaming", "resilient", "complete"]

PROFILES: tuple[Profile, ...] = ("core", "streaming", "resilient", "complete")
"""The levels, each with all that the ones before it ask."""

AREAS = {
    "HAR": "Harness",
    "REG": "Registration",
    "CFG": "Configuration",
    "SEC": "Secrets",
    "LIF": "Lifecycle",
    "GEN": "Answers",
    "STR": "Streams",
    "UNI": "Unicode",
    "CAN": "Cancelling",
    "TMO": "Clocks",
    "ERR": "Errors",
    "FLT": "Faults",
    "FEA": "Features",
    "TOK": "Tokens",
    "MOD": "Models",
}
"""What the first part of an id stands for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule, as reports have it.

    Attributes:
        id: such as ``STR-01``; the part before the hyphen is its area.
        title: a few words.
        rule: the rule, as a sentence.
        must: whether breaking it is a failure, or a warning.
        profile: the first level that asks for it.
        revision: counts up when more is asked for: requirement sets name it.
    """

    id: str
    title: str
    rule: str
    must: bool
    profile: Profile
    revision: int = 1

    @property
    def area(self) -> str:
        """Its area, in a word."""
        return AREAS[self.id.partition("-")[0]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check(Rule):
    """A rule that can be looked at.

    Attributes:
        directions: in which of the four ways it is looked at; none for what isn't a call.
        needs: a capability without which there is nothing to look at.
        look: raises Violation, NotApplicable or Untestable.
        twin: what must hold where the capability isn't claimed.
    """

    directions: Sequence[DirectionName]
    needs: str | None
    look: Callable[[Lab], None]
    twin: Callable[[Lab], None] | None

    def column(self, direction: DirectionName) -> str:
        """What reports call one of its directions: ``-`` for what isn't a call."""
        return direction if self.directions else "-"


_checks: dict[str, Check] = {}


def check(
    id: str,
    title: str,
    *,
    profile: Profile,
    must: bool = True,
    directions: Sequence[DirectionName] = ALL,
    needs: str | None = None,
    twin: Callable[[Lab], None] | None = None,
    revision: int = 1,
) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Make a check of a function, whose docstring is the rule.

    Raises:
        ValueError: there is one of this id.
    """

    def registers(look: Callable[[Lab], None]) -> Callable[[Lab], None]:
        if id in _checks:
            raise ValueError(f"there are two checks {id}")
        _checks[id] = Check(
            id=id,
            title=title,
            rule=" ".join((look.__doc__ or "").replace("``", "").split()),
            must=must,
            profile=profile,
            directions=tuple(directions),
            needs=needs,
            look=look,
            twin=twin,
            revision=revision,
        )
        return look

    return registers


def registered() -> list[Check]:
    """All checks, by area as the catalogue has them, and by number."""
    areas = list(AREAS)
    return sorted(_checks.values(), key=lambda each: (areas.index(each.id[:3]), each.id))
