"""Making a client: which backend is meant, what it is made from, and making it."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Executor

from modelplug.backend import Backend
from modelplug.client import ProxyLLMClient
from modelplug.configstring import ConfigString, Target
from modelplug.errors import (
    ConfigError,
    ConfigSyntaxError,
    MissingCredentialError,
    PluginContractError,
    ProxyLLMError,
    UnsupportedOptionError,
)
from modelplug.observers import Observer
from modelplug.params import ProxyModelParameters, validated
from modelplug.plugins import installed, load_attribute
from modelplug.registry import registry
from modelplug.settings import CREDENTIALS, RESERVED_OPTIONS, Settings, merged

__all__ = ["new_client"]

OBSERVERS = "modelplug.observers"
"""The entry-point group of observers that params may name."""


def new_client(
    params: ProxyModelParameters | str | Mapping[str, object] | None = None,
    default_executor: Executor | None = None,
    *,
    observers: Iterable[Observer] = (),
    **overrides: object,
) -> ProxyLLMClient:
    """A client of the backend that ``params`` choose.

    Args:
        params: a config string, params, or a mapping of what either may hold; may be left
            out where ``overrides`` say it all.
        default_executor: runs blocking streams; borrowed, never shut down.
        observers: who is told of calls, besides those that the params name.
        overrides: single values that win: params by their full or short name, request
            defaults, options of the backend.

    Raises:
        ConfigError: the configuration can't be; nothing was sent anywhere.
        PluginError: the backend isn't there, or its plugin is faulty.
    """
    try:
        return _new_client(_given(params), default_executor, tuple(observers), overrides)
    except ProxyLLMError as error:
        # The frames below, and this one, hold values as they were given, secrets among them.
        failure = error.with_traceback(None)
    del params, overrides
    raise failure


def _new_client(
    given: Settings,
    executor: Executor | None,
    observers: tuple[Observer, ...],
    overrides: Mapping[str, object],
) -> ProxyLLMClient:
    for observer in observers:
        if not callable(observer):
            raise ConfigError(f"an observer is a callable, not a {type(observer).__name__}")
    arguments = merged([Settings.of(overrides), given])
    target = _target(arguments)
    plugin = registry().find(target.backend or "", target.dist)
    backend = registry().load(plugin.name, plugin.dist)
    complete = _complete(arguments, target, backend)
    client_class = registry().load_client(backend, plugin)
    named = tuple(_observer(name) for name in complete.observers)
    client = _made(client_class, complete, executor)
    client.adopt(complete, backend, observers=(*observers, *named))
    return client


def _made(
    client_class: type[ProxyLLMClient], params: ProxyModelParameters, executor: Executor | None
) -> ProxyLLMClient:
    try:
        client: object = client_class.new_client(params, executor)
    except (ProxyLLMError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001  # a plugin may raise anything
        bug = error
    else:
        if isinstance(client, ProxyLLMClient):
            return client
        bug = TypeError(f"a client was expected, not a {type(client).__name__}")
    raise PluginContractError.blame(bug, doing=f" in new_client of {client_class.__name__}")


def _given(params: ProxyModelParameters | str | Mapping[str, object] | None) -> Settings:
    if params is None:
        return Settings()
    if isinstance(params, ProxyModelParameters):
        return Settings.of_params(params)
    if isinstance(params, str):
        return Settings(fields={"proxyllm_backend": params})
    if isinstance(params, Mapping):
        return Settings.of(params)
    raise ConfigError(
        f"a client is made from params, a config string or a mapping, not {type(params).__name__}"
    )


def _target(arguments: Settings) -> Target:
    """What the config string chooses, read DB-GPT's way where that is what is meant."""
    text = arguments.fields.get("proxyllm_backend")
    name = arguments.fields.get("model_name")
    legacy = name.removesuffix("_proxyllm") if isinstance(name, str) else None
    is_legacy = legacy != name
    if is_legacy and not _names_installed(text):
        return _legacy_target(str(legacy), None if text is None else str(text))
    if text is None:
        raise ConfigError("no backend is chosen", hint='set proxyllm_backend, such as "echo"')
    return _single(ConfigString.parse(str(text)))


def _single(config: ConfigString) -> Target:
    target = config.targets[0]
    if len(config.targets) > 1:
        raise UnsupportedOptionError(
            "several targets (a | b) are understood, but this version carries out one only",
            hint="name one backend",
        )
    if target.backend is None:
        raise UnsupportedOptionError(
            f"@{target.profile}: this version has no profiles yet", hint="name a backend"
        )
    return target


def _legacy_target(backend: str, model: str | None) -> Target:
    try:
        target = Target(backend=backend, model=model)
    except ValueError as error:
        fault = ConfigSyntaxError(f"model_name {backend}_proxyllm chooses no backend: {error}")
    else:
        _warn_of_legacy(target)
        return target
    raise fault


def _warn_of_legacy(target: Target) -> None:
    warnings.warn(
        f"model_name='{target.backend}_proxyllm' to choose a backend is DB-GPT's old way: "
        f"write proxyllm_backend={str(ConfigString(targets=(target,)))!r}",
        DeprecationWarning,
        stacklevel=6,
    )


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


def _complete(arguments: Settings, target: Target, backend: Backend) -> ProxyModelParameters:
    """The params with every origin in, validated, and nothing missing."""
    environment = Settings.of_environment(backend.environment)
    settings = merged([arguments, Settings.of_target(target), environment])
    whose = f"options of {backend.name}"
    options: Mapping[str, object] = {}
    if "model" in settings.options and "model" not in _names(backend):
        raise UnsupportedOptionError(
            "the model is part of the config string", hint=f"write {backend.name}:MODEL"
        )
    if backend.options is not None:
        made = validated(
            backend.options, settings.options, whose=whose, fit=True, also=RESERVED_OPTIONS
        )
        options = {name: getattr(made, name) for name in made.model_fields_set}
    elif settings.options:
        unknown = ", ".join(sorted(settings.options))
        raise UnsupportedOptionError(f"{whose}: there is no {unknown}", backend=backend.name)
    chosen = Target(backend=backend.name, dist=target.dist, model=target.model)
    params = ProxyModelParameters.model_validate(
        {
            **settings.fields,
            "proxyllm_backend": str(ConfigString(targets=(chosen,))),
            "defaults": settings.defaults,
            "options": options,
        }
    )
    _require(params, backend)
    return params


def _names(backend: Backend) -> Collection[str]:
    return backend.options.model_fields if backend.options is not None else ()


def _require(params: ProxyModelParameters, backend: Backend) -> None:
    missing = [name for name in sorted(backend.required) if not getattr(params, name)]
    if missing:
        names = ", ".join(name.removeprefix("proxy_") for name in missing)
        given = sorted(CREDENTIALS.intersection(backend.required) - set(missing))
        variables = [backend.environment[name] for name in missing if name in backend.environment]
        if given:
            # The environment may well have the rest, but isn't asked any more.
            told = " and ".join(name.removeprefix("proxy_") for name in given)
            hint = f"{told} came from one place: give {names} there too, or leave all to another"
        else:
            either = f", or the variables {', '.join(variables)}" if variables else ""
            hint = f"give {names} as arguments{either}"
        raise MissingCredentialError(
            f"{backend.name} needs {names}", backend=backend.name, hint=hint
        )
    params.credential()  # raises now, rather than at the first call


def _observer(name: str) -> Observer:
    found = [each for each in installed(OBSERVERS) if each.name == name]
    if len(found) != 1:
        raise ConfigError(
            f"no installed observer is called {name!r}"
            if not found
            else f"{' and '.join(each.dist for each in found)} both bring an observer {name!r}",
            hint="correct the names in 'observers'",
        )
    observer = load_attribute(found[0].value, found[0])
    if not callable(observer):
        raise PluginContractError(f"the observer {name!r} can't be called")
    return observer
