"""Every failure of a call, typed; attributes, never text to be parsed.

::

    ProxyLLMError
    ├── ConfigError 100                 the app asked for something that can't be
    │   ├── ConfigSyntaxError 101, MissingCredentialError 102, InvalidCredentialError 103
    │   └── UnsafeEndpointError 104, UnsupportedOptionError 105, MissingDependencyError 106
    ├── PluginError 200                 a plugin is missing or faulty
    │   ├── BackendNotFoundError 201, PluginLoadError 202, PluginConflictError 203
    │   └── PluginIncompatibleError 204, PluginContractError 205
    ├── TransportError 300              the wire failed
    │   ├── ResolveError 301, ConnectError 302, TlsError 303
    │   └── HandshakeError 304, ConnectionLostError 305
    ├── DeadlineError 400               a clock ran out (also a TimeoutError)
    │   ├── ConnectTimeoutError 401, FirstDeltaTimeoutError 402, IdleTimeoutError 403
    │   └── TotalTimeoutError 404, QueueTimeoutError 405
    ├── ProtocolError 500               the service spoke another language
    │   ├── DecodeError 501, SchemaError 502, SequenceError 503
    │   └── TooLargeError 504, TruncatedStreamError 505
    ├── BackendError 600                the service refused
    │   ├── AuthenticationError 601, PermissionDeniedError 602, RateLimitError 603
    │   ├── ConcurrencyLimitError 604, QuotaError 605, OverloadedError 606
    │   ├── BadRequestError 607, ContextLengthError 608, ContentFilterError 609
    │   └── ModelNotFoundError 610, ServerError 611
    ├── LocalLimitError 700             a limit on this side refused
    │   └── QueueFullError 701, CircuitOpenError 702, RateGateError 703
    └── LifecycleError 800              the client was used wrongly
        └── ClientClosedError 801, WrongUseError 802

Codes are stable. All errors pickle and copy with their fields. An error that translates a
library's exception is raised outside its ``except`` block, so that neither ``__cause__`` nor
``__context__`` carries a URL, a header or a key. ``CancelledError`` is never wrapped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, TypedDict, Unpack

if TYPE_CHECKING:
    from modelplug.output import ModelOutput

__all__ = [
    "AuthenticationError",
    "BackendError",
    "BackendNotFoundError",
    "BadRequestError",
    "CircuitOpenError",
    "ClientClosedError",
    "ConcurrencyLimitError",
    "ConfigError",
    "ConfigSyntaxError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "ContentFilterError",
    "ContextLengthError",
    "DeadlineError",
    "DecodeError",
    "FirstDeltaTimeoutError",
    "HandshakeError",
    "IdleTimeoutError",
    "InvalidCredentialError",
    "LifecycleError",
    "LocalLimitError",
    "MissingCredentialError",
    "MissingDependencyError",
    "ModelNotFoundError",
    "OverloadedError",
    "PermissionDeniedError",
    "PluginConflictError",
    "PluginContractError",
    "PluginError",
    "PluginIncompatibleError",
    "PluginLoadError",
    "ProtocolError",
    "ProxyLLMError",
    "QueueFullError",
    "QueueTimeoutError",
    "QuotaError",
    "RateGateError",
    "RateLimitError",
    "ResolveError",
    "SchemaError",
    "SequenceError",
    "ServerError",
    "TlsError",
    "TooLargeError",
    "TotalTimeoutError",
    "TransportError",
    "TruncatedStreamError",
    "UnsafeEndpointError",
    "UnsupportedOptionError",
    "WrongUseError",
]

Phase: TypeAlias = Literal["start", "connecting", "open", "sent", "streaming", "ended"]
"""How far a call had come: not begun, connecting, connected, request sent, answer begun, over."""

Sent: TypeAlias = Literal["no", "maybe", "yes"]
"""Whether the service can have seen the request, and so may bill it."""


_TRY_AGAIN = "try again later; before an answer begins 'retries' does so, and 'a | b' asks another"


class ErrorFields(TypedDict, total=False):
    """The attributes that every error takes; see ProxyLLMError."""

    backend: str | None
    model: str | None
    phase: Phase | None
    retryable: bool
    retry_after: float | None
    sent: Sent | None
    provider_code: str | int | None
    provider_message: str | None
    request_id: str | None
    partial: ModelOutput | None
    hint: str | None
    attempts: Sequence[object]


class ProxyLLMError(Exception):
    """The root of all errors of this package.

    Attributes:
        message: one sentence about what failed.
        code: stable number of the class.
        backend, model: which were asked.
        phase: how far the call had come.
        retryable: whether the same call may well succeed later.
        retry_after: seconds to wait, where the service said so.
        sent: whether the service can have seen the request: of the error that a call ends
            with, in any of its attempts.
        provider_code, provider_message: the service's own words.
        request_id: the service's name for the call.
        partial: the answer so far.
        hint: what to do next.
        attempts: what else was tried (policies).
    """

    code: ClassVar[int] = 1
    retryable: bool = False

    # Of the class, as a plugin's own kind may come without what is made below.
    message: str = ""
    backend: str | None = None
    model: str | None = None
    phase: Phase | None = None
    retry_after: float | None = None
    sent: Sent | None = None
    provider_code: str | int | None = None
    provider_message: str | None = None
    request_id: str | None = None
    partial: ModelOutput | None = None
    hint: str | None = None
    attempts: Sequence[object] = ()

    def __init__(self, message: str, **fields: Unpack[ErrorFields]) -> None:
        super().__init__(message)
        self.message = message
        if unknown := fields.keys() - ErrorFields.__annotations__.keys():
            raise TypeError(f"errors have no field {', '.join(sorted(unknown))}")
        if fields.get("hint") is None:
            fields.pop("hint", None)  # that of the class, where it has one
        self.__dict__.update(fields)

    def complete(self, **fields: Unpack[ErrorFields]) -> None:
        """Add what whoever raised the error couldn't know; what is there already stays."""
        for name, value in fields.items():
            if getattr(self, name) in (None, ()):
                setattr(self, name, value)

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Put every text of the error through ``change``; for taking secrets out."""
        for name, value in list(vars(self).items()):
            setattr(self, name, _rewritten(value, change))
        self.args = (self.message,)

    def __str__(self) -> str:
        told = {
            "backend": self.backend,
            "model": self.model,
            "provider code": self.provider_code,
            "request id": self.request_id,
        }
        details = ", ".join(f"{name} {value}" for name, value in told.items() if value is not None)
        return f"{self.message} [{details}]" if details else self.message


def _rewritten(value: object, change: Callable[[str], str]) -> object:
    """A value with its texts changed, those in lists and mappings as well."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _rewritten(each, change) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rewritten(each, change) for each in value)
    return value


class ConfigError(ProxyLLMError):
    """The app's configuration asks for something that can't be."""

    code = 100


class ConfigSyntaxError(ConfigError):
    """A config string doesn't parse; ``column`` counts from 1."""

    code = 101

    def __init__(
        self, message: str, *, column: int | None = None, **fields: Unpack[ErrorFields]
    ) -> None:
        super().__init__(message, **fields)
        self.column = column


class MissingCredentialError(ConfigError):
    """A credential that the backend needs was given nowhere."""

    code = 102


class InvalidCredentialError(ConfigError):
    """A credential can't be one: control characters, not ASCII, or a secret written out."""

    code = 103


class UnsafeEndpointError(ConfigError):
    """An address that credentials must not be sent to."""

    code = 104


class UnsupportedOptionError(ConfigError):
    """An option or parameter that the backend or model doesn't have, or a value out of range."""

    code = 105


class MissingDependencyError(ConfigError):
    """A package is missing that the backend needs."""

    code = 106


class PluginError(ProxyLLMError):
    """A plugin is missing or faulty."""

    code = 200


class BackendNotFoundError(PluginError):
    """No installed plugin serves this backend."""

    code = 201


class PluginLoadError(PluginError):
    """A plugin, or its client, raised while it was imported."""

    code = 202


class PluginConflictError(PluginError):
    """Two distributions serve a backend of the same name."""

    code = 203


class PluginIncompatibleError(PluginError):
    """A plugin was built for another version of the contract or of the core."""

    code = 204


class PluginContractError(PluginError):
    """A plugin did what the contract forbids; a bug in the plugin."""

    code = 205

    @classmethod
    def blame(
        cls, bug: BaseException, *, doing: str = "", whose: str = "the plugin"
    ) -> PluginContractError:
        """The error for whatever else a plugin, or who is to blame, raised, kept as its cause."""
        error = cls(
            f"{whose} raised {type(bug).__name__}{doing}",
            hint=f"a bug in {whose}: report it to its authors, with the cause above",
        )
        error.__cause__ = bug
        return error


class TransportError(ProxyLLMError):
    """The wire failed."""

    code = 300
    retryable = True


class ResolveError(TransportError):
    """The host's name has no address."""

    code = 301


class ConnectError(TransportError):
    """No connection came about."""

    code = 302


class TlsError(TransportError):
    """The server's certificate or its TLS was refused."""

    code = 303
    retryable = False


class HandshakeError(TransportError):
    """The server didn't agree to the protocol; ``status`` is its HTTP status, if it sent one."""

    code = 304
    retryable = False

    def __init__(
        self, message: str, *, status: int | None = None, **fields: Unpack[ErrorFields]
    ) -> None:
        super().__init__(message, **fields)
        self.status = status


class ConnectionLostError(TransportError):
    """The connection was cut."""

    code = 305
    hint = _TRY_AGAIN


class DeadlineError(ProxyLLMError, TimeoutError):
    """A clock ran out; ``limit`` is how many seconds it allowed."""

    code = 400
    retryable = True

    def __init__(
        self, message: str, *, limit: float | None = None, **fields: Unpack[ErrorFields]
    ) -> None:
        super().__init__(message, **fields)
        self.limit = limit


class ConnectTimeoutError(DeadlineError):
    """Connecting, or getting the request across, took too long."""

    code = 401


class FirstDeltaTimeoutError(DeadlineError):
    """No piece of the answer came in time."""

    code = 402


class IdleTimeoutError(DeadlineError):
    """The answer stopped coming."""

    code = 403


class TotalTimeoutError(DeadlineError):
    """The whole call took too long."""

    code = 404
    retryable = False


class QueueTimeoutError(DeadlineError):
    """A local limit gave no place in time."""

    code = 405


class ProtocolError(ProxyLLMError):
    """The service sent what its protocol doesn't allow."""

    code = 500


class DecodeError(ProtocolError):
    """Bytes that can't be decoded."""

    code = 501


class SchemaError(ProtocolError):
    """A message of the wrong shape."""

    code = 502


class SequenceError(ProtocolError):
    """Messages out of order, or one is missing."""

    code = 503


class TooLargeError(ProtocolError):
    """A message beyond the size limit."""

    code = 504


class TruncatedStreamError(ProtocolError):
    """The answer stopped without its terminal sign."""

    code = 505
    retryable = True


class BackendError(ProxyLLMError):
    """The service refused, and said so."""

    code = 600


class AuthenticationError(BackendError):
    """The service doesn't accept the credentials."""

    code = 601


class PermissionDeniedError(BackendError):
    """The credentials are good, but not for this."""

    code = 602


class RateLimitError(BackendError):
    """Too many requests in a span of time."""

    code = 603
    retryable = True


class ConcurrencyLimitError(BackendError):
    """Too many requests at once."""

    code = 604
    retryable = True


class QuotaError(BackendError):
    """The account's volume is used up; waiting doesn't help."""

    code = 605


class OverloadedError(BackendError):
    """The service has no capacity at the moment."""

    code = 606
    retryable = True
    hint = _TRY_AGAIN


class BadRequestError(BackendError):
    """The service can't make sense of the request."""

    code = 607


class ContextLengthError(BackendError):
    """The conversation is longer than the model takes."""

    code = 608


class ContentFilterError(BackendError):
    """The service's audit refused; ``stage`` is ``input`` or ``output``."""

    code = 609

    def __init__(
        self,
        message: str,
        *,
        stage: Literal["input", "output"] | None = None,
        **fields: Unpack[ErrorFields],
    ) -> None:
        super().__init__(message, **fields)
        self.stage = stage


class ModelNotFoundError(BackendError):
    """The backend has no such model."""

    code = 610


class ServerError(BackendError):
    """The service failed inside."""

    code = 611
    retryable = True


class LocalLimitError(ProxyLLMError):
    """A limit on this side refused; nothing was sent."""

    code = 700
    retryable = True


class QueueFullError(LocalLimitError):
    """Too many calls wait already."""

    code = 701


class CircuitOpenError(LocalLimitError):
    """The backend failed too often of late; it is given a rest."""

    code = 702


class RateGateError(LocalLimitError):
    """This side's own rate limit is used up."""

    code = 703


class LifecycleError(ProxyLLMError):
    """A client or stream was used when or where it can't be."""

    code = 800


class ClientClosedError(LifecycleError):
    """The client is closed."""

    code = 801


class WrongUseError(LifecycleError):
    """A call that can't work from here, such as a sync call on the loop that would serve it."""

    code = 802
