"""Explaining a configuration: where each value came from, and what would be sent. No network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, cast

from modelplug.call import Call
from modelplug.client import ProxyLLMClient
from modelplug.configuration import Alternative, Configuration, alternatives, configured
from modelplug.errors import MissingCredentialError, ProxyLLMError
from modelplug.factory import made
from modelplug.params import ProxyModelParameters, RequestDefaults, SecretReference, is_callable
from modelplug.policies.fallback import asked_of, unheard_deadline
from modelplug.request import ModelRequest, OnUnsupported, RequestLike
from modelplug.secrets import MASK, Credential, Scrubber, Secret
from modelplug.settings import CLOCKS, Origin, Part, Settings, rightful
from modelplug.timeouts import STANDARD, Timeouts

__all__ = ["ExplainedValue", "Explanation", "explain"]

_DEFAULT = Origin("default")

_PASSWORD = re.compile(r"//[^/?#\s]*@")
"""Who logs in at a proxy, in its address."""

_LEFT_OUT = re.compile(r"^left out: ")
"""How a warning of it begins."""

_APART = ("options", "defaults", "timeouts", "proxyllm_backend")
"""Params that are told of by what is in them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedValue:
    """One value of a configuration.

    Attributes:
        value: what holds; of a secret its reference, or a mask; None where nothing is set.
        origin: ``argument``, ``config string``, ``profile``, ``environment``,
            ``default profile`` or ``default``.
        where: which of them: the variable, or the profile and its file.
        overridden: origins that have a value for it too, and don't count.
        variable: which variable would give it, where the backend names one.
    """

    value: object
    origin: str
    where: str | None = None
    overridden: tuple[str, ...] = ()
    variable: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What a configuration comes to, and what it would make of a request.

    Attributes:
        backend: which one; distribution, version: of its plugin.
        model: the one that requests without a model get; None where the plugin can't say.
        values: by name: ``backend`` and ``model``, params by their short names, request
            defaults, ``timeouts.NAME``, and the backend's options.
        request: the address and the message, as far as the backend's plugin tells; None without
            a request, or where it tells nothing.
        on_unsupported: what happens to what the model can't do.
        refused: what that is, in the plugin's words; nothing of it is in ``request``.
        emulated: what the plugin makes up for, as the service itself hasn't got it.
        warnings: what else a call would warn of.
        failures: why a call would fail before anything is sent.
        fallbacks: the same of those that are asked in turn where this one fails.
    """

    backend: str
    distribution: str
    version: str
    model: str | None
    values: Mapping[str, ExplainedValue]
    request: Mapping[str, object] | None = None
    on_unsupported: OnUnsupported = "error"
    refused: tuple[str, ...] = ()
    emulated: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    fallbacks: tuple[Explanation, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """All of it, as JSON can hold it."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        values = {
            name: {each.name: getattr(its, each.name) for each in fields(its)}
            for name, its in self.values.items()
        }
        return told | {"values": values, "fallbacks": [each.to_dict() for each in self.fallbacks]}


def explain(
    params: ProxyModelParameters | str | Mapping[str, object] | None = None,
    request: RequestLike | None = None,
    **overrides: object,
) -> Explanation:
    """Where each value of a client comes from, and what it would send; nothing is sent.

    Credentials need not be there. Callables that give one are not asked.

    Args:
        params: as ``new_client`` takes them.
        request: what would be asked, as ``generate`` takes it.
        overrides: as ``new_client`` takes them.

    Raises:
        ConfigError: the configuration can't be.
        PluginError: the backend isn't there, or its plugin is faulty.
    """
    if request is not None and not isinstance(request, ModelRequest | str):
        request = list(request)  # a call would read an iterator once; here it is read often
    explained: list[Explanation] = []
    each = Alternative(params, overrides)
    try:
        for each in alternatives(params, overrides):
            explained.append(_explain(each, request, is_fallback=bool(explained)))
    except ProxyLLMError as error:
        # The frames below, and this one, hold values as they were given, secrets among them.
        failure = error.with_traceback(None)
    else:
        first, *others = explained
        return replace(first, fallbacks=tuple(_after(first, each) for each in others))
    del params, request, overrides, each
    raise failure


def _after(first: Explanation, other: Explanation) -> Explanation:
    """The explanation of one that comes after another, with what of it doesn't count then."""
    unheard = unheard_deadline(_total(first), _total(other))
    return replace(other, warnings=(unheard, *other.warnings)) if unheard else other


def _total(told: Explanation) -> float | None:
    """The deadline of a target's calls."""
    timeout = told.values["timeout"].value
    if isinstance(timeout, Mapping):
        return cast("float | None", timeout["total"])
    total = told.values["timeouts.total"].value if timeout is None else timeout
    return cast("float | None", total)


def _explain(asked: Alternative, request: RequestLike | None, *, is_fallback: bool) -> Explanation:
    configuration = configured(*asked)
    secrets, failures = _secrets(configuration.params)
    for fault in (configuration.missing(), configuration.useless()):
        if fault is not None:
            failures.append(fault)
    client = None
    try:
        client = made(configuration)
    except MissingCredentialError as error:
        failures.append(error)  # a plugin that can't do without, even to be asked about
    clean = Scrubber(secrets)
    model = client.default_model if client else configuration.params.model
    told = Explanation(
        backend=configuration.backend.name,
        distribution=configuration.plugin.dist,
        version=configuration.plugin.version,
        model=model,
        values={
            name: replace(its, value=_cleaned(its.value, clean))
            for name, its in _values(configuration, model)
        },
        on_unsupported=_policy(configuration.params, request),
        failures=tuple(_told(each, clean) for each in failures),
    )
    if client is None:
        return told
    with client:
        if is_fallback and isinstance(request, ModelRequest):
            request = asked_of(client, request)
        return told if request is None else _foretold(told, client, request, clean)


# ---------------------------------------------------------------------------- what is sent


def _foretold(
    told: Explanation, client: ProxyLLMClient, request: RequestLike, clean: Callable[[str], str]
) -> Explanation:
    """The explanation with what would become of a request."""
    best = _asked(client, request, "warn")
    unavoidable = _asked(client, request, "drop").warnings
    failure = _asked(client, request, told.on_unsupported).failure or best.failure
    refused = [_LEFT_OUT.sub("", each) for each in best.warnings if each not in unavoidable]
    return replace(
        told,
        request=None if best.told is None else _cleaned_mapping(best.told, clean),
        refused=tuple(map(clean, refused)),
        emulated=tuple(best.emulated),
        warnings=tuple(map(clean, unavoidable)),
        failures=(*told.failures, *([_told(failure, clean)] if failure else [])),
    )


class _Answer(NamedTuple):
    """What a plugin previews, what of it is emulated, what it notes, and what it raises."""

    told: Mapping[str, object] | None
    emulated: Sequence[str]
    warnings: Sequence[str]
    failure: ProxyLLMError | None


def _asked(client: ProxyLLMClient, request: RequestLike, policy: OnUnsupported) -> _Answer:
    app_id = client.params.proxy_api_app_id or ""
    call = Call(credentials=lambda: Credential(app_id=app_id))
    told, emulated, failure = None, [], None
    try:
        asked, told = client.foretell(request, call, on_unsupported=policy)
        able = client.capabilities(asked.model)
        emulated = [name for name in asked.asked_for() if able[name] == "emulated"]
    except ProxyLLMError as error:
        failure = error.with_traceback(None)
    return _Answer(told, emulated, call.answer.warnings, failure)


def _policy(params: ProxyModelParameters, request: RequestLike | None) -> OnUnsupported:
    own = request.on_unsupported if isinstance(request, ModelRequest) else None
    default = RequestDefaults.model_validate(params.defaults).on_unsupported
    return own or default or "error"


def _secrets(params: ProxyModelParameters) -> tuple[list[Secret], list[ProxyLLMError]]:
    """The secrets that are at hand, and why others aren't."""
    secrets: list[Secret] = []
    failures: list[ProxyLLMError] = []
    for secret in (params.proxy_api_key, params.proxy_api_secret, params.redis_url):
        if not isinstance(secret, Secret) or is_callable(secret):
            continue
        try:
            secrets.append(Secret(secret.reveal()))
        except ProxyLLMError as error:
            failures.append(error.with_traceback(None))
    return secrets, failures


def _told(error: ProxyLLMError, clean: Callable[[str], str]) -> str:
    hint = f" ({error.hint})" if error.hint else ""
    return clean(f"{type(error).__name__}: {error.message}{hint}")


def _cleaned_mapping(
    told: Mapping[str, object], clean: Callable[[str], str]
) -> Mapping[str, object]:
    return {clean(str(name)): _cleaned(value, clean) for name, value in told.items()}


def _cleaned(value: object, clean: Callable[[str], str]) -> object:
    """What a plugin previews, without any secret that it may have taken from the params."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return _cleaned_mapping(value, clean)
    if isinstance(value, list | tuple):
        return [_cleaned(each, clean) for each in value]
    return value


# ------------------------------------------------------------------- where values come from


def _values(
    configuration: Configuration, model: str | None
) -> Iterator[tuple[str, ExplainedValue]]:
    choices, params = configuration.choices, configuration.params
    by = [each.origin for each in choices]
    yield "backend", _value(configuration.backend.name, by)
    yield "model", _value(model, [each.origin for each in choices if each.target.model])
    environment = configuration.backend.environment
    for name in ProxyModelParameters.model_fields:
        if name not in _APART:
            value, origins = _shown(getattr(params, name)), _origins(configuration, "fields", name)
            yield name.removeprefix("proxy_"), _value(value, origins, environment.get(name))
    for name in RequestDefaults.model_fields:
        value = _shown(params.defaults.get(name))
        yield name, _value(value, _origins(configuration, "defaults", name))
    for name in CLOCKS:
        value = getattr(params.timeouts or STANDARD, name)
        yield f"timeouts.{name}", _value(value, _origins(configuration, "clocks", name))
    options = configuration.backend.options
    for name, its in options.model_fields.items() if options else ():
        value = params.options.get(name, None if its.default_factory else its.default)
        yield name, _value(_shown(value), _origins(configuration, "options", name))


def _origins(configuration: Configuration, part: Part, name: str) -> Sequence[Origin]:
    """Whoever has a value, first the one whose counts; ``default`` where nobody's does."""

    def having(origins: Sequence[Settings]) -> list[Origin]:
        return [each.origin for each in origins if name in getattr(each, part)]

    all_of_them = having(configuration.origins)
    winner = next(iter(having(rightful(configuration.origins))), _DEFAULT)
    found = [winner, *(each for each in all_of_them if each is not winner)]
    variable = configuration.backend.environment.get(name)
    return [Origin(each.kind, variable) if each.kind == "environment" else each for each in found]


def _value(value: object, origins: Sequence[Origin], variable: str | None = None) -> ExplainedValue:
    winner, *others = origins or [_DEFAULT]
    return ExplainedValue(
        value=value,
        origin=winner.kind,
        where=winner.where,
        overridden=tuple(map(str, others)),
        variable=variable,
    )


def _shown(value: object) -> object:
    """A value as JSON can hold it, a secret by its reference or masked."""
    if isinstance(value, Secret):
        masked = MASK if value else None
        return str(value.reference) if isinstance(value, SecretReference) else masked
    if isinstance(value, Timeouts):
        return {name: getattr(value, name) for name in CLOCKS}
    if isinstance(value, str):
        return _PASSWORD.sub(f"//{MASK}@", value)
    if isinstance(value, list | tuple):
        return list(map(_shown, value))
    if isinstance(value, Mapping):
        return {str(name): _shown(its) for name, its in value.items()}
    # Whatever else a backend's options hold, a pydantic secret, say, tells of itself.
    return value if isinstance(value, int | float | None) else str(value)
