"""Where the values of a client come from, and which origin wins.

A value comes from the first of these that has it: argument, config string, profile that is asked
for by name, environment, default profile, default. The credentials are one set and come from one
origin together, so that a key is never paired with somebody else's secret.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Literal, TypeAlias

from modelplug.configstring import Reference, Target
from modelplug.errors import ConfigError, UnsupportedOptionError
from modelplug.params import (
    ProxyModelParameters,
    RequestDefaults,
    SecretReference,
    as_defaults,
    fitted,
    read_variable,
)
from modelplug.secrets import Secret
from modelplug.spelling import nearest
from modelplug.timeouts import Timeouts

__all__ = [
    "ARGUMENT",
    "CLOCKS",
    "CREDENTIALS",
    "PARTS",
    "RESERVED_OPTIONS",
    "Origin",
    "Part",
    "Settings",
    "joined",
    "merged",
    "rightful",
]

Part: TypeAlias = Literal["fields", "defaults", "options", "clocks"]
PARTS: tuple[Part, ...] = ("fields", "defaults", "options", "clocks")
"""What values are for; see Settings."""

CLOCKS = tuple(each.name for each in fields(Timeouts))

NO_OPTIONS = frozenset(
    {"backend", "profile", "options", "defaults", "timeouts", "proxyllm_backend"}
)
"""Names that a config string chooses by its form, or can't spell."""

_NESTED: Mapping[str, Part] = {
    "defaults": "defaults",
    "options": "options",
    "timeouts": "clocks",
}
"""Params that are mappings, and the parts that they are taken apart into."""

CREDENTIALS = frozenset({"proxy_api_app_id", "proxy_api_key", "proxy_api_secret"})
"""The fields that make one credential set."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where values come from.

    Attributes:
        kind: argument, config string, profile, environment, default profile or default.
        where: which of them: a variable, a profile and its file; None where there is but one.
    """

    kind: str
    where: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.where}" if self.where else self.kind


ARGUMENT = Origin("argument")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What one origin gives, sorted by what it is for.

    Attributes:
        fields: of the params, by their full names; and ``profile``, which chooses one.
        defaults: for requests.
        options: of the backend.
        clocks: of the params' timeouts; None switches one off, and is a value here alone.
        origin: what gives them.
    """

    fields: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    clocks: Mapping[str, object] = field(default_factory=dict)
    origin: Origin = field(default=ARGUMENT, compare=False)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Settings:
        """Sort ``values``: params by full or short name, request defaults, backend options.

        None is not set, as everywhere.

        Raises:
            ConfigError: a value is given under two of its names.
            UnsupportedOptionError: there is no such clock.
        """
        settings = _empty()
        for name, value in values.items():
            if value is None:
                continue
            part, given = _sorted(name, value)
            taken: dict[str, object] = getattr(settings, part)
            for each in taken.keys() & given.keys():
                raise _twice(each)
            taken.update(given)
        return settings

    @classmethod
    def of_params(cls, params: ProxyModelParameters) -> Settings:
        """The values that were set when ``params`` were made."""
        given = {name: getattr(params, name) for name in params.model_fields_set}
        return cls.of({name: its for name, its in given.items() if its not in (None, Secret())})

    @classmethod
    def of_target(cls, target: Target) -> Settings:
        """The options of a config string, their values still as text.

        Raises:
            UnsupportedOptionError: a name that belongs elsewhere, or is spelled out.
        """
        for name in target.options:
            if name.startswith("proxy_") or name in NO_OPTIONS:
                raise UnsupportedOptionError(
                    f"{name} is no option of a config string", hint=_instead_of(name)
                )
        settings = cls.of(target.options)
        fields = ProxyModelParameters.model_fields
        return cls(
            fields={
                name: fitted(value, fields[name].annotation)
                for name, value in settings.fields.items()
            },
            defaults={
                name: fitted(value, RequestDefaults.model_fields[name].annotation)
                for name, value in settings.defaults.items()
            },
            options=settings.options,
            origin=Origin("config string"),
        )

    @classmethod
    def of_environment(cls, variables: Mapping[str, str]) -> Settings:
        """Params fields from the variables that a backend names for them, as far as set."""
        found: dict[str, object] = {}
        for name, variable in variables.items():
            if (text := read_variable(variable)) is not None:
                secret = ProxyModelParameters.model_fields[name].annotation is Secret
                reference = Reference(kind="env", name=variable)
                found[name] = SecretReference(reference) if secret else text
        return cls(fields=found, origin=Origin("environment"))

    def without_credentials(self) -> Settings:
        """The same without the fields of the credential set."""
        kept = {name: value for name, value in self.fields.items() if name not in CREDENTIALS}
        return replace(self, fields=kept)


def rightful(origins: Sequence[Settings]) -> Sequence[Settings]:
    """The origins, each without what isn't its to give: credentials all come from one of them."""
    first = next((origin for origin in origins if CREDENTIALS & set(origin.fields)), None)
    return [origin if origin is first else origin.without_credentials() for origin in origins]


def merged(origins: Sequence[Settings]) -> Settings:
    """The first origin that has a value gives it; credentials all come from one origin."""
    settings = _empty()
    for origin in reversed(rightful(origins)):
        for part in PARTS:
            getattr(settings, part).update(getattr(origin, part))
    return settings


def joined(one: Settings, other: Settings) -> Settings:
    """Two settings as the one origin that they are: ``one``'s.

    Raises:
        ConfigError: both give the same value.
    """
    settings = _empty(one.origin)
    for part in PARTS:
        ones, others = getattr(one, part), getattr(other, part)
        for name in ones.keys() & others.keys():
            raise _twice(name)
        getattr(settings, part).update(ones, **others)
    return settings


def _empty(origin: Origin = ARGUMENT) -> Settings:
    """Settings whose parts can be filled."""
    return Settings(fields={}, defaults={}, options={}, clocks={}, origin=origin)


def _instead_of(name: str) -> str | None:
    """What to write for a name that a config string hasn't."""
    if name == "timeouts":
        return "timeout=30 is for the whole call; each clock is set by a keyword or in a profile"
    return f"write {name.removeprefix('proxy_')}" if "_" in name else None


def _twice(name: str) -> ConfigError:
    return ConfigError(f"{name} is given twice", hint="leave one of them out")


def _sorted(name: str, value: object) -> tuple[Part, Mapping[str, object]]:
    """Which part of Settings a value belongs to, and what it is there; a mapping is taken apart."""
    part, full = _kind(name)
    if part != "fields" or full not in _NESTED:
        return part, {full: value}
    if isinstance(value, RequestDefaults):
        value = as_defaults(value)
    if isinstance(value, Timeouts):
        value = asdict(value)
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{full} is a mapping, not a {type(value).__name__}",
            hint="name the clocks: {'total': 30}, or timeout=30 for the whole call alone"
            if full == "timeouts"
            else None,
        )
    if full == "timeouts":
        _check_clocks(value)
        return _NESTED[full], value
    return _NESTED[full], {each: its for each, its in value.items() if its is not None}


def _check_clocks(names: Collection[str]) -> None:
    for name in names:
        if name not in CLOCKS:
            near = nearest(str(name), CLOCKS)
            meant = f"did you mean {near}? " if near else ""
            raise UnsupportedOptionError(
                f"timeouts: there is no {name!r}", hint=f"{meant}known are {', '.join(CLOCKS)}"
            )


def _kind(name: str) -> tuple[Part, str]:
    """Which part of Settings ``name`` belongs to, and its full name there."""
    names = ProxyModelParameters.model_fields
    if name in names:
        return "fields", name
    if f"proxy_{name}" in names:
        return "fields", f"proxy_{name}"
    if name == "backend":
        return "fields", "proxyllm_backend"
    if name == "profile":
        return "fields", name
    return ("defaults" if name in RequestDefaults.model_fields else "options"), name


RESERVED_OPTIONS = frozenset(
    {
        *ProxyModelParameters.model_fields,
        *(name.removeprefix("proxy_") for name in ProxyModelParameters.model_fields),
        *RequestDefaults.model_fields,
        "backend",
        "profile",
    }
)
"""Names that a backend's options may not have: the core's own mean the same everywhere."""
