"""What happens to what a model can't honour: the request's own policy decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from msgspec import UNSET, UnsetType

from modelplug import ModelRequest, UnsupportedOptionError
from modelplug_spark.sparkmodel import Range

__all__ = ["Policy"]

NumberT = TypeVar("NumberT", int, float)


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one request, ``on_unsupported``, and who is told of what was left out."""

    request: ModelRequest
    warn: Callable[[str], None]

    def refuse(self, told: str, *, hint: str) -> None:
        """Refuse something, or leave it out, with a warning where that is wanted.

        Raises:
            UnsupportedOptionError: unless the request says otherwise.
        """
        if self.request.on_unsupported in (None, "error"):
            raise UnsupportedOptionError(told, hint=hint)
        if self.request.on_unsupported == "warn":
            self.warn(f"left out: {told}")

    def within(
        self, name: str, value: NumberT | None, allowed: Range | None, *, model: str
    ) -> NumberT | UnsetType:
        """``value`` if it may be sent, else nothing.

        Raises:
            UnsupportedOptionError: it is out of range; it says what the range is.
        """
        if value is None:
            return UNSET
        if allowed is None:
            self.refuse(f"{model} has no {name}", hint="leave it out")
        elif _fits(value, allowed, whole=name in _WHOLE):
            return value
        else:
            told = f"{name} {value!r} is outside {allowed}, the range of {model}"
            self.refuse(told, hint=f"give one in {allowed}, or leave it out")
        return UNSET


_WHOLE = ("top_k", "max_new_tokens")


def _fits(value: object, allowed: Range, *, whole: bool) -> bool:
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and value in allowed
