"""What makes a client: the params, and the secrets among them.

The one module that reads the environment, and it does so when a client is made, never at
import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationError,
    model_validator,
)
from pydantic_core import core_schema, from_json

from modelplug.configstring import ConfigString, Reference, Target, is_reference
from modelplug.errors import (
    ConfigError,
    InvalidCredentialError,
    MissingCredentialError,
    UnsupportedOptionError,
)
from modelplug.secrets import Credential, Secret
from modelplug.spelling import nearest
from modelplug.timeouts import Timeouts

__all__ = [
    "ProxyModelParameters",
    "RequestDefaults",
    "SecretReference",
    "as_defaults",
    "asks_for_policies",
    "fitted",
    "validated",
]

ModelT = TypeVar("ModelT", bound=BaseModel)


class SecretReference(Secret):
    """A secret by reference: ``env:NAME`` or ``file:/path``, read at each use.

    Unlike a secret that was given as text it pickles, as the reference.
    """

    __slots__ = ("reference",)

    def __init__(self, reference: Reference) -> None:
        super().__init__(lambda: _referred_text(reference))
        self.reference = reference

    def __repr__(self) -> str:
        return f"Secret({str(self.reference)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretReference) and self.reference == other.reference

    __hash__ = Secret.__hash__

    def __reduce__(self) -> tuple[object, ...]:
        return SecretReference, (self.reference,)


def _referred_text(reference: Reference) -> str:
    reason = ""
    text = None
    if reference.kind == "env":
        text = read_variable(reference.name)
    else:
        try:
            text = Path(reference.name).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            # Not raised from here: an error about the file's bytes would hold them.
            reason = f": {type(error).__name__}"
    if not text:
        raise MissingCredentialError(
            f"there is no secret at {reference}{reason}",
            hint="set the variable" if reference.kind == "env" else "make it a readable text file",
        )
    return text


def read_variable(name: str) -> str | None:
    """The environment variable ``name`` without blanks around it; None if unset or blank."""
    return os.environ.get(name, "").strip() or None


def is_callable(secret: Secret) -> bool:
    """Whether a secret is fetched by a callable of the app's, which may do anything."""
    return not (secret._fixed or isinstance(secret, SecretReference))


def _as_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if value is None:
        return Secret()
    if isinstance(value, Reference):
        return SecretReference(value)
    if hasattr(value, "get_secret_value"):  # pydantic's SecretStr
        value = value.get_secret_value()
    if isinstance(value, str) and is_reference(value):
        raise InvalidCredentialError(
            "env:NAME or file:/path isn't read here, but in a config string or a profile",
            hint="give os.environ[NAME], or a callable that reads it",
        )
    if isinstance(value, str) or callable(value):
        return Secret(value)
    raise ValueError("a secret is a text, or a callable that gives one")


class _SecretSchema:
    """How pydantic validates and dumps a Secret."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: object
    ) -> core_schema.CoreSchema:
        masked = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.no_info_plain_validator_function(_as_secret, serialization=masked)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, object]:
        return {"type": "string", "format": "password", "writeOnly": True}


if TYPE_CHECKING:
    SecretField: TypeAlias = Secret | str | Callable[[], str]
    """What may be given; what is there once the params are made is a Secret."""
else:
    SecretField = Annotated[Secret, _SecretSchema]


def _number(value: object) -> object:
    """A number, or what will be refused as none: pydantic takes true for 1."""
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")
    return value


_NUMBER = BeforeValidator(_number)


class RequestDefaults(BaseModel):
    """Defaults for requests that leave these fields unset; a request's own value wins."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        # Its validator is made at the first use: few have defaults, and it takes milliseconds.
        defer_build=True,
    )

    temperature: float | None = None
    max_new_tokens: NonNegativeInt | None = None
    stop: str | tuple[str, ...] | None = None
    stop_token_ids: tuple[int, ...] | None = None
    context_len: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning: str | None = None
    timeout: Annotated[float, _NUMBER, Field(gt=0)] | Timeouts | None = None
    on_unsupported: Literal["error", "warn", "drop"] | None = None


def as_defaults(values: Mapping[str, object] | RequestDefaults) -> Mapping[str, object]:
    """What is set of some request defaults, validated."""
    if values == {}:
        return {}  # as mostly, and then the validator needn't be made
    if not isinstance(values, RequestDefaults):
        values = validated(RequestDefaults, values, whose="request defaults", fit=True)
    return {name: getattr(values, name) for name in values.model_fields_set}


class ProxyModelParameters(BaseModel):
    """What makes a client. All by keyword; frozen; unknown names are refused.

    Attributes:
        model_name: the app's own name for this model; a request for it gets the default model.
        proxyllm_backend: the config string: which backend, which model, which options.
        proxy_api_key, proxy_api_secret: text, or a callable that gives it, asked per attempt.
        proxy_api_app_id: the account, where a service has one beside the key.
        proxy_api_base: another address: a URL, or an origin to which the model's path is added.
        proxy_api_version, proxy_api_type: where a service has several.
        http_proxy: a proxy to connect through, where the backend can.
        max_context_size: tokens of context; None is the model's own.
        options: the backend's own options.
        defaults: for requests that leave a parameter unset.
        timeouts: the clocks of every call, in a profile a table; None is the backend's choice. A
            config string has ``timeout`` alone, which is ``total``.
        allow_insecure: let credentials travel unencrypted to another machine.
        observers: names of installed ones to tell of calls, with commas in a config string; as
            a keyword of ``new_client`` callables, too.
        retries: how many more times a call is opened that failed before its answer began.
        breaker: whether a backend that keeps failing is left alone for a while, where there is
            another one to ask; without one it is asked all the same.
        concurrency: how many calls may be under way at once.
        requests_per_minute, tokens_per_minute: how many of these; needs ``modelplug[limits]``.
        burst: how many calls ``requests_per_minute`` lets through at once after a rest; those of
            a whole minute unless told.
        redis_url: where those rates are kept for several processes together: an address such as
            ``redis://localhost/0``, by reference in config strings and profiles, as it may hold
            a password: ``env:REDIS_URL``; needs ``modelplug[redis]``.
        model_path, proxy_server_url, model_type, device, prompt_template, llm_client_class:
            DB-GPT's; kept for its users, read by no backend here.

    Raises:
        UnsupportedOptionError: an unknown name, with the nearest known one.
        InvalidCredentialError: a secret that can't be one.
        ConfigError: a value of the wrong type.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=()
    )

    model_name: str | None = None
    model_path: str | None = None
    proxy_server_url: str | None = None
    proxy_api_key: SecretField = Field(default_factory=Secret)
    proxy_api_secret: SecretField = Field(default_factory=Secret)
    proxy_api_app_id: str | None = None
    proxy_api_base: str | None = None
    proxy_api_type: str | None = None
    proxy_api_version: str | None = None
    http_proxy: str | None = None
    proxyllm_backend: str | None = None
    model_type: str = "proxy"
    device: str | None = None
    prompt_template: str | None = None
    max_context_size: Annotated[int, Field(gt=0)] | None = None
    llm_client_class: str | None = None
    options: Mapping[str, object] = Field(default_factory=dict)
    defaults: Annotated[Mapping[str, object], BeforeValidator(as_defaults)] = Field(
        default_factory=dict
    )
    timeouts: Timeouts | None = None
    allow_insecure: bool = False
    observers: tuple[str, ...] = ()
    retries: Annotated[NonNegativeInt, _NUMBER] | None = None
    breaker: bool = False
    concurrency: Annotated[int, _NUMBER, Field(gt=0)] | None = None
    requests_per_minute: Annotated[int, _NUMBER, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[int, _NUMBER, Field(gt=0)] | None = None
    burst: Annotated[int, _NUMBER, Field(gt=0)] | None = None
    redis_url: SecretField = Field(default_factory=Secret)

    if not TYPE_CHECKING:  # type checkers see the fields as keywords, which this would hide

        def __init__(self, /, **data: object) -> None:
            try:
                super().__init__(**data)
            except ConfigError as error:
                # Without the frames below, whose locals hold the values as they were given.
                failure = error.with_traceback(None)
            else:
                return
            del data
            raise failure

    @model_validator(mode="wrap")
    @classmethod
    def _typed_failure(
        cls, data: object, handler: Callable[[object], ProxyModelParameters]
    ) -> ProxyModelParameters:
        try:
            return _typed(partial(handler, data), model=cls, whose="params")
        except ConfigError as error:
            failure = error.with_traceback(None)
        del data
        raise failure

    def model_copy(
        self, *, update: Mapping[str, object] | None = None, deep: bool = False
    ) -> ProxyModelParameters:
        """A copy with some fields changed, which are validated as at first.

        Raises:
            ConfigError: as when params are made.
        """
        values = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**(deepcopy(values) if deep else values) | dict(update or {}))

    @property
    def target(self) -> Target | None:
        """The first target of ``proxyllm_backend``.

        Raises:
            ConfigSyntaxError: it doesn't parse.
        """
        text = self.proxyllm_backend
        return ConfigString.parse(text).targets[0] if text else None

    @property
    def model(self) -> str | None:
        """The model that ``proxyllm_backend`` names, as the service calls it."""
        return self.target.model if self.target else None

    def credential(self) -> Credential:
        """The credential set as it is now; callables and references are read anew.

        Raises:
            MissingCredentialError: a variable or file that is referred to is not there.
            InvalidCredentialError: what a callable gave can't be a credential.
        """
        return Credential(
            app_id=self.proxy_api_app_id or "",
            api_key=_as_secret(self.proxy_api_key)._snapshot(),
            api_secret=_as_secret(self.proxy_api_secret)._snapshot(),
        )


def asks_for_policies(params: ProxyModelParameters) -> bool:
    """Whether a client is to be wrapped into policies."""
    wanted = (
        params.retries,
        params.breaker,
        params.concurrency,
        params.requests_per_minute,
        params.tokens_per_minute,
    )
    return any(wanted)


def validated(
    model: type[ModelT],
    values: Mapping[str, object],
    *,
    whose: str,
    fit: bool = False,
    also: Collection[str] = (),
) -> ModelT:
    """``values`` as a ``model``.

    Args:
        model: what they are validated by.
        values: by field name.
        whose: what the errors call the fields' owner.
        fit: whether values are spelled as in a config string: text, or tuples for lists.
        also: names that may be meant by an unknown one, besides the fields.

    Raises:
        UnsupportedOptionError: an unknown name, with the nearest known one.
        ConfigError: a value of the wrong type or out of range; it is not shown.
    """
    if fit:
        names = model.model_fields
        values = {
            name: fitted(value, names[name].annotation) if name in names else value
            for name, value in values.items()
        }
    return _typed(partial(model.model_validate, values), model=model, whose=whose, also=also)


_WORDS = {
    "tuple_type": "Input should be a list",
    "mapping_type": "Input should be a mapping",
    "dict_type": "Input should be a mapping",
}
"""What a config says it by, where pydantic says it by Python's types; by the fault's type."""

_ELSEWHERE = {"base_url": "api_base", "endpoint": "api_base", "key": "api_key"}
"""What other libraries call a field, by their name."""


def _typed(
    make: Callable[[], ModelT],
    *,
    model: type[BaseModel],
    whose: str,
    also: Collection[str] = (),
) -> ModelT:
    """What ``make`` makes; pydantic's error, which would show the values, becomes one of ours."""
    try:
        return make()
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
    fault = faults[0]
    # The field alone: what follows are pydantic's names for the branches of a union.
    place = str(fault["loc"][0]) if fault["loc"] else whose
    if fault["type"] == "extra_forbidden":
        names = model.model_fields
        there = {*names, *also}
        ours = _ELSEWHERE.get(place, place)
        known = [name for name in (ours, f"proxy_{ours}") if name in there]
        near = known[0] if known else nearest(place, sorted(there))
        meant = f"did you mean {near}? " if near else ""
        raise UnsupportedOptionError(
            f"{whose}: there is no {place!r}",
            hint=f"{meant}known are {', '.join(sorted(names)) or 'none'}",
        )
    told = "; ".join(
        f"{each['loc'][0] if each['loc'] else whose}: {_WORDS.get(each['type'], each['msg'])}"
        for each in faults
    )
    is_mapping = fault["type"] in ("mapping_type", "dict_type")
    hint = 'as text it is JSON, such as {"name": "value"}' if is_mapping else None
    raise ConfigError(f"{whose}: {told}", hint=hint)


def fitted(value: object, annotation: object) -> object:
    """A config string's value for a field.

    A comma is text in a text, one item is a list, and a mapping is JSON.
    """
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    origins = {get_origin(kind) for kind in kinds}
    lists = not origins.isdisjoint((tuple, list, Sequence))
    if isinstance(value, tuple) and not lists:
        value = ",".join(value)
    if not isinstance(value, str) or str in kinds:
        return value
    if lists:
        return (value,)
    return value if origins.isdisjoint((dict, Mapping)) else _from_json(value)


def _from_json(text: str) -> object:
    """What a text says; itself where it isn't JSON, for whoever expects a mapping to refuse."""
    try:
        given: object = from_json(text)
    except ValueError:
        return text
    return given
