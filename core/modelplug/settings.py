"""Where the values of a client come from, and which origin wins.

A value comes from the first of these that has it: argument, config string, environment,
default. The credentials are one set and come from one origin together, so that a key is never
paired with somebody else's secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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

__all__ = ["RESERVED_OPTIONS", "Settings", "merged"]

_NO_OPTIONS = frozenset({"backend", "options", "defaults", "timeouts", "proxyllm_backend"})
"""Params that a config string chooses by its form, or can't spell."""

CREDENTIALS = frozenset({"proxy_api_app_id", "proxy_api_key", "proxy_api_secret"})
"""The fields that make one credential set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What one origin gives, sorted by what it is for.

    Attributes:
        fields: of the params, by their full names.
        defaults: for requests.
        options: of the backend.
    """

    fields: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Settings:
        """Sort ``values``: params by full or short name, request defaults, backend options.

        None is not set, as everywhere.

        Raises:
            ConfigError: a value is given under two of its names.
        """
        settings = cls(fields={}, defaults={}, options={})
        for name, value in values.items():
            if value is None:
                continue
            kind, full = _kind(name)
            is_nested = full in ("defaults", "options")
            nested = value if is_nested else {full: value}
            if isinstance(nested, RequestDefaults):
                nested = as_defaults(nested)
            part: dict[str, object] = getattr(settings, full if is_nested else kind)
            if not isinstance(nested, Mapping):
                raise ConfigError(f"{full} is a mapping, not a {type(value).__name__}")
            given = {each: its for each, its in nested.items() if its is not None}
            for each in part.keys() & given.keys():
                raise ConfigError(f"{each} is given twice", hint="leave one of them out")
            part.update(given)
        return settings

    @classmethod
    def of_params(cls, params: ProxyModelParameters) -> Settings:
        """The values that were set when ``params`` were made."""
        given = {name: getattr(params, name) for name in params.model_fields_set}
        given = {name: value for name, value in given.items() if value not in (None, Secret())}
        defaults, options = given.pop("defaults", {}), given.pop("options", {})
        return cls(fields=given, defaults=defaults, options=options)

    @classmethod
    def of_target(cls, target: Target) -> Settings:
        """The options of a config string, their values still as text.

        Raises:
            UnsupportedOptionError: a name that belongs elsewhere, or is spelled out.
        """
        for name in target.options:
            if name.startswith("proxy_") or name in _NO_OPTIONS:
                raise UnsupportedOptionError(
                    f"{name} is no option of a config string",
                    hint=f"write {name.removeprefix('proxy_')}" if "_" in name else None,
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
        return cls(fields=found)

    def without_credentials(self) -> Settings:
        """The same without the fields of the credential set."""
        kept = {name: value for name, value in self.fields.items() if name not in CREDENTIALS}
        return Settings(fields=kept, defaults=self.defaults, options=self.options)


def merged(origins: Sequence[Settings]) -> Settings:
    """The first origin that has a value gives it; credentials all come from one origin."""
    first = next((origin for origin in origins if CREDENTIALS & set(origin.fields)), None)
    taken = [origin if origin is first else origin.without_credentials() for origin in origins]
    settings = Settings(fields={}, defaults={}, options={})
    for origin in reversed(taken):
        for part in ("fields", "defaults", "options"):
            getattr(settings, part).update(getattr(origin, part))
    return settings


def _kind(name: str) -> tuple[str, str]:
    """Which part of Settings ``name`` belongs to, and its full name there."""
    names = ProxyModelParameters.model_fields
    if name in names:
        return "fields", name
    if f"proxy_{name}" in names:
        return "fields", f"proxy_{name}"
    if name == "backend":
        return "fields", "proxyllm_backend"
    return ("defaults" if name in RequestDefaults.model_fields else "options"), name


RESERVED_OPTIONS = frozenset(
    {
        *ProxyModelParameters.model_fields,
        *(name.removeprefix("proxy_") for name in ProxyModelParameters.model_fields),
        *RequestDefaults.model_fields,
        "backend",
    }
)
"""Names that a backend's options may not have: the core's own mean the same everywhere."""
