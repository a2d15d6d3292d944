"""What of the checks a level asks for, and how strictly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelplug.conformance.check import PROFILES, Check, Profile
from modelplug.conformance.runner import all_checks

__all__ = ["Scope"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What is asked for.

    Attributes:
        level: the level up to which everything is looked at.
        checks: the checks that it asks for, with all of the levels below it.
        strict: whether warnings are failures.
    """

    level: Profile
    checks: Sequence[Check]
    strict: bool

    @classmethod
    def of(cls, level: Profile | None, *, strict: bool = False) -> Scope:
        """That of a level, or of all where nobody names one; ``complete`` has no warnings."""
        asked = level or PROFILES[-1]
        upto = PROFILES[: PROFILES.index(asked) + 1]
        checks = tuple(each for each in all_checks() if each.profile in upto)
        return cls(level=asked, checks=checks, strict=strict or level == PROFILES[-1])
