"""Side badges: what a plugin does beside the levels, and the checks that show it.

There is none for a live service: the kit has no live tier, and says nothing of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["SIDES", "Group", "Side"]

Side: TypeAlias = Literal["tools", "reasoning", "vision"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What a side badge stands on.

    Attributes:
        capability: what the plugin has to claim.
        checks: what has to pass, all of it; not applicable isn't enough.
    """

    capability: str
    checks: Collection[str]


SIDES: Mapping[Side, Group] = {
    "tools": Group(capability="tools", checks=("FEA-10", "FEA-11", "FEA-12", "FEA-13", "FEA-14")),
    "reasoning": Group(capability="reasoning", checks=("FEA-16", "FEA-17")),
    "vision": Group(capability="images", checks=("FEA-19",)),
}
"""By id and not by what a check needs: thoughts have to be kept apart whoever claims them."""
