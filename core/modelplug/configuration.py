"""What a client is made from: the backend that is meant, and every origin's values in one place.

Making a client and explaining one both begin here, so that they can't disagree.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from modelplug.backend import Backend
from modelplug.configstring import SECRET_OPTIONS, ConfigString, Target
from modelplug.errors import (
    ConfigError,
    ConfigSyntaxError,
    MissingCredentialError,
    UnsupportedOptionError,
)
from modelplug.params import ProxyModelParameters, validated
from modelplug.plugins import InstalledPlugin
from modelplug.profiles import (
    OF_ONE,
    Profile,
    Profiles,
    not_for_all,
    read_profiles,
    single,
    told_by,
)
from modelplug.registry import registry
from modelplug.settings import (
    CREDENTIALS,
    RESERVED_OPTIONS,
    Origin,
    Settings,
    merged,
)

__all__ = ["Alternative", "Choice", "Configuration", "alternatives", "configured"]


class Alternative(NamedTuple):
    """What ``configured`` takes: params, what overrides them, and which of a profile's targets."""

    params: ProxyModelParameters | str | Mapping[str, object] | None
    overrides: Mapping[str, object]
    turn: int = 0


class Choice(NamedTuple):
    """What one origin says of the backend, its distribution and its model, and what it gives."""

    origin: Origin
    target: Target
    settings: Settings

    @classmethod
    def by(cls, profile: Profile, kind: str) -> Choice:
        """A profile's, which is asked for by name or is the default one."""
        origin = profile.origin(kind)
        return cls(origin, profile.target, replace(profile.settings, origin=origin))


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """What a client is made from.

    Attributes:
        plugin, backend: which one serves it.
        choices: who had a say in that, first the one who decided.
        origins: who gives values, in the order of precedence.
        params: what comes of it, validated.
    """

    plugin: InstalledPlugin
    backend: Backend
    choices: tuple[Choice, ...]
    origins: tuple[Settings, ...]
    params: ProxyModelParameters

    def missing(self) -> MissingCredentialError | None:
        """What there is to say where the backend needs what nobody gives."""
        required = self.backend.required
        missing = [name for name in sorted(required) if not getattr(self.params, name)]
        if not missing:
            return None
        return MissingCredentialError(
            f"{self.backend.name} needs {_names(missing)}",
            backend=self.backend.name,
            hint=_what_to_give(missing, self.backend, self.origins),
        )

    def useless(self) -> ConfigError | None:
        """What there is to say of what is about a rate, where there is none: it does nothing."""
        params = self.params
        if params.burst and not params.requests_per_minute:
            return ConfigError("burst is for a rate of calls", hint="set requests_per_minute, too")
        if params.redis_url and not (params.requests_per_minute or params.tokens_per_minute):
            return ConfigError(
                "redis_url is for rates, and there is none",
                hint="set requests_per_minute or tokens_per_minute, too",
            )
        return None


def configured(
    params: ProxyModelParameters | str | Mapping[str, object] | None,
    overrides: Mapping[str, object],
    turn: int = 0,
) -> Configuration:
    """The configuration that arguments, files and variables come to; no client is imported.

    Args:
        params: as ``new_client`` takes them.
        overrides: values by their names, which win over those of ``params``.
        turn: which target of the profile that is asked for, where it has several.

    Raises:
        ConfigError: it can't be.
        PluginError: the backend isn't there, or its plugin is faulty.
    """
    arguments = (Settings.of(overrides), _given(params))
    upper, lower = _choices(merged(arguments).fields, read_profiles(), turn)
    choices = (*upper, *lower)
    chosen = Target(
        backend=choices[0].target.backend,
        dist=next((each.target.dist for each in choices if each.target.dist), None),
        model=next((each.target.model for each in choices if each.target.model), None),
    )
    plugin = registry().find(chosen.backend or "", chosen.dist)
    backend = registry().load(plugin.name, plugin.dist)
    for each in choices:
        if each.origin.kind.endswith("profile"):
            with told_by(str(each.origin)):
                _options(each.settings.options, backend)
    origins = (
        *arguments,
        *(each.settings for each in upper),
        Settings.of_environment(backend.environment),
        *(each.settings for each in lower),
    )
    return Configuration(
        plugin=plugin,
        backend=backend,
        choices=choices,
        origins=origins,
        params=_params(chosen, backend, merged(origins)),
    )


def alternatives(
    params: ProxyModelParameters | str | Mapping[str, object] | None,
    overrides: Mapping[str, object],
) -> Sequence[Alternative]:
    """What is to be configured: one, or where there are several targets, each to fall back to.

    They are those of the config string, or of the profile that is asked for.

    Raises:
        ConfigError: what is asked for can't be read; or there are several, and what is for one
            of them alone is given for all.
    """
    asked = merged((Settings.of(overrides), _given(params))).fields
    text = str(asked.get("proxyllm_backend") or "")
    targets = ConfigString.parse(text).targets if "|" in text else ()
    if len(targets) < 2:
        turns = 1 + len(_others(asked))
        if turns > 1 and (apart := sorted(OF_ONE & asked.keys())):
            raise not_for_all(apart, turns)
        return [Alternative(params, overrides, turn) for turn in range(turns)]
    if apart := sorted((OF_ONE | {"profile"}) & asked.keys()):
        raise not_for_all(apart, len(targets))
    rest = None if isinstance(params, str) else params
    shared = {name: value for name, value in overrides.items() if name != "backend"}
    each = ({**shared, "proxyllm_backend": str(ConfigString(targets=(it,)))} for it in targets)
    return [alternative for its in each for alternative in alternatives(rest, its)]


def _others(asked: Mapping[str, object]) -> Sequence[Profile]:
    """The further targets of the profile that decides which backend it is; none without one."""
    text, name = asked.get("proxyllm_backend"), asked.get("profile")
    if text is not None:
        is_profile = str(text).lstrip().startswith("@")
        name = ConfigString.parse(str(text)).targets[0].profile if is_profile else None
    elif name is None and not _is_legacy(asked.get("model_name")):
        default = read_profiles().default
        return default.others if default else ()
    return read_profiles().named(name).others if isinstance(name, str) else ()


def _is_legacy(model_name: object) -> bool:
    return isinstance(model_name, str) and model_name.endswith("_proxyllm")


def _given(params: ProxyModelParameters | str | Mapping[str, object] | None) -> Settings:
    if params is None:
        return Settings()
    if isinstance(params, ProxyModelParameters):
        return replace(Settings.of_params(params), origin=Origin("argument", "in params"))
    if isinstance(params, str):
        return Settings(fields={"proxyllm_backend": params})
    if isinstance(params, Mapping):
        return replace(Settings.of(params), origin=Origin("argument", "in params"))
    raise ConfigError(
        f"a client is made from params, a config string or a mapping, not {type(params).__name__}"
    )


# --------------------------------------------------------------------- which backend is meant


def _choices(
    asked: Mapping[str, object], profiles: Profiles, turn: int
) -> tuple[Sequence[Choice], Sequence[Choice]]:
    """Who says which backend it is: those above the environment, and those below it."""
    config, name = _asked(asked)
    upper = [config] if config else []
    if name is not None:
        upper.append(Choice.by(profiles.named(name).of(turn), "profile"))
    if len(upper) == 2 and not _is_for(upper[1].target, upper[0].target):
        raise ConfigError(
            f"profile {name} is for {upper[1].target}, and the config string for another backend",
            hint="ask for one of them",
        )
    lower = []
    default = profiles.default
    if default and not upper:
        default = default.of(turn)
    # One that is for another backend stays out: its credentials are for another service.
    if (
        default
        and default.name != name
        and all(_is_for(default.target, each.target) for each in upper)
    ):
        lower = [Choice.by(default, "default profile")]
    if not upper and not lower:
        raise ConfigError(
            "no backend is chosen",
            hint='set proxyllm_backend, such as "echo", or a default profile',
        )
    return upper, lower


def _is_for(profile: Target, other: Target) -> bool:
    """Whether a profile's values may be used with the backend of another target."""
    dists = {each.dist.replace("_", "-") for each in (profile, other) if each.dist}
    return profile.backend == other.backend and len(dists) < 2


def _asked(asked: Mapping[str, object]) -> tuple[Choice | None, str | None]:
    """The config string's choice, read DB-GPT's way where that is meant, and a profile's name."""
    text, name = asked.get("proxyllm_backend"), asked.get("model_name")
    profile = asked.get("profile")
    if profile is not None and not isinstance(profile, str):
        raise ConfigError(f"profile is a name, not a {type(profile).__name__}")
    legacy = name.removesuffix("_proxyllm") if isinstance(name, str) else None
    if legacy is not None and legacy != name and profile is None and not _names_installed(text):
        target = _legacy_target(legacy, None if text is None else str(text))
        return Choice(Origin("argument", "model_name"), target, Settings()), None
    if text is None:
        return None, profile
    target = single(ConfigString.parse(str(text)))
    if target.profile is None:
        return Choice(Origin("config string"), target, Settings.of_target(target)), profile
    if profile not in (None, target.profile):
        raise ConfigError(
            f"two profiles are asked for, {target.profile} and {profile}", hint="name one"
        )
    return None, target.profile


def _legacy_target(backend: str, model: str | None) -> Target:
    try:
        target = Target(backend=backend, model=model)
    except ValueError as error:
        fault = ConfigSyntaxError(f"model_name {backend}_proxyllm chooses no backend: {error}")
    else:
        warnings.warn(
            f"model_name='{target.backend}_proxyllm' to choose a backend is DB-GPT's old way: "
            f"write proxyllm_backend={str(ConfigString(targets=(target,)))!r}",
            DeprecationWarning,
            stacklevel=7,  # whoever called new_client or explain
        )
        return target
    raise fault


def _names_installed(text: object) -> bool:
    """Whether a config string names a profile, or a backend that is installed."""
    if text is None:
        return False
    try:
        target = ConfigString.parse(str(text)).targets[0]
    except ConfigSyntaxError:
        return False
    names = {each.name for each in registry().backends()}
    return target.profile is not None or target.backend in names


# --------------------------------------------------------------------- what comes of it all


def _params(chosen: Target, backend: Backend, settings: Settings) -> ProxyModelParameters:
    values = {name: value for name, value in settings.fields.items() if name != "profile"}
    if settings.clocks:
        values["timeouts"] = settings.clocks
    return ProxyModelParameters.model_validate(
        {
            **values,
            "proxyllm_backend": str(ConfigString(targets=(chosen,))),
            "defaults": settings.defaults,
            "options": _options(settings.options, backend),
        }
    )


def _options(given: Mapping[str, object], backend: Backend) -> Mapping[str, object]:
    """A backend's own options, validated by its model."""
    whose, model = f"options of {backend.name}", backend.options
    if "model" in given and (model is None or "model" not in model.model_fields):
        raise UnsupportedOptionError(
            "the model is part of the config string", hint=f"write {backend.name}:MODEL"
        )
    if model is not None:
        made = validated(model, given, whose=whose, fit=True, also=RESERVED_OPTIONS)
        return {name: getattr(made, name) for name in made.model_fields_set}
    if given:
        unknown = ", ".join(sorted(given))
        raise UnsupportedOptionError(f"{whose}: there is no {unknown}", backend=backend.name)
    return {}


def _names(fields: Collection[str]) -> str:
    return ", ".join(name.removeprefix("proxy_") for name in fields)


def _what_to_give(missing: Sequence[str], backend: Backend, origins: Sequence[Settings]) -> str:
    variables = ", ".join(backend.environment[it] for it in missing if it in backend.environment)
    names = _names(missing)
    # Another origin may well have the rest, but isn't asked any more.
    source = next((each for each in origins if CREDENTIALS & each.fields.keys()), Settings())
    if given := sorted(CREDENTIALS.intersection(backend.required) - set(missing)):
        told = _names(given).replace(", ", " and ")
        if source.origin.kind == "environment" and variables:
            return f"{told} came from the environment: set {variables} too, or leave none there"
        return f"{told} came from one place: give {names} there too, or leave all to another"
    written = "&".join(map(_written, missing))
    either = f", or set {variables}" if variables else ""
    return f"write ?{written} in the config string, give {names} by keyword or in a profile{either}"


def _written(field: str) -> str:
    """How a config string gives a credential: a secret by reference."""
    name = field.removeprefix("proxy_")
    return f"{name}=env:NAME" if name in SECRET_OPTIONS else f"{name}=..."
