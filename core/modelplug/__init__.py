"""One contract for language-model backends, which are plugins chosen by a config string."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelplug.backend import CONTRACT, Backend, Emulator
    from modelplug.call import Call
    from modelplug.capabilities import Capabilities, ModelMetadata
    from modelplug.client import ProxyLLMClient
    from modelplug.delta import (
        Delta,
        DeltaStream,
        Finish,
        FinishReason,
        Pieces,
        ToolCall,
        ToolCallDelta,
        Usage,
    )
    from modelplug.errors import (
        AuthenticationError,
        BackendError,
        BackendNotFoundError,
        BadRequestError,
        CircuitOpenError,
        ClientClosedError,
        ConcurrencyLimitError,
        ConfigError,
        ConfigSyntaxError,
        ConnectError,
        ConnectionLostError,
        ConnectTimeoutError,
        ContentFilterError,
        ContextLengthError,
        DeadlineError,
        DecodeError,
        FirstDeltaTimeoutError,
        HandshakeError,
        IdleTimeoutError,
        InvalidCredentialError,
        LifecycleError,
        LocalLimitError,
        MissingCredentialError,
        MissingDependencyError,
        ModelNotFoundError,
        OverloadedError,
        PermissionDeniedError,
        PluginConflictError,
        PluginContractError,
        PluginError,
        PluginIncompatibleError,
        PluginLoadError,
        ProtocolError,
        ProxyLLMError,
        QueueFullError,
        QueueTimeoutError,
        QuotaError,
        RateGateError,
        RateLimitError,
        ResolveError,
        SchemaError,
        SequenceError,
        ServerError,
        TlsError,
        TooLargeError,
        TotalTimeoutError,
        TransportError,
        TruncatedStreamError,
        UnsafeEndpointError,
        UnsupportedOptionError,
        WrongUseError,
    )
    from modelplug.explanation import ExplainedValue, Explanation, explain
    from modelplug.factory import new_client
    from modelplug.hookspecs import hookimpl
    from modelplug.messages import DefaultMessageConverter, MessageConverter, ModelMessage
    from modelplug.observers import (
        AttemptFailed,
        CallAbandoned,
        CallFailed,
        CallFinished,
        CallStarted,
        Event,
        FirstDelta,
        Observer,
    )
    from modelplug.opening import FailedAttempt
    from modelplug.output import ModelInferenceMetrics, ModelOutput
    from modelplug.params import ProxyModelParameters
    from modelplug.request import ModelRequest, ModelRequestContext
    from modelplug.schema import profile_schema
    from modelplug.secrets import Credential, Secret
    from modelplug.stream import ModelStream
    from modelplug.syncstream import SyncModelStream
    from modelplug.timeouts import Timeouts
    from modelplug.tokens import (
        ProxyTokenizer,
        TiktokenProxyTokenizer,
        TokenCount,
        TokenCounter,
    )
    from modelplug.trimming import CallConverter, TrimmingConverter
    from modelplug.worker import worker_stream

__all__ = [
    "CONTRACT",
    "AttemptFailed",
    "AuthenticationError",
    "Backend",
    "BackendError",
    "BackendNotFoundError",
    "BadRequestError",
    "Call",
    "CallAbandoned",
    "CallConverter",
    "CallFailed",
    "CallFinished",
    "CallStarted",
    "Capabilities",
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
    "Credential",
    "DeadlineError",
    "DecodeError",
    "DefaultMessageConverter",
    "Delta",
    "DeltaStream",
    "Emulator",
    "Event",
    "ExplainedValue",
    "Explanation",
    "FailedAttempt",
    "Finish",
    "FinishReason",
    "FirstDelta",
    "FirstDeltaTimeoutError",
    "HandshakeError",
    "IdleTimeoutError",
    "InvalidCredentialError",
    "LifecycleError",
    "LocalLimitError",
    "MessageConverter",
    "MissingCredentialError",
    "MissingDependencyError",
    "ModelInferenceMetrics",
    "ModelMessage",
    "ModelMetadata",
    "ModelNotFoundError",
    "ModelOutput",
    "ModelRequest",
    "ModelRequestContext",
    "ModelStream",
    "Observer",
    "OverloadedError",
    "PermissionDeniedError",
    "Pieces",
    "PluginConflictError",
    "PluginContractError",
    "PluginError",
    "PluginIncompatibleError",
    "PluginLoadError",
    "ProtocolError",
    "ProxyLLMClient",
    "ProxyLLMError",
    "ProxyModelParameters",
    "ProxyTokenizer",
    "QueueFullError",
    "QueueTimeoutError",
    "QuotaError",
    "RateGateError",
    "RateLimitError",
    "ResolveError",
    "SchemaError",
    "Secret",
    "SequenceError",
    "ServerError",
    "SyncModelStream",
    "TiktokenProxyTokenizer",
    "Timeouts",
    "TlsError",
    "TokenCount",
    "TokenCounter",
    "TooLargeError",
    "ToolCall",
    "ToolCallDelta",
    "TotalTimeoutError",
    "TransportError",
    "TrimmingConverter",
    "TruncatedStreamError",
    "UnsafeEndpointError",
    "UnsupportedOptionError",
    "Usage",
    "WrongUseError",
    "explain",
    "hookimpl",
    "new_client",
    "profile_schema",
    "worker_stream",
]

# Where the names are, but for the errors, which are all in one place. They are imported when
# they are asked for: a program that wants one of them, or the command line's help, needn't wait
# for all that a call needs.
_HOMES = {
    "backend": "CONTRACT Backend Emulator",
    "call": "Call",
    "capabilities": "Capabilities ModelMetadata",
    "client": "ProxyLLMClient",
    "delta": "Delta DeltaStream Finish FinishReason Pieces ToolCall ToolCallDelta Usage",
    "explanation": "ExplainedValue Explanation explain",
    "factory": "new_client",
    "hookspecs": "hookimpl",
    "messages": "DefaultMessageConverter MessageConverter ModelMessage",
    "observers": "AttemptFailed CallAbandoned CallFailed CallFinished CallStarted Event FirstDelta "
    "Observer",
    "opening": "FailedAttempt",
    "output": "ModelInferenceMetrics ModelOutput",
    "params": "ProxyModelParameters",
    "request": "ModelRequest ModelRequestContext",
    "schema": "profile_schema",
    "secrets": "Credential Secret",
    "stream": "ModelStream",
    "syncstream": "SyncModelStream",
    "timeouts": "Timeouts",
    "tokens": "ProxyTokenizer TiktokenProxyTokenizer TokenCount TokenCounter",
    "trimming": "CallConverter TrimmingConverter",
    "worker": "worker_stream",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """A public name, from its module."""
    if name in _HOMES or name == "errors":
        return import_module(f"modelplug.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"modelplug.{_HOME_OF.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return [*globals(), *__all__]
