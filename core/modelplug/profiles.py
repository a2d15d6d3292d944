"""Named profiles: what a ``modelplug.toml`` says of the clients that are made beside it.

::

    default = "dev"

    [profiles.dev]
    backend = "acme:large"

    [profiles.prod]
    backend = "acme:large?temperature=0.25"
    api_key = "env:ACME_KEY"
    timeouts = { first_delta = 120, idle = false }

A profile has ``backend``, a config string, and whatever else makes a client: params by their short
or full names, request defaults, the backend's options. What ``backend`` says and the keys beside
it are one origin, so the same value in both is an error. Where it has several targets (``a | b``)
the keys beside it are for each, and can't be what one has alone. Secrets are references;
a relative path is one from the file's folder. ``false`` switches a clock off.

The file is read whenever a client is made. What is wrong with one profile is an error for those who
ask for it. As the default one might matter to any client, a fault in it is an error for each, as is
one in the file's form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from modelplug.configfile import CONFIG_VARIABLE, FILE, find, read
from modelplug.configstring import SECRET_OPTIONS, ConfigString, Reference, Target
from modelplug.errors import ConfigError, InvalidCredentialError, UnsupportedOptionError
from modelplug.params import ProxyModelParameters, SecretReference, as_defaults
from modelplug.settings import CREDENTIALS, Origin, Settings, joined
from modelplug.spelling import nearest

__all__ = [
    "OF_ONE",
    "Profile",
    "Profiles",
    "not_for_all",
    "read_profiles",
    "single",
    "told_by",
]

OF_ONE = CREDENTIALS | {"proxy_api_base", "proxy_api_version", "proxy_api_type"}
"""What one backend has, and another hasn't."""

_TOP = ("default", "profiles", "$schema")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One profile.

    Attributes:
        name: what it is asked for by.
        file: where it is written.
        target: which backend, distribution and model, without options.
        settings: all that it gives, its config string's options included.
        others: the same for the further targets of its config string.
    """

    name: str
    file: Path
    target: Target
    settings: Settings
    others: tuple[Profile, ...] = ()

    def of(self, turn: int) -> Profile:
        """It as it is for the target that is asked after so many others."""
        return (self, *self.others)[turn]

    @property
    def targets(self) -> str:
        """Whom it is for, in turn; a config string without options."""
        return " | ".join(str(each.target) for each in (self, *self.others))

    @property
    def place(self) -> str:
        """What errors call it."""
        return f"{self.file}, profile {self.name}"

    def origin(self, kind: str) -> Origin:
        """What its values are said to come from."""
        return Origin(kind, f"{self.name} of {self.file}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profiles:
    """What a file has; without one, nothing.

    Attributes:
        file: None if there is none.
        profiles: by name.
        faults: what is wrong with those that can't be, by name.
        default: the one that holds where nothing else does.
    """

    file: Path | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    faults: Mapping[str, ConfigError] = field(default_factory=dict)
    default: Profile | None = None

    def named(self, name: str) -> Profile:
        """The profile of this name.

        Raises:
            ConfigError: it can't be; or there is none, and the nearest and all names are told.
        """
        if name in self.profiles:
            return self.profiles[name]
        if name in self.faults:
            raise self.faults[name]
        if self.file is None:
            raise ConfigError(
                f"there is no profile {name!r}, as there is no {FILE}",
                hint=f"write one, or name one in {CONFIG_VARIABLE}, where 'none' is for no file",
            )
        raise _unknown("profile", name, self)


def read_profiles() -> Profiles:
    """The profiles of the file that holds here and now.

    Raises:
        ConfigError: it can't be read, or it or its default profile isn't valid; the message has
            its name and no value.
    """
    try:
        file = find()
        return Profiles() if file is None else _profiles(file, read(file))
    except ConfigError as error:
        # Without the frames below, which hold the file's text, and with it what may be a key.
        failure = error.with_traceback(None)
    raise failure


@contextmanager
def told_by(place: str) -> Iterator[None]:
    """Have what is raised here begin with the place that is at fault."""
    try:
        yield
    except ConfigError as error:
        error.message = f"{place}: {error.message}"
        error.args = (error.message,)
        raise


def single(config: ConfigString) -> Target:
    """The one target of a config string.

    Raises:
        UnsupportedOptionError: it has several.
    """
    if len(config.targets) > 1:
        raise UnsupportedOptionError(
            "several targets (a | b) stand in the config string of a client, and nowhere else",
            hint="name one backend here",
        )
    return config.targets[0]


def not_for_all(fields: Collection[str], targets: int) -> ConfigError:
    """What there is to say where several targets are given what one of them has alone."""
    names = ", ".join(name.removeprefix("proxy_") for name in fields)
    return ConfigError(
        f"{names} can't be for all of {targets} backends",
        hint="give each its own, in a profile ('@one | @other') or by its environment variables",
    )


def _profiles(file: Path, table: Mapping[str, object]) -> Profiles:
    for name in table.keys() - _TOP:
        near = nearest(name, _TOP)
        hint = f"did you mean {near}?" if near else "a profile's values stand in [profiles.NAME]"
        raise UnsupportedOptionError(f"{file}: there is no {name!r} at the top", hint=hint)
    tables = table.get("profiles", {})
    if not isinstance(tables, Mapping):
        raise ConfigError(f"{file}: profiles are tables", hint="write [profiles.NAME]")
    profiles, faults = {}, {}
    for name, values in tables.items():
        try:
            profiles[name] = _profile(file, name, values)
        except ConfigError as error:
            # Without the frames below, as above.
            faults[name] = error.with_traceback(None)
    found = Profiles(file=file, profiles=profiles, faults=faults)
    if (default := table.get("default")) is None:
        return found
    if not isinstance(default, str):
        raise ConfigError(f"{file}: default is a profile's name", hint='write default = "NAME"')
    if default not in tables:
        raise _unknown("default profile", default, found)
    return replace(found, default=found.named(default))


def _unknown(what: str, name: str, found: Profiles) -> ConfigError:
    near = nearest(name, found.profiles)
    meant = f"did you mean {near}? " if near else ""
    return ConfigError(
        f"{found.file}: there is no {what} {name!r}",
        hint=f"{meant}there are {', '.join(found.profiles) or 'none'}",
    )


def _profile(file: Path, name: str, values: object) -> Profile:
    with told_by(f"{file}, profile {name}"):
        _check_name(name)
        if not isinstance(values, Mapping):
            raise ConfigError("a profile is a table", hint=f"write [profiles.{name}]")
        given = Settings.of({key: _value(key, its) for key, its in values.items()})
        fields = dict(given.fields)
        targets = _targets(fields.pop("proxyllm_backend", None))
        if "profile" in fields:
            raise _nested()
        if len(targets) > 1 and (apart := sorted(OF_ONE & fields.keys())):
            raise not_for_all(apart, len(targets))
        beside = replace(given, fields=fields)
        its = [
            _completed(joined(beside, Settings.of_target(target)), file.parent)
            for target in targets
        ]
    first, *others = (
        Profile(
            name=name,
            file=file,
            target=Target(backend=target.backend, dist=target.dist, model=target.model),
            settings=settings,
        )
        for target, settings in zip(targets, its, strict=True)
    )
    return replace(first, others=tuple(others))


def _check_name(name: str) -> None:
    try:
        Target(profile=name)
    except ValueError as error:
        hint = str(error)
    else:
        return
    raise ConfigError("nobody can ask for a profile of this name", hint=hint)


def _value(key: str, value: object) -> object:
    """A profile's value as it is to be sorted: a secret's as its reference."""
    if key not in SECRET_OPTIONS:
        return value
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind in ("env", "file"):
        try:
            return Reference(kind="env" if kind == "env" else "file", name=name)
        except ValueError:
            pass  # below: an error from here would have this one for its context
    raise InvalidCredentialError(
        f'a secret written out in a file is refused: use {key} = "env:NAME" or "file:/path"',
        hint="NAME is a variable of letters, digits and _, /path a file that holds the secret",
    )


def _targets(text: object) -> Sequence[Target]:
    if not isinstance(text, str):
        raise ConfigError("backend is missing", hint='write backend = "acme:model"')
    with told_by("backend"):
        targets = ConfigString.parse(text).targets
        if any(target.profile is not None for target in targets):
            raise _nested()
    return targets


def _nested() -> ConfigError:
    return ConfigError("a profile can't name another", hint="name a backend")


def _completed(settings: Settings, folder: Path) -> Settings:
    """The settings, validated as far as the core can, and with references that it can follow."""
    fields = {name: _located(value, folder) for name, value in settings.fields.items()}
    clocks = {name: _seconds(name, value) for name, value in settings.clocks.items()}
    as_defaults(settings.defaults)
    ProxyModelParameters.model_validate({**fields, "timeouts": clocks} if clocks else fields)
    return replace(settings, fields=fields, clocks=clocks)


def _located(value: object, folder: Path) -> object:
    if not isinstance(value, Reference):
        return value
    if value.kind == "file":
        value = replace(value, name=str(folder / value.name))
    return SecretReference(value)


def _seconds(clock: str, value: object) -> object:
    if value is True:
        raise ConfigError(f"timeouts: {clock}: seconds, or false for no limit")
    return None if value is False else value
