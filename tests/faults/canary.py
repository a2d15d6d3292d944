"""Secrets of a test, in all forms in which they could show, and the search for them."""

from __future__ import annotations

import json
import traceback
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from functools import lru_cache
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
    TracebackType,
)
from urllib.parse import parse_qs, quote, quote_plus

from modelplug import Secret
from tests.support.leaks import OURS

__all__ = ["FORMS", "Canaries", "error_texts", "shown", "texts_within"]


def _lower(quoted: str) -> str:
    """A percent-encoded text with its escapes in lower case, and nothing else of it."""
    first, *others = quoted.split("%")
    return "%".join([first, *(each[:2].lower() + each[2:] for each in others)])


def _within(before: int) -> Callable[[str], str]:
    """What base64 has of a secret that begins at such a place of a longer text."""
    first = -(-before * 8 // 6)

    def encoded(secret: str) -> str:
        raw = secret.encode()
        return b64encode(b"\0" * before + raw).decode()[first : (before + len(raw)) * 8 // 6]

    return encoded


FORMS: Mapping[str, Callable[[str], str]] = {
    "raw": str,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded in lower case": lambda secret: _lower(quote(secret, safe="")),
    "percent-encoded path": quote,
    "percent-encoded form": quote_plus,
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "base64 without padding": lambda secret: b64encode(secret.encode()).decode().rstrip("="),
    "base64 of it and more": _within(1),
    "base64 of more and it": _within(2),
    "base64url": lambda secret: urlsafe_b64encode(secret.encode()).decode(),
    "base64url without padding": lambda secret: (
        urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    ),
    "percent-encoded base64": lambda secret: quote_plus(b64encode(secret.encode())),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "upper-case hexadecimal": lambda secret: secret.encode().hex().upper(),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON with slashes escaped": lambda secret: json.dumps(secret)[1:-1].replace("/", r"\/"),
    "JSON fit for HTML": lambda secret: (
        json.dumps(secret)[1:-1].replace("=", r"\u003d").replace("+", r"\u002b")
    ),
    "a Python literal": lambda secret: repr(secret)[1:-1],
}
"""The forms that are searched for, by their names."""

_SHORTEST = 8
"""Characters: fewer stand in ordinary words, and the product leaves them there, too."""


_REPEATS = (1, 2, 4)
"""Of a backslash: the ``repr`` of a text doubles it, and so does that of one within another."""


@lru_cache(maxsize=32)  # a test has its own few besides those that all have
def _forms_of(secret: str) -> Mapping[str, str]:
    """The names of a secret's forms."""
    return {
        form(secret).replace("\\", "\\" * times): name
        for name, form in FORMS.items()
        for times in _REPEATS
    }


class Canaries:
    """The secrets of a test. Whatever becomes one while it runs is added."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets: set[str] = set()
        for each in secrets:
            self.add(each)

    def add(self, secret: str) -> None:
        """Have a text searched for, if it is long enough and no mask."""
        secret = secret.strip()
        if len(secret) >= _SHORTEST and secret.strip("*"):
            self.secrets.add(secret)

    def add_query(self, query: str) -> None:
        """Have a signed query searched for, whole and by its parts: they are as good as the key."""
        self.add(query)
        for authorization in parse_qs(query)["authorization"]:
            plain = b64decode(authorization).decode()
            for each in (authorization, plain, plain.rpartition('signature="')[2].rstrip('"')):
                self.add(each)

    def forms(self) -> dict[str, str]:
        """What each form of each secret is called."""
        return {
            form: f"{name} of a secret of {len(each)} characters"
            for each in sorted(self.secrets)
            for form, name in _forms_of(each).items()
        }

    def found(self, texts: Mapping[str, Set[str]]) -> list[str]:
        """Where texts, by the channels that they came through, show which secret in which form."""
        forms = self.forms()
        return sorted(
            {
                f"{channel}: {what}, after {text[: text.index(form)][-60:]!r}"
                for channel, each in texts.items()
                for text in each
                for form, what in forms.items()
                if form in text
            }
        )


# ---------------------------------------------------------------------------- what can be read

_DEPTH = 8
"""Steps from an object to another that it refers to, as a curious program would take them: six
attributes, of which some are lists or mappings."""

_MOST = 20_000
"""Objects that are looked at, of one: more hang on none that comes out."""

_LEAVES = (
    *(int, float, complex, type(None), type, Secret, ModuleType, FunctionType, MethodType),
    *(BuiltinFunctionType, CodeType, FrameType, TracebackType),
)
"""What shows nothing, or a frame, which is looked at in its own way."""


def texts_within(value: object) -> Iterator[str]:
    """All that a value shows, and what hangs on it."""
    seen, level = {id(value): value}, [value]
    for _ in range(_DEPTH + 1):
        found: list[object] = []
        for each in level:
            yield shown(each)
            found += (part for part in _parts(each) if not isinstance(part, _LEAVES))
        level = [part for part in found if id(part) not in seen]
        seen |= {id(part): part for part in level}
        if len(seen) > _MOST:
            raise AssertionError(f"{type(value).__name__} leads to more than can be searched")


def shown(value: object) -> str:
    """A value as a log or a tracker of crashes would have it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")
    with suppress(Exception):  # whatever a test has made up
        return repr(value)
    return ""


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, str | bytes | bytearray):
        return ()
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    parts = [getattr(value, name, None) for name in slots if not name.startswith("__")]
    return [*parts, *vars(value).values()] if hasattr(value, "__dict__") else parts


def _chain(error: BaseException) -> list[BaseException]:
    """An error with all that it comes of, and all that it is a group of."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and not any(each is before for before in found):
            found.append(each)
            left += (each.__cause__, each.__context__)
            left += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return found


def error_texts(error: BaseException) -> Iterator[str]:
    """All that an error can tell: texts, fields, notes, chain, our frames' locals.

    Besides these a traceback prints lines of sources, which are the same in every run. They are
    left out: printing them parses them, and a finaliser may be run within another parse, which
    CPython 3.11 doesn't survive.
    """
    for part in _chain(error):
        yield from (str(part), repr(part), "".join(traceback.format_exception_only(part)))
        yield from texts_within([part.args, vars(part)])
        for frame, _ in traceback.walk_tb(part.__traceback__):
            if frame.f_code.co_filename.startswith(OURS):
                yield from map(shown, [*frame.f_locals.values()])
