"""Config strings: which backend answers, with which model and options, in one line of text.

::

    config   = target *( "|" target )          a | b: b if a fails before its first delta
    target   = "@" profile / backend [ "@" dist ] [ ":" model ] [ "?" option *( "&" option ) ]
    option   = name "=" value
    value    = percent-encoded text ("+" is itself); raw commas separate the items of a list;
               for secret fields only: env:NAME or file:/path
    profile: [A-Za-z0-9][A-Za-z0-9._-]*        backend, dist: [a-z0-9][a-z0-9._-]*
    NAME: [A-Za-z_][A-Za-z0-9_]*               name: [a-z][a-z0-9_]*

Only the first ``:`` splits: ``acme:llama3:8b`` has the model ``llama3:8b``. Blanks may stand
around ``|`` and at both ends. In a model or value, ``?``, ``|``, ``&``, ``%``, blanks and whatever
doesn't print are percent-encoded UTF-8, and so is a comma in an item. A profile stands alone, its
model and options are its own. Outside secrets ``env:NAME`` is just text. Nothing is looked up.

Keys get pasted into the wrong place. So an error tells columns, option names and at most a short
backend name, never a model or a value, and no frame of this module in its traceback has the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from modelplug.errors import ConfigError, ConfigSyntaxError, InvalidCredentialError

__all__ = ["SECRET_OPTIONS", "ConfigString", "Reference", "Target", "is_reference"]

# Their value must be a reference. The full names are no options, but a key must not slip by.
SECRET_OPTIONS = frozenset(
    {"api_key", "api_secret", "proxy_api_key", "proxy_api_secret", "redis_url"}
)

Value: TypeAlias = "str | tuple[str, ...] | Reference"

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]*"), "lower-case letters and digits, then . _ - too"
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"), "letters, digits, . _ -, and stand alone"
_OPTION = re.compile(r"[a-z][a-z0-9_]*"), "lower-case letters, then digits and _ too"
_NAMES = {"backend": _PLAIN, "distribution": _PLAIN, "profile": _PROFILE, "option": _OPTION}
_SHORT = re.compile(r"[a-z0-9][a-z0-9._-]{,19}")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0\ud800-\udfff]+")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%")
_INSTEAD = "? begins options, & joins them; in a text they are %3F and %26, a blank %20, a tab %09"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Where a secret is read when a client is made: a variable's name, or a file's path."""

    kind: Literal["env", "file"]
    name: str

    def __post_init__(self) -> None:
        if self.kind not in ("env", "file") or not _REFERENCE.fullmatch(str(self)):
            raise ValueError("a reference is env with a variable's name, or file with a path")

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One backend with what it is to use, or one profile and nothing else; else a ValueError.

    Attributes:
        backend, profile: exactly one of them is a name.
        dist: which distribution's backend, where several have one of that name.
        model: None for the backend's default.
        options: texts, lists of texts and, for SECRET_OPTIONS, references; in the order
            written, read-only. A list of one is kept as a text: the grammar knows no other.
    """

    backend: str | None = None
    profile: str | None = None
    dist: str | None = None
    model: str | None = None
    options: Mapping[str, Value] = field(default_factory=dict, hash=False)  # a dict has no hash

    def __post_init__(self) -> None:
        if (self.backend is None) == (self.profile is None):
            raise ValueError("a target has a backend or a profile, and not both")
        if self.profile is not None and (self.dist or self.model or self.options):
            raise ValueError("a profile stands alone: no distribution, model or options")
        _check("backend", self.backend)
        _check("profile", self.profile)
        _check("distribution", self.dist)
        if self.model == "":
            raise ValueError("a model's name is empty; None is the backend's default")
        options = {name: _kept(name, value) for name, value in self.options.items()}
        object.__setattr__(self, "options", MappingProxyType(options))
        str(self)  # a lone surrogate can't be written: UnicodeEncodeError, a ValueError

    def __str__(self) -> str:
        if self.backend is None:
            return f"@{self.profile}"
        dist = f"@{self.dist}" if self.dist is not None else ""
        model = f":{_written(self.model)}" if self.model is not None else ""
        options = "&".join(f"{name}={_written(value)}" for name, value in self.options.items())
        return self.backend + dist + model + ("?" + options if options else "")


def is_reference(text: str) -> bool:
    """Whether ``text`` is spelled as the reference to a secret: ``env:NAME`` or ``file:/path``."""
    return _REFERENCE.fullmatch(text.strip()) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigString:
    """Targets, each for when those before it fail; ``str()`` gives the canonical text."""

    targets: tuple[Target, ...]

    def __post_init__(self) -> None:
        if not self.targets:
            raise ValueError("a config string has at least one target")

    @classmethod
    def parse(cls, text: str) -> ConfigString:
        """What ``text`` says.

        Raises:
            ConfigSyntaxError: it breaks the grammar at ``column``; ``hint`` has a remedy.
            InvalidCredentialError: a secret is written out, or its reference can't be one.
        """
        pieces = _Piece(text, 0, text).split("|")
        try:
            return cls(targets=tuple(piece.stripped().target() for piece in pieces))
        except ConfigError as error:
            # The frames that it came through hold the text, and with it what may be a key.
            failure = error.with_traceback(None)
        del text, pieces
        raise failure

    def __str__(self) -> str:
        return " | ".join(map(str, self.targets))


class _Piece(NamedTuple):
    """A stretch of the whole text, to be read as one part of the grammar."""

    whole: str
    start: int  # so that every error can name its column
    text: str

    def split(self, mark: str, times: int = -1) -> list[_Piece]:
        pieces, start = [], self.start
        for text in self.text.split(mark, times):
            pieces.append(_Piece(self.whole, start, text))
            start += len(text) + 1
        return pieces

    def stripped(self) -> _Piece:
        start = self.start + len(self.text) - len(self.text.lstrip())
        return _Piece(self.whole, start, self.text.strip())

    def fault(self, problem: str, hint: str, *, at: int = 0) -> ConfigSyntaxError:
        message = f"config string, column {self.start + at + 1}: {problem}"
        return ConfigSyntaxError(message, column=self.start + at + 1, hint=hint)

    def target(self) -> Target:
        if not self.text:
            raise self.fault("a target is missing", "write acme:model or @profile beside each |")
        if self.text.startswith("@"):
            return Target(profile=self.split("@", 1)[1].name("profile"))
        head, *options = self.split("?", 1)
        head, *model = head.split(":", 1)
        backend, *dist = head.split("@", 1)
        return Target(
            backend=backend.name("backend"),
            dist=dist[0].name("distribution") if dist else None,
            model=model[0].model() if model else None,
            options=options[0].options() if options else {},
        )

    def name(self, sort: str) -> str:
        pattern, rule = _NAMES[sort]
        if pattern.fullmatch(self.text):
            return self.text
        lower, hint = self.text.lower(), f"{sort} names are {rule}"
        # What follows a ? may be the rest of a value, a long word a pasted key: not to be repeated.
        if _SHORT.fullmatch(lower) and "?" not in self.whole[: self.start]:
            hint = f"write {lower}: {hint}"
        fits = pattern.match(self.text)
        problem = "can't have this character" if self.text else "is missing"
        raise self.fault(f"the {sort}'s name {problem}", hint, at=fits.end() if fits else 0)

    def model(self) -> str:
        if not self.text:
            raise self.fault("a model is missing", "name one, or leave the : out for the default")
        return self.decoded()

    def options(self) -> dict[str, Value]:
        options: dict[str, Value] = {}
        for option in self.split("&"):
            name, *value = option.split("=", 1)
            if not value:
                raise option.fault("an option is name=value", "write an & in a value as %26")
            if name.name("option") in options:
                raise name.fault(f"option {name.text} is given twice", "keep one; a list is a,b")
            options[name.text] = value[0].value(name.text)
        return options

    def value(self, option: str) -> Value:
        if option not in SECRET_OPTIONS:
            return tuple(item.decoded() for item in self.split(","))
        if self.text.startswith(("env:", "file:")) and _REFERENCE.fullmatch(text := self.decoded()):
            kind, _, name = text.partition(":")
            return Reference(kind="env" if kind == "env" else "file", name=name)
        refusal = "a secret written out in a config string is refused"
        hint = "NAME is a variable of letters, digits and _, /path a file that holds the secret"
        raise InvalidCredentialError(f"{refusal}: use {option}=env:NAME or file:/path", hint=hint)

    def decoded(self) -> str:
        for at, char in enumerate(self.text):
            if char in "?& " or not char.isprintable():
                raise self.fault("this character must be percent-encoded", _INSTEAD, at=at)
        return _ESCAPES.sub(self.unescaped, self.text)

    def unescaped(self, match: re.Match[str]) -> str:
        at = match.start()
        if match[0] == "%":
            raise self.fault("% needs two hexadecimal digits", "write a % itself as %25", at=at)
        try:
            return unquote_to_bytes(match[0]).decode()
        except UnicodeDecodeError as error:
            at += 3 * error.start  # a byte's escape has three characters
        raise self.fault("this escape isn't UTF-8", "percent-encode the UTF-8 bytes", at=at)


def _written(value: Value) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_written, value))
    # quote() leaves letters, digits and "-._~" alone, but nothing outside ASCII.
    return "".join(c if c > "~" and c.isprintable() else quote(c, safe=":/@") for c in str(value))


def _check(sort: str, name: str | None) -> None:
    pattern, rule = _NAMES[sort]
    if name is not None and not pattern.fullmatch(name):
        raise ValueError(f"{sort} names are {rule}")


def _kept(name: str, value: Value) -> Value:
    """``value`` as a Target keeps it, if the grammar has a form for it."""
    _check("option", name)
    if (name in SECRET_OPTIONS) is not isinstance(value, Reference):
        raise ValueError(f"option {name}: secrets, and nothing else, are given as a Reference")
    if isinstance(value, str | Reference):
        return value
    if not value:
        raise ValueError(f"option {name}: an empty list can't be written")
    return tuple(value) if len(value) > 1 else value[0]
