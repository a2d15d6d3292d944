"""Which backend a command is about: ``-b``, ``--profile``, ``-o``, the environment, the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import click

from modelplug.cli.options import read_options
from modelplug.configstring import ConfigString, Target
from modelplug.params import read_variable
from modelplug.profiles import Profile, read_profiles

__all__ = ["choice", "chosen"]

_BACKEND_VARIABLE = "MODELPLUG_BACKEND"


def choice(
    config: str | None, options: Sequence[str], profile: str | None = None
) -> Mapping[str, object]:
    """What a client is to be made from; ``-o``'s options stand in the config string.

    Args:
        config: ``-b``: without it and a profile the environment's, else the default profile.
        options: ``-o``.
        profile: ``--profile``: its values stand behind the config string's.

    Raises:
        click.UsageError: there is nothing of all that, or an option can't be read.
        ConfigError: the config string or the file can't be read, or the profile isn't there.
    """
    profile = profile.removeprefix("@") if profile else None
    if not config and profile is None:
        config = read_variable(_BACKEND_VARIABLE)
    if config and profile is None:
        profile = _profile_of(config)
        config = None if profile is not None else config
    if config:
        return {"backend": chosen(config, options), "profile": profile}
    profiles = read_profiles()
    meant = profiles.default if profile is None else profiles.named(profile)
    if meant is None:
        return {"backend": chosen(None, options)}  # says what there is to do
    return {"backend": _with(options, meant) if options else None, "profile": profile}


def chosen(config: str | None, options: Sequence[str]) -> str:
    """The config string of ``-b``, or else of the environment, with ``-o``'s options in.

    Raises:
        click.UsageError: there is none, or an option can't be read.
        ConfigSyntaxError: the config string can't be read.
    """
    config = config or read_variable(_BACKEND_VARIABLE)
    if not config:
        raise click.UsageError(
            f"no backend is chosen: give -b CONFIG, set {_BACKEND_VARIABLE}, or name a default"
            " profile ('modelplug backends' and 'modelplug profiles' list what there is)"
        )
    if not options:
        return config
    added = read_options(options)
    targets = ConfigString.parse(config).targets
    if any(target.profile for target in targets):
        raise click.UsageError("-o can't be added to a profile: set the option there")
    changed = [replace(target, options={**target.options, **added}) for target in targets]
    return str(ConfigString(targets=tuple(changed)))


def _profile_of(config: str) -> str | None:
    """The profile that a config string is the name of."""
    targets = ConfigString.parse(config).targets
    return targets[0].profile if len(targets) == 1 else None


def _with(options: Sequence[str], profile: Profile) -> str:
    """A config string for a profile's backend: what it says wins over the profile.

    Raises:
        click.UsageError: it has several.
    """
    if profile.others:
        raise click.UsageError("-o can't be added to several targets: set the option there")
    meant = profile.target
    target = Target(backend=meant.backend, dist=meant.dist, options=read_options(options))
    return str(ConfigString(targets=(target,)))
