"""The assertions of checks: what they say is what the author of a plugin reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from modelplug.conformance.verdict import Violation
from modelplug.errors import ProxyLLMError

__all__ = ["Expect"]

ErrorT = TypeVar("ErrorT", bound=BaseException)

_LONGEST = 300
"""Characters of a value that are shown."""


class Expect:
    """Each method raises Violation unless what it says is so."""

    def that(self, holds: object, otherwise: str) -> None:
        """Something holds; ``otherwise`` says what is the case if it doesn't."""
        if not holds:
            raise Violation(otherwise)

    def equal(self, what: str, expected: object, actual: object) -> None:
        """Two values are the same."""
        if expected != actual:
            raise Violation(f"{what}: expected {_shown(expected)}, got {_shown(actual)}")

    def absent(self, what: str, wanted: Collection[str], places: Mapping[str, str]) -> None:
        """None of ``places`` holds any of ``wanted``; values aren't shown."""
        for place, text in places.items():
            if any(each in text for each in wanted):
                raise Violation(f"{what} stands in {place}")

    def raises(self, kind: type[ErrorT], call: Callable[[], object], *, what: str) -> ErrorT:
        """A call raises an error of exactly this class, or of one below it."""
        try:
            given = call()
        except kind as error:
            return error
        except ProxyLLMError as error:
            told = f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001  # a plugin may raise anything
            told = f"{type(error).__name__} from outside modelplug's errors: {error}"
        else:
            told = f"no error, but {_shown(given)}"
        raise Violation(f"{what}: expected {kind.__name__}, got {told}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
