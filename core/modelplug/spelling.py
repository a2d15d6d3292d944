"""What a misspelt name may have been meant as: for the hints of errors."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that looks most like ``name``; None where none of them does."""
    from difflib import get_close_matches  # here: whoever spells well isn't to wait for it

    return next(iter(get_close_matches(name, [*names], n=1)), None)
