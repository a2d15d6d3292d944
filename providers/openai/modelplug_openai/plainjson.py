"""Values of a caller's as JSON has them: what no JSON can say is found before it is sent."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from modelplug import BadRequestError

__all__ = ["misshapen", "plain"]

_DEPTH = 64
"""Levels of a value: far more than any has, and fewer than an encoder can bear."""


def plain(value: object, where: str, depth: int = 0) -> object:
    """A value as JSON knows it, whatever mapping or list it was given in.

    Args:
        value: the caller's.
        where: its place, for errors.
        depth: how deep it is already.

    Raises:
        BadRequestError: there is no such JSON; it says where.
    """
    if depth > _DEPTH:
        raise misshapen(where, "is nested too deeply")
    if isinstance(value, Mapping):
        odd = next((name for name in value if not isinstance(name, str)), None)
        if odd is not None:
            raise misshapen(where, f"has a {type(odd).__name__} for a name")
        return {name: plain(value[name], f"{where}.{name}", depth + 1) for name in value}
    if isinstance(value, list | tuple):
        return [plain(item, where, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise misshapen(where, "has a number that isn't finite")  # an encoder makes it null
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        # RFC 8259 section 6: others read no more than a double; Python writes no such text.
        raise misshapen(where, "has a number of too many digits")
    if value is None or isinstance(value, str | int | float):
        return value
    raise misshapen(where, f"is a {type(value).__name__}, which is no JSON")


def misshapen(where: str, how: str, *, hint: str | None = None) -> BadRequestError:
    """The error for a value of the wrong shape, before anything is sent."""
    return BadRequestError(f"{where} {how}", sent="no", hint=hint)
