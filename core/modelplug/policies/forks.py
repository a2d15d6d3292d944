"""What a forked child makes of what its parent's policies know."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["Inherited", "mind_forks"]


class Inherited(Protocol):
    """What a policy keeps between calls, behind a lock."""

    def begin_anew(self) -> None:
        """Be as at first, with a lock that nobody holds."""
        ...  # pragma: no cover


# State of the whole process, on purpose: a fork is the whole process's. It keeps nothing alive.
_alive: WeakSet[Inherited] = WeakSet()


def mind_forks(inherited: Inherited) -> None:
    """Have ``inherited`` begin anew in each child that is forked from now on.

    The calls that are under way are the parent's, and so are the places that they have; and a
    thread that the child doesn't have may just be holding the lock.
    """
    _alive.add(inherited)


def _begin_anew() -> None:
    for inherited in list(_alive):
        inherited.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
